package walvfs

import (
	"os"

	"golang.org/x/sys/unix"
)

// IsMountRoot says whether something is mounted at just this path, as far as the system tells:
// macOS mounts no single files.
func IsMountRoot(string) bool { return false }

// RenameNoReplace renames a file, unless the new name is taken. Not every file system can do that.
func RenameNoReplace(old, new string) error {
	if err := unix.RenamexNp(old, new, unix.RENAME_EXCL); err != nil {
		return &os.LinkError{Op: "rename", Old: old, New: new, Err: err}
	}
	return nil
}
