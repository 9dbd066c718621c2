//go:build !windows

package walvfs

import "syscall"

var diskFull = []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG}
