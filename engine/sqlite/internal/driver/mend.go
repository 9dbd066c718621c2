package driver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

// distrusted are the logs, by path, of which a sync failed, each with what stands for that failure. The system may take for written from
// then on what it could not write, as Linux does: no later sync makes up for it, of whatever connection.
var distrusted sync.Map

// MendLog writes the log again and syncs it, if a sync failed. Begin does so for a transaction that writes. No checkpoint changes the file
// before: of a log with a gap a power cut leaves what is before the gap, which is older than the file.
func (c *Conn) MendLog() error {
	if log := c.log(); log == nil || !log.distrusted() {
		return nil
	}
	return errors.Join(c.Begin(true), c.Rollback())
}

// mendLog is MendLog within a transaction that writes.
func (c *Conn) mendLog() error {
	log := c.log()
	if log == nil || !log.distrusted() {
		return nil
	}
	log.begin()
	defer log.end()
	err := c.dropRefused(log)
	if err == nil {
		err = log.Sync(vfs.SYNC_FULL)
	}
	if err != nil {
		return &Error{Kind: IO, err: fmt.Errorf("write the log again, which could not be synced: %w", err)}
	}
	return nil
}

// dropRefused spoils what lies behind the last commit, where that can be told. It is of a commit that was refused, which would be back, once it is
// synced, if the log were recovered.
func (c *Conn) dropRefused(log *logFile) error {
	state, ok := c.latest()
	if !ok {
		return nil
	}
	head := make([]byte, logHeader)
	if _, err := log.File.ReadAt(head, 0); err != nil {
		if err == io.EOF { // of no frame
			err = nil
		}
		return err
	}
	behind := logHeader + int64(state.frames())*(frameHeader+int64(binary.BigEndian.Uint32(head[8:])))
	size, err := log.File.Size()
	if err == nil && behind+frameHeader <= size {
		_, err = log.File.WriteAt(make([]byte, frameHeader), behind)
	}
	return err
}

func (f *logFile) distrusted() bool {
	_, failed := distrusted.Load(f.path)
	return failed
}

// sync syncs the file, and writes all of a distrusted log once more before. Without the lock for writing others may be changing it: what
// needs the sync then must wait.
func (f *logFile) sync(flags vfs.SyncFlag) error {
	failure, failed := distrusted.Load(f.path)
	if failed {
		if err := f.rewrite(); err != nil {
			return err
		}
	}
	if err := f.File.Sync(flags); err != nil {
		distrusted.Store(f.path, new(byte))
		return err
	}
	if failed {
		distrusted.CompareAndDelete(f.path, failure)
	}
	if f.distrusted() { // since a sync of another connection, meanwhile
		return sqlite3.IOERR_FSYNC
	}
	return nil
}

func (f *logFile) rewrite() error {
	if !f.committing && !f.alone() {
		return sqlite3.IOERR_FSYNC
	}
	size, err := f.File.Size()
	p := make([]byte, min(size, gatherBytes))
	for off := int64(0); err == nil && off < size; off += int64(len(p)) {
		p = p[:min(int64(len(p)), size-off)]
		if _, err = f.File.ReadAt(p, off); err == nil {
			_, err = f.File.WriteAt(p, off)
		}
	}
	return err
}

// mendLast mends a log that SQLite could not sync when the last connection closed: another process knows nothing of that.
func (f *logFile) mendLast() error {
	if !f.distrusted() || !f.alone() {
		return nil
	}
	return f.sync(vfs.SYNC_FULL)
}

// alone says whether the connection has the database for itself, as the last one has while it closes.
func (f *logFile) alone() bool {
	file := f.of
	if wrapper, ok := file.(vfs.FileUnwrap); ok { // the driver's own wrapper tells nothing of locks
		file = wrapper.Unwrap()
	}
	database, ok := file.(vfs.FileLockState)
	return ok && database.LockState() == vfs.LOCK_EXCLUSIVE
}
