package driver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

// MendLog writes the log again and syncs it, if a sync failed. Begin does so for a transaction that writes. No checkpoint changes the file
// before: of a log with a gap a power cut leaves what is before the gap, which is older than the file.
func (c *Conn) MendLog() error {
	if log := c.log(); log == nil || !log.trust.distrusted() {
		return nil
	}
	return errors.Join(c.Begin(true), c.Rollback())
}

// mendLog is MendLog within a transaction that writes.
func (c *Conn) mendLog() error {
	log := c.log()
	if log == nil || !log.trust.distrusted() {
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

// sync syncs the file, and before that writes once more what may be lost of a distrusted log. Without the lock for writing others may be changing it:
// what needs the sync then must wait.
func (f *logFile) sync(flags vfs.SyncFlag) error {
	pending := f.trust.begin()
	if pending.failed {
		if err := f.rewrite(pending); err != nil {
			f.trust.drop(pending)
			return err
		}
	}
	err := f.File.Sync(flags)
	if durable := f.trust.finish(pending, err); err == nil && !durable {
		return sqlite3.IOERR_FSYNC
	}
	return err
}

// rewrite writes the log over itself, but for what is known to be durable: a power cut may leave anything in place of what is being written.
func (f *logFile) rewrite(pending *pendingSync) error {
	if !f.committing && !f.alone() {
		return sqlite3.IOERR_FSYNC
	}
	head := make([]byte, logHeader)
	if _, err := f.File.ReadAt(head, 0); err != nil && err != io.EOF {
		return err
	}
	from := int64(0)
	if pending.salts == salts(head[16:]) {
		from = pending.from
	}
	return rewrite(f.File, from)
}

// rewrite writes all of a file from an offset on over itself.
func rewrite(file vfs.File, from int64) error {
	size, err := file.Size()
	p := make([]byte, max(0, min(size-from, gatherBytes)))
	for off := from; err == nil && off < size; off += int64(len(p)) {
		p = p[:min(int64(len(p)), size-off)]
		if _, err = file.ReadAt(p, off); err == nil {
			_, err = file.WriteAt(p, off)
		}
	}
	return err
}

// mendLast mends a log that SQLite could not sync when the last connection closed: another process knows nothing of that.
func (f *logFile) mendLast() error {
	if !f.trust.distrusted() || !f.alone() {
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
