//go:build unix

package sqlite

import (
	"io/fs"
	"syscall"
)

// linkCount is how many names a file has.
func linkCount(_ string, info fs.FileInfo) uint64 {
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(sys.Nlink)
	}
	return 1
}
