package faultfs

import "github.com/ncruces/go-sqlite3/vfs"

// osFile is what the driver's own file can do that SQLite relies on. A wrapper that left one out
// would silently switch a feature off, the write-ahead log first of all.
type osFile interface {
	vfs.FileLockState
	vfs.FileHasMoved
	vfs.FileSizeHint
	vfs.FilePersistWAL
	vfs.FilePowersafeOverwrite
	vfs.FileSharedMemory
}

type file struct {
	osFile
	fs *FS
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	if _, err := f.fs.fail(Read); err != nil {
		return 0, err
	}
	return f.osFile.ReadAt(p, off)
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	short, err := f.fs.fail(Write)
	if err == nil {
		return f.osFile.WriteAt(p, off)
	}
	n := 0
	if short {
		n, _ = f.osFile.WriteAt(p[:len(p)/2], off) // the planned error is the one to report
	}
	return n, err
}

func (f *file) Sync(vfs.SyncFlag) error {
	_, err := f.fs.fail(Sync)
	return err
}

func (f *file) Truncate(size int64) error {
	if _, err := f.fs.fail(Truncate); err != nil {
		return err
	}
	return f.osFile.Truncate(size)
}

func (f *file) Size() (int64, error) {
	if _, err := f.fs.fail(Size); err != nil {
		return 0, err
	}
	return f.osFile.Size()
}

func (f *file) Lock(lock vfs.LockLevel) error {
	if _, err := f.fs.fail(Lock); err != nil {
		return err
	}
	return f.osFile.Lock(lock)
}

// SizeHint does nothing: growing a file ahead of its writes would be one more way to change it.
func (f *file) SizeHint(int64) error { return nil }

func (f *file) DeviceCharacteristics() vfs.DeviceCharacteristic {
	// Batch atomic writes need methods that this wrapper does not forward.
	return f.osFile.DeviceCharacteristics() &^ vfs.IOCAP_BATCH_ATOMIC
}
