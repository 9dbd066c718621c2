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

// folder is where the entrant's store lies. Cases that only read, or write what is there already, share one that is filled alike.
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

// fill fills the store in the folder, unless that was done before. What it returns is empty, or says why the contender cannot.
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
	if err == nil && size > worthFlushing {
		err = flush(p.Dir)
	}
	return contract.Result{}, true, err
}

// worthFlushing is how large a store is whose pages, being written out, disturb others. To flush is to wait for the whole file system.
const worthFlushing = 16 << 20

// flush writes out what the system holds back, so that it does not do so while others are measured.
func flush(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(f.Fd())), f.Close())
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

// cool drops the system's cached pages of all files below a folder, which must be on the disk for that.
func cool(dir string) error {
	return files(dir, func(path string, _ fs.FileInfo) error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		if err = f.Sync(); err == nil {
			err = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
		}
		return errors.Join(err, f.Close())
	})
}
