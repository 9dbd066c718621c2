//go:build fuse

package mount

import (
	"errors"
	"os"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// programs are what the library for FUSE mounts with. One of them is enough.
var programs = []string{
	"/Library/Filesystems/macfuse.fs/Contents/Resources/mount_macfuse",
	"/Library/Filesystems/osxfuse.fs/Contents/Resources/mount_osxfuse",
}

// waitMount waits for the program that mounts, which ends after the first answers.
var waitMount = (*fuse.Server).WaitMount

// checkSystem names what the system lacks, and the way out.
func checkSystem() error {
	for _, name := range programs {
		if _, err := os.Stat(name); err == nil {
			return nil
		}
	}
	return errors.New("macFUSE is missing; install it from https://macfuse.github.io")
}

// detach frees dir although files in it are open.
func detach(dir string) error { return unix.Unmount(dir, unix.MNT_FORCE) }
