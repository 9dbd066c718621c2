package sqlite_test

import (
	"runtime"
	"syscall"
	"testing"
)

// becomeStranger has the calling goroutine use files as a user other than root, until the test
// ends. Linux keeps the user for files by thread.
func becomeStranger(t *testing.T) {
	const nobody = 65534
	runtime.LockOSThread()
	syscall.RawSyscall(syscall.SYS_SETFSUID, nobody, 0, 0)
	t.Cleanup(func() {
		syscall.RawSyscall(syscall.SYS_SETFSUID, 0, 0, 0)
		runtime.UnlockOSThread()
	})
}
