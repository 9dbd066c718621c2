package driver

import (
	"github.com/ncruces/go-sqlite3/vfs"
	"github.com/ncruces/go-sqlite3/vfs/mvcc"
)

// mappedVFS is the file system layer for connections with a memory map.
const mappedVFS = "kvault-mapped"

func init() {
	vfs.Register(mappedVFS, wholePageVFS{Gather(plainVFS{vfs.Find("os").(vfs.VFSFilename)})})
}

// wholePageVFS makes SQLite read whole pages through its page cache and memory map. With IOCAP_SUBPAGE_READ set, as the
// driver's own VFS has it, reads of overflow pages bypass the map, and a large value takes several times as long.
type wholePageVFS struct{ vfs.VFSFilename }

func (v wholePageVFS) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
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

// CreateMemory makes an empty in-memory database that connections of this process can share by name, which starts
// with a slash. DropMemory forgets it.
func CreateMemory(name string) { mvcc.Create(name, mvcc.NewSnapshot("")) }

// DropMemory releases the name; the memory goes with the last connection.
func DropMemory(name string) { mvcc.Delete(name) }
