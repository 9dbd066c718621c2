//go:build !linux

package driver

import (
	"io"

	"github.com/ncruces/go-sqlite3/vfs"
)

func inParts(file vfs.File) io.ReaderAt { return file }
