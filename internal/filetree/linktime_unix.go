//go:build linux || darwin

package filetree

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// SetLinkTime gives the symbolic link name in the directory dir, which is not followed, its
// modification time. On systems that cannot do that it does nothing.
func SetLinkTime(dir *os.Root, name string, t time.Time) error {
	d, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	ts, err := unix.TimeToTimespec(t)
	if err != nil {
		return err
	}
	return unix.UtimesNanoAt(int(d.Fd()), name, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW)
}
