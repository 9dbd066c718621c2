//go:build unix

package reliability

import (
	"syscall"
	"time"
)

// processorTime is what this process has used so far, or 0 where that is not known.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
