//go:build unix

package cli

import "syscall"

// openNonblock keeps the opening of a named pipe, which may have taken a file's place, from waiting for
// its other end.
const openNonblock = syscall.O_NONBLOCK
