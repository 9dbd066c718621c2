package driver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// maxPath is the longest path of a file in bytes that the driver reads from SQLite. Beyond it panics.
const maxPath = 1024

// longestSuffix is the longest of those that SQLite appends to the path of a database.
const longestSuffix = "-journal"

// checkPath returns an error for a path that is too long for SQLite, or whose file's name leaves no
// room for the names of a log and a journal.
func checkPath(path string) error {
	real, err := filepath.EvalSymlinks(path)
	if err != nil { // it is to be made, or SQLite will meet the error
		real = path
		if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
			real = filepath.Join(dir, filepath.Base(path))
		}
	}
	if n := max(len(path), len(real)); n > maxPath-len(longestSuffix) {
		return &Error{Kind: BadPath, err: fmt.Errorf("the path of %s has %d bytes from the root on, and SQLite takes %d: choose a shorter one",
			filepath.Base(path), n, maxPath-len(longestSuffix))}
	}
	if _, err := os.Lstat(real + longestSuffix); errors.Is(err, syscall.ENAMETOOLONG) {
		return &Error{Kind: BadPath, err: fmt.Errorf("the name %s has %d bytes and leaves no room for %s behind it: choose a shorter one",
			filepath.Base(real), len(filepath.Base(real)), longestSuffix)}
	}
	return nil
}

// Explain adds which file it is to an error that one could not be opened.
func (cfg Config) Explain(err error) error {
	if err == nil || cfg.Memory {
		return err
	}
	return openFault(err, cfg.Path)
}

// openFault tells which file could not be opened, and why, where SQLite has lost that.
func openFault(err error, path string) error {
	var known *fs.PathError
	kind := KindOf(err)
	if kind != CannotOpen && kind != ReadOnly && kind != IO || errors.As(err, &known) {
		return err
	}
	suffixes := []string{"", "-wal", "-shm", longestSuffix}
	if kind == IO { // it was none of these, but what this package or the driver looks at when SQLite asks about them
		suffixes = nil
	}
	for _, suffix := range suffixes {
		if why := mayOpen(path + suffix); why != nil && !errors.Is(why, fs.ErrNotExist) {
			return &Error{Kind: KindOf(err), err: fmt.Errorf("%w (%w)", why, err)}
		}
	}
	f, why := os.Open(filepath.Dir(path)) // which needs a descriptor
	if why != nil {
		return &Error{Kind: KindOf(err), err: fmt.Errorf("%w (%w)", why, err)}
	}
	_ = f.Close()
	return err
}

// OutOfFiles says whether err is of a process, or a system, that has as many files open as it may.
func OutOfFiles(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}
