//go:build linux && reliability

package reliability

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

func init() {
	children["small disk"] = smallDiskChild
	children["small temporary folder"] = smallTempChild
}

// smallDisk is a file system in memory, which a ballast fills. It ends with the process that mounts
// it.
type smallDisk struct {
	mount string
	freed int
}

const smallDiskBytes = 16 << 20

func newSmallDisk(mount string) (*smallDisk, error) {
	d := &smallDisk{mount: mount}
	// Without this, a mount would show, and stay, outside the process too.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return nil, fmt.Errorf("making mounts private: %w", err)
	}
	return d, d.resize(0, smallDiskBytes)
}

func (d *smallDisk) resize(flags uintptr, size int) error {
	if err := syscall.Mount("tmpfs", d.mount, "tmpfs", flags, fmt.Sprint("size=", size)); err != nil {
		return fmt.Errorf("mounting a small disk, which this test cannot do without: %w", err)
	}
	return nil
}

// folder makes a folder on the disk.
func (d *smallDisk) folder(name string) (string, error) {
	path := filepath.Join(d.mount, name)
	return path, os.Mkdir(path, 0o700)
}

func (d *smallDisk) ballast() string { return filepath.Join(d.mount, "ballast") }

func (d *smallDisk) drop() error {
	if err := os.Remove(d.ballast()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (d *smallDisk) leave(n int64) error {
	if err := errors.Join(d.drop(), d.resize(syscall.MS_REMOUNT, smallDiskBytes)); err != nil {
		return err
	}
	f, err := os.Create(d.ballast())
	if err != nil {
		return err
	}
	defer f.Close()
	for try := 0; ; try++ {
		var s syscall.Statfs_t
		if err := syscall.Statfs(d.mount, &s); err != nil {
			return err
		}
		left := int64(s.Bavail) * s.Bsize
		if left <= n {
			return fmt.Errorf("%d bytes are free, no more than %d", left, n)
		}
		if err := syscall.Fallocate(int(f.Fd()), 0, 0, left-n); err == nil || try == 9 { // the sweeper may write meanwhile
			return err
		}
	}
}

func (d *smallDisk) real() bool { return true }

// free removes the ballast or makes the disk larger, by turns.
func (d *smallDisk) free() error {
	if d.freed++; d.freed%2 == 0 {
		return d.drop()
	}
	return d.resize(syscall.MS_REMOUNT, 2*smallDiskBytes)
}

func smallDiskChild(ctx context.Context, path string, args []string, out io.Writer) error {
	d, err := newSmallDisk(args[0])
	if err != nil {
		return err
	}
	dir, err := d.folder("vault")
	if err != nil {
		return err
	}
	step, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return err
	}
	return fillDisk(ctx, d, dir, path, step, out)
}

// ownMounts lets a process mount, also where its user may not.
func ownMounts() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return attr
}

// As TestFullDiskByLimit, with a file system that is full.
func TestFullDisk(t *testing.T) { runFullDisk(t, "small disk", fastDir(t), ownMounts()) }

// Where the folder for temporary files is full, and the vault's disk is not, values are streamed
// all the same; what cannot do without that folder says so.
func TestFullTemporaryFolder(t *testing.T) {
	runFullDisk(t, "small temporary folder", fastDir(t), ownMounts())
}

func smallTempChild(ctx context.Context, path string, args []string, out io.Writer) error {
	d, err := newSmallDisk(args[0])
	if err != nil {
		return err
	}
	temp, err := d.folder("temp")
	if err != nil {
		return err
	}
	if err := os.Setenv("TMPDIR", temp); err != nil {
		return err
	}
	step, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return err
	}
	return fillTemp(ctx, d, path, step, out)
}
