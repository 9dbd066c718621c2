package sqlite

import (
	"cmp"
	"fmt"
	"os"
	"syscall"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
)

// errNoRoom is what callers match, whatever it is that keeps a file from growing.
var errNoRoom = fmt.Errorf("%w, or a quota or the limit on the length of a file is reached", syscall.ENOSPC)

// ioError is the failure of op, with the way out if space is what it lacked.
func ioError(op string, err error) error {
	if driver.NoRoom(err) {
		err = fmt.Errorf("%w; free some space and try again (%v)", errNoRoom, err)
	}
	return &engine.IOError{Op: op, Err: err}
}

// tempError is a failure to keep something in a temporary file.
func tempError(err error) error {
	if driver.NoRoom(err) {
		err = fmt.Errorf("%w; free some space there, or name another folder by TMPDIR (%v)", errNoRoom, err)
	}
	return &engine.IOError{Op: "write a temporary file in " + os.TempDir(), Err: err}
}

// rebuildError explains why the file could not be rebuilt. Which of the two places had no room, SQLite does not say.
func (s *Store) rebuildError(err error) error {
	if !driver.NoRoom(err) {
		return err
	}
	return &engine.IOError{Op: "rebuild " + s.path, Err: fmt.Errorf("%w; free some space and try again: as much is needed as the vault is large, beside it and in %s, which TMPDIR names (%v)",
		errNoRoom, cmp.Or(os.Getenv("SQLITE_TMPDIR"), os.TempDir()), err)}
}
