//go:build unix

package sqlite

import (
	"io/fs"
	"os"
	"syscall"
)

// inherit gives f the permissions of the file like, and its owner and group where the process may. A group that cannot be kept gets what
// others get. A file system without permissions leaves f as it is.
func inherit(f *os.File, like fs.FileInfo) {
	mode := like.Mode().Perm()
	if of, ok := like.Sys().(*syscall.Stat_t); ok {
		_ = f.Chown(int(of.Uid), -1) // only root may
		if err := f.Chown(-1, int(of.Gid)); err != nil {
			mode = mode&^0o070 | mode&0o070&(mode&0o007<<3)
		}
	}
	_ = f.Chmod(mode)
}
