package driver

import "syscall"

// noRoom are ERROR_HANDLE_DISK_FULL, ERROR_DISK_FULL, ERROR_FILE_TOO_LARGE and ERROR_DISK_QUOTA_EXCEEDED.
var noRoom = []syscall.Errno{39, 112, 223, 1295}
