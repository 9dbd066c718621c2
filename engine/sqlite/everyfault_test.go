//go:build reliability

package sqlite

// nextFault goes through every operation that can fail.
func nextFault(n int64) int64 { return n + 1 }
