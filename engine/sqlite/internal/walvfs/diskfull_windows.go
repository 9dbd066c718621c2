package walvfs

import "syscall"

// diskFull are ERROR_HANDLE_DISK_FULL, ERROR_DISK_FULL, ERROR_FILE_TOO_LARGE and
// ERROR_DISK_QUOTA_EXCEEDED.
var diskFull = []syscall.Errno{39, 112, 223, 1295}
