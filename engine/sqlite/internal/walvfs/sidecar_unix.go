//go:build unix

package walvfs

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/ncruces/go-sqlite3/vfs"
	"golang.org/x/sys/unix"
)

// mayMakeLog says whether this process may make a log, and its shared memory, for a database. One
// that may not write the database would make files of its own user, which the database's owner
// cannot use: the owner could write nothing as long as they are there.
func mayMakeLog(database string) bool {
	err := unix.Faccessat(unix.AT_FDCWD, database, unix.W_OK, unix.AT_EACCESS)
	return err != unix.EACCES && err != unix.EPERM && err != unix.EROFS
}

// makeSidecars makes the journal or the log that SQLite is about to open, if there is none, and
// with a log its shared memory, which SQLite opens next: while the connection holds its lock on the
// database, no other SQLite removes either. The mode that the umask gives would show the values in
// them to other users than the database does, or lock its owner out.
//
// What goes wrong here goes wrong once more when SQLite opens the file, and is reported then.
func makeSidecars(name *vfs.Filename, flags vfs.OpenFlag) {
	if flags&vfs.OPEN_CREATE == 0 || flags&(vfs.OPEN_WAL|vfs.OPEN_MAIN_JOURNAL) == 0 {
		return
	}
	database := name.Database()
	like, err := os.Stat(database)
	if err != nil {
		return
	}
	_ = makeLike(name.String(), like)
	if flags&vfs.OPEN_WAL != 0 {
		_ = makeLike(database+"-shm", like)
	}
}

// makeLike makes an empty file for those who may use the file that like is of. It leaves a file
// alone that is there.
func makeLike(path string, like fs.FileInfo) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(Liken(f, like), f.Close())
}

// Liken gives a file the owner, the group and the mode of another, as far as the process may. The
// file is to be one that only its owner may use so far. Where the group cannot be given, the file's
// own group may do no more with it than everybody.
func Liken(f *os.File, like fs.FileInfo) error {
	mode := like.Mode().Perm()
	if sys, ok := like.Sys().(*syscall.Stat_t); ok {
		if f.Chown(int(sys.Uid), int(sys.Gid)) != nil && f.Chown(-1, int(sys.Gid)) != nil {
			mode = mode&^0o070 | mode&(mode&0o007<<3)
		}
	}
	return f.Chmod(mode)
}
