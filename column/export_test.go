package column

// SetLongestElement makes elements of more than n bytes too long until the function that it returns
// is called.
func SetLongestElement(n int) (undo func()) {
	before := longestElement
	longestElement = n
	return func() { longestElement = before }
}
