//go:build !unix

package process

import (
	"errors"
	"io/fs"
	"os"
)

// Exists says whether a process of this machine or container has the id.
func Exists(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return errors.Is(err, fs.ErrPermission) // it is another user's
	}
	_ = p.Release()
	return true
}
