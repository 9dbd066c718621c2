//go:build !unix

package walvfs

import (
	"io/fs"
	"os"

	"github.com/ncruces/go-sqlite3/vfs"
)

// Whose files they are does not matter where the folder gives the permissions.
func mayMakeLog(string) bool { return true }

// Files get their permissions from the folder.
func makeSidecars(*vfs.Filename, vfs.OpenFlag) {}

// Liken does nothing where files get their permissions from the folder.
func Liken(*os.File, fs.FileInfo) error { return nil }
