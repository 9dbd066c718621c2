package cli

import (
	"syscall"
	"testing"
)

func mknodZero(string) error { return syscall.EPERM }

func asUnprivileged(t *testing.T, _ string) { t.Skip("run this as a user who may not read everything") }
