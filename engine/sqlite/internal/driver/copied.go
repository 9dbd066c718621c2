package driver

import (
	"errors"

	"github.com/ncruces/go-sqlite3/vfs"
)

// CanSyncCopied says whether SyncCopied works on this connection.
func (c *Conn) CanSyncCopied() bool {
	c.latest() // looks for the index if nobody has
	return c.hold.index != nil && c.mainFile() != nil
}

// SyncCopied makes durable what Checkpoint has copied into the file. SQLite does so itself only when it has copied the whole of the
// log, before the log may begin anew. After an error nothing of the log counts as copied, and the next checkpoint copies all of
// it again: a system that could not write pages may take them for written from then on.
func (c *Conn) SyncCopied() (err error) {
	defer guard(c, &err)
	if !c.CanSyncCopied() {
		return errors.ErrUnsupported
	}
	if err := c.mainFile().Sync(vfs.SYNC_FULL); err != nil {
		return errors.Join(err, c.forgetCopied())
	}
	return nil
}

// forgetCopied has the next checkpoint copy the log from its beginning, where that can be done.
func (c *Conn) forgetCopied() error {
	if !c.CanSyncCopied() {
		return nil
	}
	return c.hold.index.forgetCopied(c.c.Filename("main").String())
}
