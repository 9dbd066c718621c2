package driver

import (
	"errors"
	"sync"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

// logVFS is the file system layer for connections without a memory map.
const logVFS = "kvault"

func init() { vfs.Register(logVFS, Gather(plainVFS{vfs.Find("os").(vfs.VFSFilename)})) }

// Gather is v with write-ahead logs whose frames reach the file a commit at a time. SQLite writes each frame as a header and a
// page; as one write, the pages of a small commit cost half as much. The logs grow in steps of 32 KiB, or 256 KiB if commits are synced.
func Gather(v vfs.VFSFilename) vfs.VFSFilename { return GatherGrowing(v, growBytes, growSyncedBytes) }

// GatherGrowing is Gather with logs that grow in steps of other lengths, 0 for none.
func GatherGrowing(v vfs.VFSFilename, step, synced int64) vfs.VFSFilename {
	return gatherVFS{v, growth{step: step, syncedStep: synced}}
}

type gatherVFS struct {
	vfs.VFSFilename
	growth growth
}

func (v gatherVFS) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	isLog, isJournal := flags&vfs.OPEN_WAL != 0, flags&vfs.OPEN_MAIN_JOURNAL != 0
	if _, failed := failedJournals.Load(name.String()); isJournal && failed && flags&vfs.OPEN_READWRITE != 0 {
		flags |= vfs.OPEN_CREATE // so that the next sync is one of its name, too
	}
	f, flags, err := v.VFSFilename.OpenFilename(name, flags)
	if err == nil && isJournal {
		return journalFile{f, name.String()}, flags, nil
	}
	if err != nil || !isLog || f.DeviceCharacteristics()&vfs.IOCAP_POWERSAFE_OVERWRITE == 0 {
		return f, flags, err // without that, SQLite writes parts of frames
	}
	if database := name.DatabaseFile(); database != nil {
		log := &logFile{File: f, of: database, path: name.String(), growth: v.growth, trust: trustIn(name.String())}
		logs.Store(database, log)
		f = log
	}
	return f, flags, nil
}

// Delete removes a file, and what is known of it if it is a log.
func (v gatherVFS) Delete(name string, syncDir bool) error {
	err := v.VFSFilename.Delete(name, syncDir)
	if err == nil {
		trusts.Delete(name)
	}
	return err
}

const (
	// logHeader is the length of what precedes the first frame.
	logHeader = 32
	// frameHeader is the length of what precedes each page in the log; its second word is not 0 in the last frame of a commit. See
	// https://www.sqlite.org/fileformat2.html#the_write_ahead_log.
	frameHeader = 24
	// gatherBytes is how much of a large commit is gathered at a time.
	gatherBytes = 128 << 10
)

// logFile is a write-ahead log that keeps the frames of a commit in memory until they are many or the last one has come. SQLite tells
// others of a commit only after that frame was written, so nobody looks for a frame that is still here. An error comes
// out at that frame at the latest, and the commit fails.
//
// It keeps nothing but while Conn.Commit runs: pages that leave the cache before may belong to a transaction that is undone without
// a word to this file, and they must not be written when the log is somebody else's. Of a commit it keeps only frames that
// continue where the last write ended; all else, such as headers that are written anew because a page changed twice, goes to the file at
// once, after what was kept.
type logFile struct {
	vfs.File
	of         vfs.File // the database
	path       string
	trust      *trust
	buf        []byte
	committing bool  // says that Commit runs
	next       int64 // where the last write of the commit ended, gathered or not; -1 if that is not known
	// inFrame says that a header was gathered and its page comes next, last that the frame ends the commit, parted that some of the
	// commit was written before that.
	inFrame, last, parted bool
	growth                growth
}

// begin has frames gathered until end is called.
func (f *logFile) begin() { f.committing, f.next, f.last, f.parted = true, -1, false, false }

// end throws away what a commit left that failed. SQLite has undone it.
func (f *logFile) end() { f.committing, f.inFrame, f.buf = false, false, f.buf[:0] }

func (f *logFile) Close() error {
	logs.CompareAndDelete(f.of, f)
	return errors.Join(f.mendLast(), f.File.Close())
}

func (f *logFile) WriteAt(p []byte, off int64) (int, error) {
	switch {
	case !f.committing:
		return f.write(p, off)
	case f.inFrame && off == f.next:
		return f.gather(p, f.last || len(f.buf)+len(p) >= gatherBytes)
	case len(p) == frameHeader && (off == f.next || f.next < 0):
		f.next = off
		n, err := f.gather(p, false)
		f.trust.begins(salts(p[8:]))
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

// write writes what is not gathered.
func (f *logFile) write(p []byte, off int64) (int, error) {
	switch {
	case len(p) == frameHeader:
		f.trust.begins(salts(p[8:]))
	case len(p) == logHeader && off == 0:
		f.trust.begins(salts(p[16:]))
	}
	f.trust.wrote(off, len(p))
	defer f.trust.wrote(off, len(p)) // once more: a sync may have begun before it was written
	return f.File.WriteAt(p, off)
}

// gather keeps p, which follows what is there, and writes all if it is the last.
func (f *logFile) gather(p []byte, last bool) (int, error) {
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

// flush writes what was gathered. If that fails it is gone, as the commit is that it belongs to.
func (f *logFile) flush() error {
	whole := f.last && !f.inFrame && !f.parted
	f.inFrame = false
	if len(f.buf) == 0 {
		return nil
	}
	var err error
	off, n := f.next-int64(len(f.buf)), len(f.buf)
	f.trust.wrote(off, n)
	defer f.trust.wrote(off, n)
	if whole {
		f.buf, err = f.growth.write(f.File, f.buf, off)
	} else {
		_, err = f.File.WriteAt(f.buf, off)
	}
	f.buf, f.parted = f.buf[:0], true
	return err
}

func (f *logFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.flush(); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, off)
}

func (f *logFile) Truncate(size int64) error {
	if err := f.flush(); err != nil {
		return err
	}
	f.growth.known = 0
	return f.File.Truncate(size)
}

func (f *logFile) Sync(flags vfs.SyncFlag) error {
	if err := f.flush(); err != nil {
		return err
	}
	f.growth.synced = f.growth.synced || f.committing && f.last
	return f.sync(flags)
}

func (f *logFile) Size() (int64, error) {
	if err := f.flush(); err != nil {
		return 0, err
	}
	return f.File.Size()
}

// logs are the open logs, by the file of their database.
var logs sync.Map

// log is the write-ahead log of the connection, or nil if it has none open.
func (c *Conn) log() *logFile {
	if f, ok := logs.Load(c.mainFile()); ok {
		return f.(*logFile)
	}
	return nil
}

// mainFile is the file of the database.
func (c *Conn) mainFile() vfs.File {
	if c.file == nil {
		file, err := c.c.FileControl("main", sqlite3.FCNTL_FILE_POINTER)
		if err != nil {
			return nil
		}
		c.file, _ = file.(vfs.File)
	}
	return c.file
}
