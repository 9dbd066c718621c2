//go:build !unix

package sqlite

import (
	"errors"
	"io/fs"
	"os"
)

func processExists(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return errors.Is(err, fs.ErrPermission) // it is another user's
	}
	_ = p.Release()
	return true
}
