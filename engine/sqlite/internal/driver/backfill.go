package driver

import (
	"errors"
	"fmt"

	"github.com/ncruces/go-sqlite3/vfs"
)

// RepairLog repairs the log if a sync of it failed. Begin does so for a transaction that writes. No
// checkpoint may change the database file before: package walvfs says why.
func (c *Conn) RepairLog() error {
	if log := c.log(); log == nil || !log.NeedsRepair() {
		return nil
	}
	return errors.Join(c.Begin(true), c.Rollback())
}

// repairLog is RepairLog within a transaction that writes.
func (c *Conn) repairLog() error {
	log := c.log()
	if log == nil || !log.NeedsRepair() {
		return nil
	}
	err := log.Repair(func() (uint32, bool) {
		state, ok := c.latest()
		return state.frames(), ok
	})
	if err != nil {
		return &Error{Kind: IO, err: fmt.Errorf("write the log again, which could not be synced: %w", err)}
	}
	return nil
}

// CanSyncBackfill says whether SyncBackfill works on this connection.
func (c *Conn) CanSyncBackfill() bool {
	c.latest() // opens the index if no call has done so
	return c.hold.index != nil && c.mainFile() != nil
}

// SyncBackfill makes durable what Checkpoint has copied into the file. SQLite does so itself only
// when it has copied the whole log, before it may begin the log anew. After an error no frame
// counts as copied, and the next checkpoint copies all of them again: a later sync of the same
// pages may succeed without writing them.
func (c *Conn) SyncBackfill() (err error) {
	defer guard(c, &err)
	if !c.CanSyncBackfill() {
		return errors.ErrUnsupported
	}
	if err := c.mainFile().Sync(vfs.SYNC_FULL); err != nil {
		return errors.Join(err, c.forgetBackfill())
	}
	return nil
}

// forgetBackfill has the next checkpoint copy the log from its beginning, where that can be done.
func (c *Conn) forgetBackfill() error {
	if !c.CanSyncBackfill() {
		return nil
	}
	return c.hold.index.forgetBackfill(c.c.Filename("main").String())
}
