package walvfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Suffixes are what SQLite appends to the path of a database to name its files: the database
// itself, its write-ahead log, the log's shared memory, and its rollback journal.
var Suffixes = [...]string{"", logSuffix, "-shm", journalSuffix}

const (
	logSuffix     = "-wal"
	journalSuffix = "-journal" // the longest
)

// maxPath is the length in bytes of the longest path that the SQLite library reads. It panics at a
// longer one.
const maxPath = 1024

// CheckPath returns an error of the fault BadPath for a path that is too long for SQLite, or if the
// name of its file leaves no room for the names of a log and a journal.
func CheckPath(path string) error {
	real, err := filepath.EvalSymlinks(path)
	if err != nil { // the file does not exist yet, or SQLite will meet the error
		real = path
		if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
			real = filepath.Join(dir, filepath.Base(path))
		}
	}
	if n := max(len(path), len(real)); n > maxPath-len(journalSuffix) {
		return &Error{BadPath, fmt.Errorf("the path of %s has %d bytes from the root on, "+
			"and SQLite takes %d: choose a shorter one", filepath.Base(path), n, maxPath-len(journalSuffix))}
	}
	if _, err := os.Lstat(real + journalSuffix); errors.Is(err, syscall.ENAMETOOLONG) {
		name := filepath.Base(real)
		return &Error{BadPath, fmt.Errorf("the name %s has %d bytes and leaves no room for %s behind it: "+
			"choose a shorter one", name, len(name), journalSuffix)}
	}
	return nil
}
