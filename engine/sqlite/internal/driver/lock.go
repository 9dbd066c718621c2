package driver

import (
	"context"
	"errors"
	"io"
	"io/fs"

	"github.com/ncruces/go-sqlite3/vfs"
)

// LockAlone locks the database at path against all other connections until the Conn is closed. It
// does not look at what the file holds, which may be damaged. The Conn is good for nothing else.
func LockAlone(ctx context.Context, cfg Config) (*Conn, error) {
	cfg.VFS = lockVFS
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

// lockVFS is the file system layer of LockAlone.
const lockVFS = "kvault-lock"

func init() { vfs.Register(lockVFS, blankVFS{vfs.Find("os").(vfs.VFSFilename)}) }

// blankVFS shows every file as empty, and writes nothing.
type blankVFS struct{ vfs.VFSFilename }

func (v blankVFS) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, flags, err := v.VFSFilename.OpenFilename(name, flags)
	if err != nil {
		return nil, flags, err
	}
	return blankFile{f}, flags, nil
}

// Access says that there is neither a log nor a journal. SQLite removes a log next to an empty database.
func (blankVFS) Access(string, vfs.AccessFlag) (bool, error) { return false, nil }

func (blankVFS) Delete(string, bool) error { return nil }

type blankFile struct{ vfs.File }

func (blankFile) ReadAt([]byte, int64) (int, error) { return 0, io.EOF }

func (blankFile) WriteAt([]byte, int64) (int, error) { return 0, fs.ErrPermission }

func (blankFile) Truncate(int64) error { return fs.ErrPermission }

func (blankFile) Sync(vfs.SyncFlag) error { return nil }

func (blankFile) Size() (int64, error) { return 0, nil }
