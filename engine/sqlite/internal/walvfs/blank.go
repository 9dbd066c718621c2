package walvfs

import (
	"io"
	"io/fs"

	"github.com/ncruces/go-sqlite3/vfs"
)

// blankVFS shows every file as empty, and writes nothing. A connection on it locks a database
// without looking at what the file holds.
type blankVFS struct{ vfs.VFSFilename }

func (v blankVFS) OpenFilename(
	name *vfs.Filename, flags vfs.OpenFlag,
) (vfs.File, vfs.OpenFlag, error) {
	f, flags, err := v.VFSFilename.OpenFilename(name, flags)
	if err != nil {
		return nil, flags, err
	}
	return blankFile{f}, flags, nil
}

// Access says that there is neither a log nor a journal. SQLite removes a log next to an empty
// database.
func (blankVFS) Access(string, vfs.AccessFlag) (bool, error) { return false, nil }

func (blankVFS) Delete(string, bool) error { return nil }

type blankFile struct{ vfs.File }

func (blankFile) ReadAt([]byte, int64) (int, error) { return 0, io.EOF }

func (blankFile) WriteAt([]byte, int64) (int, error) { return 0, fs.ErrPermission }

func (blankFile) Truncate(int64) error { return fs.ErrPermission }

func (blankFile) Sync(vfs.SyncFlag) error { return nil }

func (blankFile) Size() (int64, error) { return 0, nil }
