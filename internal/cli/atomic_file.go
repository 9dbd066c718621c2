package cli

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/kohakuvault/kvault/internal/filetree"
	"github.com/kohakuvault/kvault/internal/process"
)

// fileAttrs are what a new file gets besides its content.
type fileAttrs struct {
	mode    fs.FileMode // permission bits, if hasMode
	hasMode bool
	modTime time.Time      // now if zero
	sparse  bool           // long runs of zeros become holes
	restore func(*os.File) // sets what else the file is to have, unless nil
	sync    bool           // the content is on disk before the file takes its place
	absent  bool           // fails with fs.ErrExist rather than replace a file
}

// writeAtomically puts what fill writes at name below root, by way of a temporary file beside it: on a
// failure name is what it was.
func writeAtomically(root *os.Root, name string, attrs fileAttrs, fill func(io.Writer) error) error {
	perm := fs.FileMode(0o666)
	if attrs.hasMode { // nobody reads it meanwhile who is not to read it then
		perm = attrs.mode.Perm() | 0o200
	}
	return placeAtomically(root, name, attrs.absent, func(temp string) error {
		f, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
		if err != nil {
			return err
		}
		err = errors.Join(fillFile(f, attrs, fill), f.Close())
		if err != nil || attrs.modTime.IsZero() {
			return err
		}
		return root.Chtimes(temp, attrs.modTime, attrs.modTime)
	})
}

// placeAtomically has fill make a temporary file or link, and gives it its name once it is complete.
func placeAtomically(
	root *os.Root, name string, absent bool, fill func(temp string) error,
) (err error) {
	temp := path.Join(path.Dir(name), process.PartialName(".kvault-"))
	defer func() {
		if err == nil {
			return
		}
		if left := root.Remove(temp); !errors.Is(left, fs.ErrNotExist) {
			err = errors.Join(err, left)
		}
	}()
	if err := fill(temp); err != nil {
		return err
	}
	if absent {
		return linkAbsent(root, temp, name)
	}
	return root.Rename(temp, name)
}

// linkAbsent gives a file its name unless there is one of that name. Where the file system has no
// hard links, one that appears at the same moment can be replaced.
func linkAbsent(root *os.Root, temp, name string) error {
	err := root.Link(temp, name)
	if err == nil {
		return root.Remove(temp)
	}
	if _, there := root.Lstat(name); errors.Is(err, fs.ErrExist) || !errors.Is(there, fs.ErrNotExist) {
		return fs.ErrExist
	}
	return root.Rename(temp, name)
}

// sweepPartials removes the temporary files that processes left in a directory below root when they
// were killed.
func sweepPartials(root *os.Root, dir string) {
	entries, _ := fs.ReadDir(root.FS(), filepath.ToSlash(dir)) // one that may not be listed can still take a file
	process.SweepPartials(entries, func(name string) error { return root.Remove(filepath.Join(dir, name)) })
}

func fillFile(f *os.File, attrs fileAttrs, fill func(io.Writer) error) error {
	var err error
	if attrs.sparse {
		w := filetree.NewSparseWriter(f)
		if err = fill(w); err == nil {
			err = w.Finish()
		}
	} else {
		err = fill(f)
	}
	if err != nil {
		return err
	}
	if attrs.restore != nil {
		attrs.restore(f)
	}
	if attrs.hasMode {
		if err := f.Chmod(attrs.mode); err != nil {
			return err
		}
	}
	if attrs.sync {
		return f.Sync()
	}
	return nil
}
