package walvfs

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"syscall"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

// osVFS is the file system of the operating system. It tells SQLite of a full disk: the SQLite
// library looks for the bare error number, which comes wrapped, and reports an I/O error of unknown
// cause.
type osVFS struct{ vfs.VFSFilename }

func (v osVFS) OpenFilename(
	name *vfs.Filename, flags vfs.OpenFlag,
) (vfs.File, vfs.OpenFlag, error) {
	if flags&vfs.OPEN_WAL != 0 && !mayMakeLog(name.Database()) {
		// SQLite opens the shared memory later, and would make it. No connection removes it
		// meanwhile: the database is locked.
		if _, err := os.Stat(name.Database() + "-shm"); err != nil {
			return nil, flags, vfs.SystemError(err, sqlite3.CANTOPEN)
		}
		flags = readableLog(flags)
	}
	makeSidecars(name, flags)
	f, out, err := v.VFSFilename.OpenFilename(name, flags)
	if flags&vfs.OPEN_WAL != 0 && errors.Is(err, fs.ErrPermission) {
		if log, readable, failed := v.VFSFilename.OpenFilename(name, readableLog(flags)); failed == nil {
			f, out, err = log, readable, nil
		}
	}
	flags = out
	if err != nil {
		return nil, flags, diskFullError(err)
	}
	switch f := f.(type) {
	case mappedFile:
		return osMappedFile{f}, flags, nil
	case systemFile:
		return osFile{f}, flags, nil
	}
	return f, flags, nil
}

// readableLog are the flags with which a reader that may not write the log opens it. It can read it
// if some writer has its shared memory open.
func readableLog(flags vfs.OpenFlag) vfs.OpenFlag {
	return flags&^(vfs.OPEN_READWRITE|vfs.OPEN_CREATE) | vfs.OPEN_READONLY
}

// systemFile is all that a file of the SQLite library can do where there is shared memory, and
// mappedFile where files can be mapped, too. A wrapper that left one out would silently switch off
// a feature of SQLite.
type systemFile interface {
	vfs.FileLockState
	vfs.FileHasMoved
	vfs.FileSizeHint
	vfs.FilePersistWAL
	vfs.FilePowersafeOverwrite
	vfs.FileSharedMemory
	syscall.Conn
	Fd() uintptr
}

type mappedFile interface {
	systemFile
	vfs.FileMemoryMapper
}

type osFile struct{ systemFile }

func (f osFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.systemFile.WriteAt(p, off)
	return n, diskFullError(err)
}

// DeviceCharacteristics leaves batch atomic writes out, which need methods that the wrapper does
// not forward.
func (f osFile) DeviceCharacteristics() vfs.DeviceCharacteristic {
	return f.systemFile.DeviceCharacteristics() &^ vfs.IOCAP_BATCH_ATOMIC
}

type osMappedFile struct{ mappedFile }

func (f osMappedFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.mappedFile.WriteAt(p, off)
	return n, diskFullError(err)
}

func (f osMappedFile) DeviceCharacteristics() vfs.DeviceCharacteristic {
	return f.mappedFile.DeviceCharacteristics() &^ vfs.IOCAP_BATCH_ATOMIC
}

// diskFullError makes SQLite see that the disk is full.
func diskFullError(err error) error {
	if IsDiskFull(err) {
		return vfs.SystemError(err, sqlite3.FULL)
	}
	return err
}

// IsDiskFull says whether err is of a disk that is full, a quota that is used up, or a file that is
// as long as it may become.
func IsDiskFull(err error) bool {
	return slices.ContainsFunc(diskFull, func(why syscall.Errno) bool { return errors.Is(err, why) })
}
