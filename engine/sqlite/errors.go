package sqlite

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
)

// explain turns the driver's errors into the engine's, each with what happened, where, and the way
// out.
func (s *Store) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if oe, ok := err.(*engine.OpError); ok {
		return &engine.OpError{Index: oe.Index, Key: oe.Key, Err: s.explain(ctx, oe.Err)}
	}
	err = s.conf.Explain(err)
	var de *driver.Error
	if !errors.As(err, &de) {
		return err
	}
	if ctx.Err() != nil && (de.Kind == driver.Interrupted || de.Kind == driver.Busy) {
		return engine.ContextErr(ctx)
	}
	if driver.IsDiskFull(err) {
		return ioError("write "+s.path, err)
	}
	if driver.OutOfFiles(err) {
		return &engine.IOError{Op: "use " + s.path, Err: fmt.Errorf("close files, readers or other vaults, or raise the limit (ulimit -n): %w", de)}
	}
	switch de.Kind {
	case driver.Busy:
		who := "another process has"
		if s.opt.DisableWAL {
			who = "another process, or a snapshot of this one, has"
		}
		return fmt.Errorf("%w: %s locked %s; try again or raise the busy timeout (%v)", engine.ErrBusy, who, s.path, de)
	case driver.IO, driver.CannotOpen:
		return &engine.IOError{Op: "use " + s.path, Err: de}
	case driver.Corrupt:
		return fmt.Errorf("%w: %s: %v%s", engine.ErrCorrupt, s.path, de, s.cutOff())
	case driver.NotADatabase:
		return fmt.Errorf("%w: %s is not an SQLite database, or its header is damaged (%v)%s", engine.ErrCorrupt, s.path, de, s.cutOff())
	case driver.ReadOnly, driver.HotJournal:
		return fmt.Errorf("%w: %s cannot be written (%v)", engine.ErrReadOnly, s.path, de)
	case driver.TooBig:
		return fmt.Errorf("%w for SQLite (%v)", engine.ErrTooLarge, de)
	case driver.BadSchema:
		return fmt.Errorf("%w: the tables in %s are not as a vault has them (%v)", engine.ErrCorrupt, s.path, de)
	case driver.BadPath:
		return fmt.Errorf("%v: %w", de, engine.ErrInvalid)
	case driver.Moved:
		return fmt.Errorf("%w: %v; put it back and try again, or close the vault and open it anew", engine.ErrMoved, de)
	case driver.Linked:
		return fmt.Errorf("%v%s: %w", de, secondName, engine.ErrInvalid)
	case driver.Overwritten:
		return fmt.Errorf("%w: %v; its log, %s-wal, is of the file as it was before. Close the vault, and restore a backup or salvage the file",
			engine.ErrCorrupt, de, s.path)
	case driver.Constraint:
		return fmt.Errorf("a constraint of the table, or of its columns, does not allow that (%v): %w", de, engine.ErrInvalid)
	case driver.OutOfMemory:
		return fmt.Errorf("%w for the memory of a connection; read or write it as a stream (%v)", engine.ErrTooLarge, de)
	}
	return fmt.Errorf("%s: %w", s.path, de)
}

// cutOff says, behind an error of a damaged file, that it is shorter than its header says.
func (s *Store) cutOff() string {
	if s.conf.Memory {
		return ""
	}
	f, err := os.Open(s.conf.Path)
	if err != nil {
		return ""
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	var h [100]byte
	n, _ := f.ReadAt(h[:], 0)
	if magic := []byte("SQLite format 3\x00"); n < len(magic) || !bytes.HasPrefix(h[:], magic) {
		return ""
	}
	size := int64(binary.BigEndian.Uint16(h[16:]))
	if size == 1 {
		size = 65536
	}
	if want := size * int64(binary.BigEndian.Uint32(h[28:])); n < len(h) || info.Size() < want {
		return fmt.Sprintf("; the file was cut off: it has %d bytes, and should have %d. Restore a backup, or salvage what is left",
			info.Size(), max(want, int64(len(h))))
	}
	return ""
}

// errNoRoom is what callers match, whatever it is that keeps a file from growing.
var errDiskFull = fmt.Errorf("%w, or a quota or the limit on the length of a file is reached", syscall.ENOSPC)

// ioError is the failure of op, with the way out if space is what it lacked.
func ioError(op string, err error) error {
	if driver.IsDiskFull(err) {
		err = fmt.Errorf("%w; free some space and try again (%v)", errDiskFull, err)
	}
	return &engine.IOError{Op: op, Err: err}
}

// tempError is a failure to keep something in a temporary file.
func tempError(err error) error {
	if driver.IsDiskFull(err) {
		err = fmt.Errorf("%w; free some space there, or name another folder by TMPDIR (%v)", errDiskFull, err)
	}
	return &engine.IOError{Op: "write a temporary file in " + os.TempDir(), Err: err}
}

// rebuildError explains why the file could not be rebuilt. Which of the two places had no room,
// SQLite does not say.
func (s *Store) rebuildError(err error) error {
	if !driver.IsDiskFull(err) {
		return err
	}
	return &engine.IOError{Op: "rebuild " + s.path, Err: fmt.Errorf("%w; free some space and try again: as much is needed as the vault is large, beside it and in %s, which TMPDIR names (%v)",
		errDiskFull, cmp.Or(os.Getenv("SQLITE_TMPDIR"), os.TempDir()), err)}
}
