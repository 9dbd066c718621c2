package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
)

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
