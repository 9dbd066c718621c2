//go:build unix

package reliability

import (
	"os"
	"runtime"
	"syscall"
)

// peakMemory is the most memory in bytes that a process had resident.
func peakMemory(s *os.ProcessState) int64 {
	most := int64(s.SysUsage().(*syscall.Rusage).Maxrss)
	if runtime.GOOS == "darwin" {
		return most
	}
	return most << 10
}
