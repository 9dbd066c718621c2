//go:build !unix

package sqlite

import (
	"io/fs"
	"os"
)

// inherit does nothing: a new file has the permissions of its folder.
func inherit(*os.File, fs.FileInfo) {}
