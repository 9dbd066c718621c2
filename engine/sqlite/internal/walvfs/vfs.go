package walvfs

import (
	"github.com/ncruces/go-sqlite3/vfs"
)

// The file system layers that this package registers, by the names under which SQLite finds them.
const (
	// Name is that of connections without a memory map.
	Name = "kvault"
	// MappedName is that of connections with one.
	MappedName = "kvault-mapped"
	// BlankName is that of connections that only lock: it shows every file as empty.
	BlankName = "kvault-lock"
)

func init() {
	system := vfs.Find("os").(vfs.VFSFilename)
	vfs.Register(Name, Coalesce(osVFS{system}))
	vfs.Register(MappedName, wholePageVFS{Coalesce(osVFS{system})})
	vfs.Register(BlankName, blankVFS{system})
}

// Coalesce returns v with write-ahead logs that get the frames of a commit in one write, and are
// preallocated if commits are synced; with logs and journals that are repaired after a sync failed;
// and without the logs of other files.
func Coalesce(v vfs.VFSFilename) vfs.VFSFilename {
	return CoalescePreallocating(v, preallocateBytes)
}

// CoalescePreallocating is Coalesce with logs that are preallocated in steps of so many bytes, 0
// for none.
func CoalescePreallocating(v vfs.VFSFilename, step int64) vfs.VFSFilename {
	return coalescingVFS{v, step}
}

type coalescingVFS struct {
	vfs.VFSFilename
	step int64
}

func (v coalescingVFS) OpenFilename(
	name *vfs.Filename, flags vfs.OpenFlag,
) (vfs.File, vfs.OpenFlag, error) {
	isLog, isJournal := flags&vfs.OPEN_WAL != 0, flags&vfs.OPEN_MAIN_JOURNAL != 0
	if isJournal && flags&vfs.OPEN_READWRITE != 0 && journalFailed(name.String()) {
		flags |= vfs.OPEN_CREATE // so that the next sync is one of its name, too
	}
	f, flags, err := v.VFSFilename.OpenFilename(name, flags)
	if err == nil && isJournal {
		return journal{f, name.String()}, flags, nil
	}
	if err != nil || !isLog || f.DeviceCharacteristics()&vfs.IOCAP_POWERSAFE_OVERWRITE == 0 {
		return f, flags, err // without that, SQLite writes parts of frames
	}
	if database := name.DatabaseFile(); database != nil {
		path := name.String()
		log := &Log{
			File: f, database: database, path: path,
			space: preallocation{step: v.step, unsynced: min(v.step, unsyncedBytes)}, state: syncStateOf(path),
		}
		logs.Store(database, log)
		f = log
	}
	return f, flags, nil
}

// Delete removes a file, and what is known of its syncs if it is a log.
func (v coalescingVFS) Delete(name string, syncDir bool) error {
	err := v.VFSFilename.Delete(name, syncDir)
	if err == nil {
		forgetSyncs(name)
	}
	return err
}

// wholePageVFS makes SQLite read whole pages through its page cache and memory map. With
// IOCAP_SUBPAGE_READ set, as the SQLite library's own VFS has it, reads of overflow pages bypass
// the map, and a large value takes several times as long.
type wholePageVFS struct{ vfs.VFSFilename }

func (v wholePageVFS) OpenFilename(
	name *vfs.Filename, flags vfs.OpenFlag,
) (vfs.File, vfs.OpenFlag, error) {
	f, flags, err := v.VFSFilename.OpenFilename(name, flags)
	if err != nil {
		return nil, flags, err
	}
	if mf, ok := f.(mappedFile); ok {
		return wholePageFile{mf}, flags, nil
	}
	return f, flags, nil
}

type wholePageFile struct{ mappedFile }

func (f wholePageFile) DeviceCharacteristics() vfs.DeviceCharacteristic {
	// Batch atomic writes need methods that this wrapper does not forward.
	return f.mappedFile.DeviceCharacteristics() &^ (vfs.IOCAP_SUBPAGE_READ | vfs.IOCAP_BATCH_ATOMIC)
}
