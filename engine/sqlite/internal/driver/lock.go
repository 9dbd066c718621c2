package driver

import (
	"context"
	"errors"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/walvfs"
)

// LockExclusive locks the database at path against all other connections until the Conn is closed.
// It does not look at what the file holds, which may be damaged. The Conn is good for nothing else.
func LockExclusive(ctx context.Context, cfg Config) (*Conn, error) {
	cfg.VFS = walvfs.BlankName
	c, err := Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	// Without a journal in memory SQLite would make one in place of the database's own.
	if err := c.Exec(`PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE`); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}
