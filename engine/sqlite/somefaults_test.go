//go:build !reliability && !race

package sqlite

// nextFault leaves gaps that grow; with the tag reliability there are none.
func nextFault(n int64) int64 { return n + 1 + n/2 }
