package race

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kohakuvault/kvault/bench/internal/contract"
	"github.com/kohakuvault/kvault/bench/internal/plan"
)

// folder is where the entrant's store lies. Cases that only read, or write what is there already,
// share one that is filled alike.
func (r *Race) folder(c *plan.Case, e plan.Entrant) string {
	kind := c.Name
	if c.Filled {
		switch c.Workload {
		case "get", "replace":
			kind = "values"
		case "streamout", "range":
			kind = "stream"
		case "scan", "element":
			kind = "column"
		default:
			kind = c.Workload
		}
		kind = fmt.Sprintf("%s %d %d %t", kind, c.Keys, c.Size, c.Ordered)
	}
	return filepath.Join(r.Dir, "stores", strings.NewReplacer("/", "-", ":", "-", " ", "-", ",", "").Replace(kind+" "+string(e)))
}

// fill fills the store in the folder, unless that was done before. What it returns is empty, or
// says why the contender cannot.
func (r *Race) fill(ctx context.Context, command []string, p contract.Params) (res contract.Result, filled bool, err error) {
	if _, err := os.Stat(p.Dir); err == nil {
		return res, false, nil
	}
	if err := os.MkdirAll(p.Dir, 0o700); err != nil {
		return res, false, err
	}
	p.Fill, p.Full, p.Path = true, false, ""
	if res, err = start(ctx, command, p); err != nil || res.Unsupported != "" {
		return res, true, errors.Join(err, os.RemoveAll(p.Dir))
	}
	size, err := diskBytes(p.Dir)
	if err == nil && size >= large {
		err = flush(p.Dir, size) // or the system does so while others are measured
	}
	return contract.Result{}, true, err
}

// large is a store for whose sake to wait for the whole file system. Below, its files are waited
// for one by one.
const large = 16 << 20

// flush writes out what the system holds back of a store.
func flush(dir string, size int64) error {
	if size >= large {
		return onFile(dir, unix.Syncfs)
	}
	return files(dir, func(path string, _ fs.FileInfo) error { return onFile(path, unix.Fsync) })
}

func onFile(path string, fn func(fd int) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(fn(int(f.Fd())), f.Close())
}

// heat reads all files below a folder, so that the system has them in memory.
func heat(dir string) error {
	buf := make([]byte, 1<<20)
	return files(dir, func(path string, _ fs.FileInfo) error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{f}, buf)
		return errors.Join(err, f.Close())
	})
}

// cool drops the system's cached pages of all files below a folder, which must be on the disk for
// that.
func cool(dir string) error {
	size, err := diskBytes(dir)
	if err == nil {
		err = flush(dir, size)
	}
	if err != nil {
		return err
	}
	return files(dir, func(path string, _ fs.FileInfo) error {
		return onFile(path, func(fd int) error { return unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED) })
	})
}
