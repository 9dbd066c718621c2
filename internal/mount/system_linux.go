//go:build fuse

package mount

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// What a mount needs. The library for FUSE looks for the same programs.
var (
	devices  = []string{"/dev/fuse"}
	programs = []string{"fusermount3", "/bin/fusermount3", "fusermount", "/bin/fusermount"}
)

// waitMount is called once the kernel has its answers. Linux needs nothing more: the method
// WaitMount of the library would open a file of the mount, and a process that is killed meanwhile
// would wait for itself for ever. Only a process that uses its own mount needs that.
var waitMount = func(*fuse.Server) error { return nil }

// checkSystem names what the system lacks, and the way out.
func checkSystem() error {
	for _, name := range devices {
		if _, err := os.Stat(name); err != nil {
			return fmt.Errorf("this system has no FUSE: %w; load its module with 'modprobe fuse', "+
				"or give a container the device (--device /dev/fuse --cap-add SYS_ADMIN)", err)
		}
	}
	_, err := fusermount()
	return err
}

// fusermount finds the program that mounts for users who are not root.
func fusermount() (string, error) {
	for _, name := range programs {
		if found, err := exec.LookPath(name); err == nil {
			return found, nil
		}
	}
	return "", errors.New("the program fusermount3 is missing; install the package fuse3")
}

// detach frees dir although files in it are open.
func detach(dir string) error {
	program, err := fusermount()
	if err != nil {
		return err
	}
	if out, err := exec.Command(program, "-u", "-z", "--", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("unmount %s: %w: %s", dir, err, strings.TrimSpace(string(out)))
	}
	return nil
}
