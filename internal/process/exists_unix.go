//go:build unix

package process

import (
	"errors"
	"syscall"
)

// Exists says whether a process of this machine or container has the id.
func Exists(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
