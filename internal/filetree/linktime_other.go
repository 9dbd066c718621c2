//go:build !linux && !darwin

package filetree

import (
	"os"
	"time"
)

// SetLinkTime gives the symbolic link name in the directory dir, which is not followed, its
// modification time. On systems that cannot do that it does nothing.
func SetLinkTime(dir *os.Root, name string, t time.Time) error { return nil }
