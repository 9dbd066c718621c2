package walvfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/ncruces/go-sqlite3/vfs"
)

// Access reports whether name is there. A log that belongs to another file is not there for SQLite,
// which plays any log with that name.
func (v coalescingVFS) Access(name string, flags vfs.AccessFlag) (bool, error) {
	there, err := v.VFSFilename.Access(name, flags)
	if err != nil || !there || flags != vfs.ACCESS_EXISTS || len(name) <= len(logSuffix) {
		return there, err
	}
	path := name[:len(name)-len(logSuffix)]
	if path+logSuffix != name {
		return true, nil
	}
	foreign, err := ForeignLog(path)
	return !foreign, err
}

// ForeignLog reports whether the write-ahead log in the folder of the database at path belongs to
// another file, such as one that a backup replaced. It does if the header of the database says that
// there is no log: SQLite changes the header, in the file itself, before it makes a log, and
// changes it back only after it removed the log. The answer lasts as long as the caller holds a
// lock on the file.
func ForeignLog(path string) (bool, error) {
	if info, err := os.Stat(path + logSuffix); err != nil || info.Size() == 0 {
		return false, ignore(err, fs.ErrNotExist)
	}
	return Logless(path)
}

// Logless reports whether the header of the database at path says that it has no write-ahead log.
// The answer lasts as long as that of ForeignLog.
func Logless(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, ignore(err, fs.ErrNotExist)
	}
	defer f.Close()
	header := make([]byte, 20)
	if _, err := io.ReadFull(f, header); err != nil {
		return false, ignore(ignore(err, io.EOF), io.ErrUnexpectedEOF)
	}
	isSQLite := strings.HasPrefix(string(header), headerMagic)
	return isSQLite && header[versionsAt] == 1 && header[versionsAt+1] == 1, nil
}

func ignore(err, target error) error {
	if errors.Is(err, target) {
		return nil
	}
	return err
}

const (
	headerMagic = "SQLite format 3\x00"
	// versionsAt is where the header has its write version and its read version: 1 without a
	// write-ahead log, 2 with one.
	versionsAt = 18
)

// MarkLogless writes to the header of a closed database that it has no write-ahead log. All of the
// log must be in the file.
func MarkLogless(f *os.File) error {
	_, err := f.WriteAt([]byte{1, 1}, versionsAt)
	return err
}

// SetLogAside renames the log of the database at path, which ForeignLog said is another file's, to
// its name with ".old" behind it. It replaces a file of that name.
func SetLogAside(path string) error {
	forgetSyncs(path + logSuffix)
	return os.Rename(path+logSuffix, path+logSuffix+".old")
}
