package driver

import "github.com/ncruces/go-sqlite3/vfs"

// logVFS is the file system layer for connections that write.
const logVFS = "kvault"

func init() { vfs.Register(logVFS, Gather(plainVFS{vfs.Find("os").(vfs.VFSFilename)})) }

// Gather is v with write-ahead logs whose frames reach the file a commit at a time. SQLite writes each frame as a header and a
// page; as one write, the pages of a small commit cost half as much.
func Gather(v vfs.VFSFilename) vfs.VFSFilename { return gatherVFS{v} }

type gatherVFS struct{ vfs.VFSFilename }

func (v gatherVFS) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	isLog := flags&vfs.OPEN_WAL != 0
	f, flags, err := v.VFSFilename.OpenFilename(name, flags)
	if err == nil && isLog {
		f = &logFile{File: f, next: -1}
	}
	return f, flags, err
}

const (
	// frameHeader is the length of what precedes each page in the log; its second word is not 0 in the last frame of a commit. See
	// https://www.sqlite.org/fileformat2.html#the_write_ahead_log.
	frameHeader = 24
	// gatherBytes is how much of a large commit is gathered at a time.
	gatherBytes = 128 << 10
)

// logFile is a write-ahead log that keeps frames in memory until they are many or the last one of a commit has come. SQLite tells
// others of a commit only after that frame was written, so nobody looks for a frame that is still here. An error comes
// out at that frame at the latest, and the commit fails.
//
// Only frames that continue where the last write ended are kept; all else, such as headers that are written anew because a page
// changed twice in a transaction, goes to the file at once, after what was kept.
type logFile struct {
	vfs.File
	buf  []byte
	next int64 // where the last write ended, gathered or not; -1 if that is not known
	// inFrame says that a header was gathered and its page comes next, commit that the frame ends a commit.
	inFrame, commit bool
}

func (f *logFile) WriteAt(p []byte, off int64) (int, error) {
	switch {
	case off != f.next:
	case f.inFrame:
		return f.gather(p, f.commit || len(f.buf)+len(p) >= gatherBytes)
	case len(p) == frameHeader:
		n, err := f.gather(p, false)
		f.inFrame, f.commit = true, p[4]|p[5]|p[6]|p[7] != 0
		return n, err
	}
	if err := f.flush(); err != nil {
		return 0, err
	}
	n, err := f.File.WriteAt(p, off)
	f.next = off + int64(len(p))
	if err != nil {
		f.next = -1
	}
	return n, err
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

// flush writes what was gathered. If that fails it is gone, as the transaction is that it belongs to.
func (f *logFile) flush() error {
	f.inFrame = false
	if len(f.buf) == 0 {
		return nil
	}
	_, err := f.File.WriteAt(f.buf, f.next-int64(len(f.buf)))
	f.buf = f.buf[:0]
	if err != nil {
		f.next = -1
	}
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
	f.next = -1
	return f.File.Truncate(size)
}

func (f *logFile) Sync(flags vfs.SyncFlag) error {
	if err := f.flush(); err != nil {
		return err
	}
	return f.File.Sync(flags)
}

func (f *logFile) Size() (int64, error) {
	if err := f.flush(); err != nil {
		return 0, err
	}
	return f.File.Size()
}
