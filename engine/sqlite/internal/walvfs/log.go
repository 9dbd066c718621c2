package walvfs

import (
	"errors"
	"sync"

	"github.com/ncruces/go-sqlite3/vfs"
)

const (
	// logHeader is the length of what precedes the first frame.
	logHeader = 32
	// frameHeader is the length of what precedes each page in the log. Its second word is not 0 in
	// the last frame of a commit: https://sqlite.org/fileformat2.html#the_write_ahead_log.
	frameHeader = 24
	// coalesceBytes is the number of bytes of a commit that are kept in memory at a time.
	coalesceBytes = 128 << 10
)

// Log is a write-ahead log that coalesces the frames of a commit: it keeps them in memory until
// they are coalesceBytes or the last one has come, and writes them at once. SQLite writes each
// frame as a header and a page; as one write, the pages of a small commit cost half as much. SQLite
// shows a commit to other connections only after it wrote the last frame, so none of them looks for
// a frame that is still in memory. An error comes out at that frame at the latest, and the commit
// fails.
//
// It keeps nothing in memory except between Begin and End. Pages that leave SQLite's cache earlier
// may belong to a transaction that is rolled back without a word to this file, and they must not be
// written when another connection has the lock. Of a commit it keeps only frames that continue
// where the last write ended. Anything else goes to the file at once, after what was kept: for
// example a header that is written anew because its page changed twice.
type Log struct {
	vfs.File
	database   vfs.File
	path       string
	state      *syncState
	buf        []byte
	committing bool  // Begin was called
	next       int64 // where the last write of the commit ended, kept or not; -1 if that is not known
	// inFrame says that a header is in memory and its page comes next, last that the frame ends the
	// commit, parted that some of the commit was written before that.
	inFrame, last, parted bool
	space                 preallocation
}

// logs are the open logs, by the file of their database. FCNTL_JOURNAL_POINTER finds a log only if
// there is one: of a journal that is closed, or in memory, the SQLite library takes another word
// for the handle of a file, and may panic. Asking for the journal mode first takes more than this
// map.
var logs sync.Map

// LogOf returns the open log of a database file, or nil if it has none.
func LogOf(database vfs.File) *Log {
	if f, ok := logs.Load(database); ok {
		return f.(*Log)
	}
	return nil
}

// Begin has the log coalesce frames until End is called. The caller's connection is about to
// commit.
func (f *Log) Begin() { f.committing, f.next, f.last, f.parted = true, -1, false, false }

// End throws away what a commit left that failed. SQLite has rolled it back.
func (f *Log) End() { f.committing, f.inFrame, f.buf = false, false, f.buf[:0] }

// Close closes the file. It repairs the log before, if its connection is the last one.
func (f *Log) Close() error {
	logs.CompareAndDelete(f.database, f)
	return errors.Join(f.repairLast(), f.File.Close())
}

// WriteAt writes, or keeps what continues a commit.
func (f *Log) WriteAt(p []byte, off int64) (int, error) {
	switch {
	case !f.committing:
		return f.write(p, off)
	case f.inFrame && off == f.next:
		return f.keep(p, f.last || len(f.buf)+len(p) >= coalesceBytes)
	case len(p) == frameHeader && (off == f.next || f.next < 0):
		f.next = off
		n, err := f.keep(p, false)
		f.state.writing(salts(p[8:]))
		f.inFrame, f.last = true, p[4]|p[5]|p[6]|p[7] != 0
		return n, err
	}
	if err := f.flush(); err != nil {
		return 0, err
	}
	n, err := f.write(p, off)
	f.next = off + int64(len(p))
	return n, err
}

// write writes p at once.
func (f *Log) write(p []byte, off int64) (int, error) {
	switch {
	case len(p) == frameHeader:
		f.state.writing(salts(p[8:]))
	case len(p) == logHeader && off == 0:
		f.state.writing(salts(p[16:]))
	}
	f.state.wrote(off, len(p))
	defer f.state.wrote(off, len(p)) // once more: a sync may have begun before it was written
	return f.File.WriteAt(p, off)
}

// keep keeps p, which continues what is in memory, and writes all if it is the last.
func (f *Log) keep(p []byte, last bool) (int, error) {
	f.buf = append(f.buf, p...)
	f.next += int64(len(p))
	f.inFrame = false
	if last {
		if err := f.flush(); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// flush writes what is in memory. If that fails it drops it: the commit has failed.
func (f *Log) flush() error {
	whole := f.last && !f.inFrame && !f.parted
	f.inFrame = false
	if len(f.buf) == 0 {
		return nil
	}
	var err error
	off, n := f.next-int64(len(f.buf)), len(f.buf)
	f.state.wrote(off, n)
	defer f.state.wrote(off, n)
	if whole {
		f.buf, err = f.space.write(f.File, f.buf, off)
	} else {
		_, err = f.File.WriteAt(f.buf, off)
	}
	f.buf, f.parted = f.buf[:0], true
	return err
}

// ReadAt reads from the file, to which it first writes what is in memory.
func (f *Log) ReadAt(p []byte, off int64) (int, error) {
	if err := f.flush(); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, off)
}

// Truncate cuts the file off, or makes it longer.
func (f *Log) Truncate(size int64) error {
	if err := f.flush(); err != nil {
		return err
	}
	f.space.known = 0
	return f.File.Truncate(size)
}

// Sync makes the log durable, and repairs it before if an earlier sync failed.
func (f *Log) Sync(flags vfs.SyncFlag) error {
	if err := f.flush(); err != nil {
		return err
	}
	f.space.synced = f.space.synced || f.committing && f.last
	return f.sync(flags)
}

// Size returns the length of the file, in bytes.
func (f *Log) Size() (int64, error) {
	if err := f.flush(); err != nil {
		return 0, err
	}
	return f.File.Size()
}
