package walvfs

import (
	"os"

	"golang.org/x/sys/unix"
)

// IsMountRoot says whether something is mounted at just this path, as far as the system tells:
// Linux does since 5.8.
func IsMountRoot(path string) bool {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, 0, 0, &st)
	return err == nil && st.Attributes_mask&st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0
}

// RenameNoReplace renames a file, unless the new name is taken. Not every file system can do that.
func RenameNoReplace(old, new string) error {
	if err := unix.Renameat2(unix.AT_FDCWD, old, unix.AT_FDCWD, new, unix.RENAME_NOREPLACE); err != nil {
		return &os.LinkError{Op: "rename", Old: old, New: new, Err: err}
	}
	return nil
}
