//go:build !windows

package walvfs

// LinkCount is how many names the file at path has, or 1 if that is unknown.
func LinkCount(path string) uint64 {
	if state, err := stateAt(path); err == nil {
		return state.Links
	}
	return 1
}
