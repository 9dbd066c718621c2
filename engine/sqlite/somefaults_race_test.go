//go:build race && !reliability

package sqlite

// nextFault leaves larger gaps still: the loops are of one goroutine, and take ten times as long with the race detector.
func nextFault(n int64) int64 { return 4*n + 3 }
