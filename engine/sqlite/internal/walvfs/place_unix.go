//go:build unix

package walvfs

import (
	"io/fs"
	"runtime"
	"syscall"

	"github.com/ncruces/go-sqlite3/vfs"
	"golang.org/x/sys/unix"
)

// stateAt is the state of the file that path leads to.
func stateAt(path string) (FileState, error) {
	var st syscall.Stat_t
	for {
		switch err := syscall.Stat(path, &st); err {
		case nil:
			return stateFrom(&st), nil
		case syscall.EINTR:
		case syscall.ENOTDIR: // a folder of the path was replaced
			return FileState{}, &fs.PathError{Op: "stat", Path: path, Err: fs.ErrNotExist}
		default:
			return FileState{}, &fs.PathError{Op: "stat", Path: path, Err: err}
		}
	}
}

// StateOf returns the state of an open file, unless it is none of the system. The caller keeps it
// from being closed meanwhile.
func StateOf(file any) (state FileState, ok bool) {
	if wrapper, is := file.(vfs.FileUnwrap); is {
		file = wrapper.Unwrap()
	}
	// SyscallConn, which *os.File has too, would allocate at every commit.
	f, is := file.(interface{ Fd() uintptr })
	if !is {
		return state, false
	}
	var st syscall.Stat_t
	for {
		switch syscall.Fstat(int(f.Fd()), &st) {
		case nil:
			runtime.KeepAlive(f)
			return stateFrom(&st), true
		case syscall.EINTR:
		default:
			return state, false
		}
	}
}

func stateFrom(st *syscall.Stat_t) FileState {
	return FileState{
		ID:      FileID{uint64(st.Dev), uint64(st.Ino)},
		Links:   uint64(st.Nlink),
		size:    st.Size,
		changed: changeTimes(st),
	}
}

// MayOpen returns why the process may not open a file for writing. It does not open it: closing a
// descriptor of a file ends all POSIX locks of the process on it. The SQLite library of this
// package has none, but another SQLite library in the process may.
func MayOpen(path string) error {
	if err := unix.Faccessat(unix.AT_FDCWD, path, unix.R_OK|unix.W_OK, unix.AT_EACCESS); err != nil {
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return nil
}
