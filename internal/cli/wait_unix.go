//go:build unix

package cli

import "syscall"

// dontWait keeps the opening of a named pipe, which may have taken a file's place, from waiting for
// its other end.
const dontWait = syscall.O_NONBLOCK
