//go:build unix && !linux && !darwin

package walvfs

import "syscall"

// changeTimes is not needed where the shared memory of the log is not looked at.
func changeTimes(*syscall.Stat_t) [2]int64 { return [2]int64{} }
