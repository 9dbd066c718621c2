//go:build !linux && !darwin

package walvfs

import "errors"

// IsMountRoot says whether something is mounted at just this path, as far as the system tells.
func IsMountRoot(string) bool { return false }

// RenameNoReplace renames a file, unless the new name is taken, where the system can do that.
func RenameNoReplace(string, string) error { return errors.ErrUnsupported }
