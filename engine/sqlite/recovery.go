package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/walvfs"
)

// setLogAside renames a write-ahead log that belongs to a file which this one replaced, before
// SQLite makes one for this file and plays the old one into it. The new name is durable before
// that. Connections that read need nothing of the kind: the driver hides the log from them.
func (s *Store) setLogAside(conn *driver.Conn) (err error) {
	if s.conf.Memory {
		return nil
	}
	path, err := filepath.EvalSymlinks(s.conf.Path)
	if err != nil {
		return nil // the file does not exist yet
	}
	if foreign, err := walvfs.ForeignLog(path); err != nil || !foreign {
		return err
	}
	// Under a lock that no other connection can have: another process may have just made the log of
	// this file.
	if err := conn.Exec(`BEGIN EXCLUSIVE`); err != nil {
		return err
	}
	defer func() {
		if end := conn.Rollback(); err == nil {
			err = end
		}
	}()
	if foreign, err := walvfs.ForeignLog(path); err != nil || !foreign {
		return err
	}
	if err := walvfs.SetLogAside(path); err != nil {
		return ioError("set the log of another file aside", err)
	}
	return syncFolder(filepath.Dir(path))
}

// readAttempts bounds how often one call reads anew.
const readAttempts = 5

// errAgain says that what was read is not of one state, and is to be read again.
var errAgain = errors.New("the file changed while it was read")

// attempt calls read until what it read is of one state.
func (s *Store) attempt(ctx context.Context, read func() error) (err error) {
	for range readAttempts {
		err = read()
		if driver.KindOf(err) == driver.HotJournal {
			if err := s.playBack(ctx); err != nil {
				return err
			}
			continue
		}
		if !errors.Is(err, errAgain) {
			return err
		}
	}
	return err
}

// playBack undoes the transaction of a program that was killed. SQLite does so on connections that
// write, and refuses to read on those that do not: until then the file holds a part of that
// transaction. The committed state stays what it was, so that a vault that is opened for reading
// does it too where it may write the file.
func (s *Store) playBack(ctx context.Context) error {
	conf := s.conf
	conf.ReadOnly, conf.MaxMemory = false, readerMemory(0, 0)
	conn, err := openSparing(ctx, conf, func(conn *driver.Conn) error {
		// What is played back is to be durable before the journal is removed.
		return conn.Exec(`PRAGMA fullfsync=1; SELECT 1 FROM sqlite_schema LIMIT 1`)
	})
	if err == nil {
		err = conn.Close()
	}
	switch driver.KindOf(err) {
	case driver.ReadOnly, driver.CannotOpen, driver.HotJournal:
		return fmt.Errorf("%w: a program was killed while it wrote %[2]s; its unfinished transaction must be undone from %[2]s-journal before "+
			"the file can be read, and this process may not write both (%[3]v): open the vault once as a user who may", engine.ErrReadOnly, s.path, err)
	}
	return err
}
