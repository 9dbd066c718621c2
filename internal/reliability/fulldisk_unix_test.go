//go:build linux || darwin

package reliability

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

func init() { children["longest file"] = longestFileChild }

// longestFile is a disk on which no file may become longer than n bytes, or without a log n bytes
// longer than the vault, all of which must be writable to undo a change. It needs no rights; unlike
// on a full disk, short files can still be written.
type longestFile struct {
	dir string
	old syscall.Rlimit
}

func (l *longestFile) leave(n int64) error {
	if _, err := os.Stat(filepath.Join(l.dir, "v.kv-wal")); errors.Is(err, fs.ErrNotExist) {
		info, err := os.Stat(filepath.Join(l.dir, "v.kv"))
		if err != nil {
			return err
		}
		n += info.Size()
	}
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: uint64(n), Max: l.old.Max})
}

func (l *longestFile) real() bool { return false }

func (l *longestFile) free() error { return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &l.old) }

func longestFileChild(ctx context.Context, path string, args []string, out io.Writer) error {
	signal.Ignore(syscall.SIGXFSZ)
	d := longestFile{dir: args[0]}
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &d.old); err != nil {
		return err
	}
	step, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return err
	}
	return fillDisk(ctx, &d, args[0], path, step, out)
}

// Where files cannot become longer, what was acknowledged is there and what was refused is not; the
// error says why and what to do; and the vault goes on when they can.
func TestFullDiskByLimit(t *testing.T) { runFullDisk(t, "longest file", fastDir(t), nil) }

// runFullDisk does all cases in a process of its own, whose temporary files lie in a folder that
// has to be empty in the end.
func runFullDisk(t *testing.T, child, disk string, attr *syscall.SysProcAttr) {
	t.Helper()
	temp := fastDir(t)
	t.Setenv("TMPDIR", temp)
	c := startChildIn(t, attr, child, fastDir(t), disk, *room)
	for c.lines.Scan() {
		t.Log(c.lines.Text())
	}
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
}
