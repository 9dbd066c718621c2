// Package faultfs holds file system layers under SQLite for tests: one whose operations fail as
// planned, and one that tells what a power cut would leave. No production package imports it.
//
// The locks on the shared memory of a write-ahead log cannot be made to fail: the driver keeps them
// to itself.
package faultfs

import (
	"sync"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/walvfs"
)

// Op is a kind of file operation.
type Op uint8

// The operations that can fail.
const (
	Read Op = iota
	Write
	Sync
	Truncate
	Lock
	Delete
	Open
	Access
	Size
	ops
)

func (op Op) String() string {
	return [ops]string{"read", "write", "sync", "truncate", "lock", "delete", "open", "access", "size"}[op]
}

// Fault plans failures. The zero Fault plans none.
type Fault struct {
	Op Op
	// Nth is which operation of the kind fails, counted from 1 when the fault is armed; 0 is none.
	Nth int64
	// Forever makes all later ones of the kind fail too.
	Forever bool
	// Full reports a full disk in place of an I/O error.
	Full bool
	// Short lets a write that fails put the first half of its bytes into the file.
	Short bool
}

// FS is a file system whose operations can be made to fail. It is safe for concurrent use. What is
// written goes to the files of the operating system, but syncs do not: only a power cut could tell,
// for which there is Disk, and thousands of them take longer than all else.
type FS struct {
	vfs.VFSFilename

	mu    sync.Mutex
	armed bool
	fault Fault
	seen  [ops]int64
	fired bool
}

// New registers a file system as name, under which SQLite finds it, over that of the operating
// system.
func New(name string) *FS {
	fs := &FS{VFSFilename: vfs.Find("os").(vfs.VFSFilename)}
	vfs.Register(name, walvfs.Coalesce(fs))
	return fs
}

// Arm makes f count from now on, in place of the fault before it.
func (fs *FS) Arm(f Fault) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.armed, fs.fault, fs.seen, fs.fired = true, f, [ops]int64{}, false
}

// Disarm lets everything succeed again, and says whether anything failed since Arm.
func (fs *FS) Disarm() bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.armed = false
	return fs.fired
}

// Seen is how many operations of a kind there were between Arm and Disarm.
func (fs *FS) Seen(op Op) int64 {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.seen[op]
}

// codes are SQLite's for an operation that failed.
var codes = [ops]sqlite3.ExtendedErrorCode{sqlite3.IOERR_READ, sqlite3.IOERR_WRITE, sqlite3.IOERR_FSYNC, sqlite3.IOERR_TRUNCATE,
	sqlite3.IOERR_LOCK, sqlite3.IOERR_DELETE, sqlite3.CANTOPEN_FULLPATH,
	sqlite3.IOERR_ACCESS, sqlite3.IOERR_FSTAT}

// fail returns the error of the operation at hand, and whether half of it takes place all the same.
func (fs *FS) fail(op Op) (short bool, err error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if !fs.armed {
		return false, nil
	}
	fs.seen[op]++
	f := fs.fault
	if f.Nth == 0 || f.Op != op || fs.seen[op] < f.Nth || fs.seen[op] > f.Nth && !f.Forever {
		return false, nil
	}
	fs.fired = true
	if f.Full {
		return f.Short, sqlite3.FULL
	}
	return f.Short, codes[op]
}

// OpenFilename opens a file of which every operation may fail.
func (fs *FS) OpenFilename(
	name *vfs.Filename, flags vfs.OpenFlag,
) (vfs.File, vfs.OpenFlag, error) {
	if _, err := fs.fail(Open); err != nil {
		return nil, flags, err
	}
	f, flags, err := fs.VFSFilename.OpenFilename(name, flags)
	if err != nil {
		return nil, flags, err
	}
	return &file{osFile: f.(osFile), fs: fs}, flags, nil
}

// Delete removes a file.
func (fs *FS) Delete(name string, _ bool) error {
	if _, err := fs.fail(Delete); err != nil {
		return err
	}
	return fs.VFSFilename.Delete(name, false)
}

// Access looks whether a file is there.
func (fs *FS) Access(name string, flags vfs.AccessFlag) (bool, error) {
	if _, err := fs.fail(Access); err != nil {
		return false, err
	}
	return fs.VFSFilename.Access(name, flags)
}
