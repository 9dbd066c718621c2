package cli

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
)

// walk visits the regular files of a tree in the order of their keys. Functions that are nil are
// not called.
type walk struct {
	root     *os.Root
	ownFiles vaultFiles // left out
	filter   *filter    // leaves out what it matches
	file     func(source) error
	failed   func(name string, err error)
	special  func(name string, mode fs.FileMode)
}

// dir visits the directory name; the error is the one that a call of file returned.
func (w *walk) dir(name string) error {
	entries, info, err := w.list(name)
	if err != nil && w.failed != nil {
		w.failed(name, err)
	}
	for _, e := range entries {
		if w.ownFiles.has(info, e.Name()) {
			continue
		}
		if err := w.visit(path.Join(name, e.Name()), e); err != nil {
			return err
		}
	}
	return nil
}

// list reads a directory, sorted as keys are: "a-b" before "a/b" before "a0".
func (w *walk) list(name string) ([]fs.DirEntry, fs.FileInfo, error) {
	d, err := w.root.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer d.Close()
	info, err := d.Stat()
	if err != nil {
		return nil, nil, err
	}
	entries, err := d.ReadDir(-1)
	slices.SortFunc(entries, func(x, y fs.DirEntry) int { return cmp.Compare(sortName(x), sortName(y)) })
	return entries, info, err
}

func sortName(e fs.DirEntry) string {
	if e.IsDir() {
		return e.Name() + "/"
	}
	return e.Name()
}

func (w *walk) visit(name string, e fs.DirEntry) error {
	switch {
	case w.filter.LeavesOut(name, e.IsDir()):
		return nil
	case e.IsDir():
		return w.dir(name)
	case !e.Type().IsRegular():
		if w.special != nil {
			w.special(name, e.Type())
		}
		return nil
	}
	info, err := e.Info()
	switch {
	case errors.Is(err, fs.ErrNotExist): // deleted since the directory was read
		return nil
	case err != nil:
		if w.failed != nil {
			w.failed(name, err)
		}
		return nil
	case w.ownFiles.isMain(info):
		return nil
	}
	return w.file(source{name: name, info: info})
}

func kindInWords(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "a special file"
}
