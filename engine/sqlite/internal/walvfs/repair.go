package walvfs

import (
	"encoding/binary"
	"io"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

// NeedsRepair says whether a sync of the log failed, of any connection of this process, and the log
// was not repaired since. Then no connection may change the database file: of a log with a gap a
// power cut leaves what precedes the gap, which is older than the file, and SQLite would play it
// back.
func (f *Log) NeedsRepair() bool { return f.state.needsRepair() }

// Repair writes the part of the log over itself that no sync covers, and syncs it. The caller holds
// SQLite's lock for writing. committed returns the number of frames up to the end of the last
// commit, or false if that cannot be told. The frames behind it belong to a commit that was
// refused, and Repair spoils them: if SQLite recovered the log it would bring that commit back.
func (f *Log) Repair(committed func() (frames uint32, ok bool)) error {
	f.Begin()
	defer f.End()
	if frames, ok := committed(); ok {
		if err := f.spoilBehind(frames); err != nil {
			return err
		}
	}
	return f.Sync(vfs.SYNC_FULL)
}

// spoilBehind makes the header of the frame that follows so many others no header.
func (f *Log) spoilBehind(frames uint32) error {
	head := make([]byte, logHeader)
	if _, err := f.File.ReadAt(head, 0); err != nil {
		if err == io.EOF { // the log has no frame
			err = nil
		}
		return err
	}
	page := int64(binary.BigEndian.Uint32(head[8:]))
	behind := logHeader + int64(frames)*(frameHeader+page)
	size, err := f.File.Size()
	if err == nil && behind+frameHeader <= size {
		_, err = f.File.WriteAt(make([]byte, frameHeader), behind)
	}
	return err
}

// sync syncs the file. If the log needs repair it first writes again what may be lost. Without
// SQLite's lock for writing another connection may be changing the log: the caller's sync then
// fails, and what needs it must wait.
func (f *Log) sync(flags vfs.SyncFlag) error {
	pending := f.state.begin()
	if pending.failed {
		if err := f.rewrite(pending); err != nil {
			f.state.drop(pending)
			return err
		}
	}
	err := f.File.Sync(flags)
	if durable := f.state.finish(pending, err); err == nil && !durable {
		return sqlite3.IOERR_FSYNC
	}
	return err
}

// rewrite writes the log over itself, except what is known to be durable: a power cut may leave
// anything in place of what is being written.
func (f *Log) rewrite(pending *pendingSync) error {
	if !f.committing && !f.exclusive() {
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
	p := make([]byte, max(0, min(size-from, coalesceBytes)))
	for off := from; err == nil && off < size; off += int64(len(p)) {
		p = p[:min(int64(len(p)), size-off)]
		if _, err = file.ReadAt(p, off); err == nil {
			_, err = file.WriteAt(p, off)
		}
	}
	return err
}

// repairLast repairs a log that SQLite could not sync when the last connection closed: the process
// that opens it next knows nothing of the failure.
func (f *Log) repairLast() error {
	if !f.NeedsRepair() || !f.exclusive() {
		return nil
	}
	return f.sync(vfs.SYNC_FULL)
}

// exclusive says whether the connection has the database for itself, as the last one has while it
// closes.
func (f *Log) exclusive() bool {
	file := f.database
	// The SQLite library wraps the file of a database, and its wrapper tells nothing of locks.
	if wrapper, ok := file.(vfs.FileUnwrap); ok {
		file = wrapper.Unwrap()
	}
	database, ok := file.(vfs.FileLockState)
	return ok && database.LockState() == vfs.LOCK_EXCLUSIVE
}
