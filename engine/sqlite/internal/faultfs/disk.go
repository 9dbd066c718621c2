package faultfs

import (
	"maps"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/walvfs"
)

// Disk is a file system that can tell what a power cut would leave of it. Programs see every change
// at once; what was not synced since is remembered, and a cut keeps only some of it. It is safe for
// concurrent use.
//
// It keeps all files in memory once more. Files without a name, and shared memory, do not survive a
// cut.
type Disk struct {
	vfs.VFSFilename

	mu     sync.Mutex
	before func(*Still)
	// files are the names as programs see them, synced those that survive any cut, and moves what
	// happened in between.
	files, synced map[string]*inode
	moves         []move
	failing       map[string]*Failure // by path
}

// Failure is what happens to the next syncs of a file.
type Failure struct {
	// Times is how many of them fail, after Skip that do not.
	Skip, Times int
	// Keep is the part of the changes before that are durable all the same, from 0 to 1, chosen by
	// Rand. The others are lost to a power cut, whatever is synced later: programs still see them,
	// but the system takes them for written, as Linux does.
	Keep float64
	Rand *rand.Rand
}

// move gives a name to a file, or takes it away if file is nil.
type move struct {
	name string
	file *inode
}

// inode is a file, whatever its names are.
type inode struct {
	synced []byte
	since  []change
}

// change is a write at off, or, without data, a truncation to off.
type change struct {
	off  int64
	data []byte
}

// next says whether the next sync fails.
func (f *Failure) next() bool {
	switch {
	case f == nil || f.Times == 0:
		return false
	case f.Skip > 0:
		f.Skip--
		return false
	}
	f.Times--
	return true
}

// NewDisk registers a disk as name, over the file system of the operating system. It holds files,
// by their names, which are there and synced. before is called ahead of each change, while all
// others wait; it must not use the disk other than through its argument.
func NewDisk(name string, files map[string][]byte, before func(*Still)) *Disk {
	d := &Disk{VFSFilename: vfs.Find("os").(vfs.VFSFilename), before: before, files: map[string]*inode{}, failing: map[string]*Failure{}}
	for path, content := range files {
		d.files[path] = &inode{synced: content}
	}
	d.synced = maps.Clone(d.files)
	vfs.Register(name, walvfs.Coalesce(d))
	return d
}

// Still calls fn while nothing changes.
func (d *Disk) Still(fn func(*Still)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fn(&Still{d})
}

// change makes one change after telling so.
func (d *Disk) change(do func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.before(&Still{d})
	return do()
}

// OpenFilename opens a file, and counts one that is not known as made.
func (d *Disk) OpenFilename(
	name *vfs.Filename, flags vfs.OpenFlag,
) (f vfs.File, _ vfs.OpenFlag, err error) {
	path := name.String()
	if path == "" {
		return d.VFSFilename.OpenFilename(name, flags)
	}
	err = d.change(func() error {
		if f, flags, err = d.VFSFilename.OpenFilename(name, flags); err != nil {
			return err
		}
		file := d.files[path]
		if file == nil {
			file = &inode{}
			d.files[path] = file
			d.moves = append(d.moves, move{path, file})
		}
		f = &diskFile{osFile: f.(osFile), d: d, path: path, file: file, syncFolder: syncsFolder(flags)}
		return nil
	})
	return f, flags, err
}

// FailSync makes the next sync of the file at path fail, and lose all that it was for.
func (d *Disk) FailSync(path string) { d.Still(func(s *Still) { s.FailSync(path, Failure{Times: 1}) }) }

// syncsFolder says whether the first sync of a file syncs its name too: the driver does that for
// files that it may have made, other than the database.
func syncsFolder(flags vfs.OpenFlag) bool {
	const journals = vfs.OPEN_MAIN_JOURNAL | vfs.OPEN_SUPER_JOURNAL | vfs.OPEN_WAL
	return flags&vfs.OPEN_CREATE != 0 && flags&journals != 0
}

// Delete takes a name away.
func (d *Disk) Delete(name string, syncFolder bool) error {
	return d.change(func() error {
		err := d.VFSFilename.Delete(name, false)
		if err != nil {
			return err
		}
		delete(d.files, name)
		d.moves = append(d.moves, move{name, nil})
		if syncFolder {
			d.syncNames()
		}
		return nil
	})
}

func (d *Disk) syncNames() {
	for _, m := range d.moves {
		m.apply(d.synced)
	}
	d.moves = nil
}

func (m move) apply(names map[string]*inode) {
	if m.file == nil {
		delete(names, m.name)
	} else {
		names[m.name] = m.file
	}
}

// diskFile is an open file of a Disk. Nothing is synced for real.
type diskFile struct {
	osFile
	d          *Disk
	path       string
	file       *inode
	syncFolder bool
}

func (f *diskFile) WriteAt(p []byte, off int64) (n int, err error) {
	err = f.d.change(func() error {
		n, err = f.osFile.WriteAt(p, off)
		f.file.since = append(f.file.since, change{off, slices.Clone(p[:n])})
		return err
	})
	return n, err
}

func (f *diskFile) Truncate(size int64) error {
	return f.d.change(func() error {
		if err := f.osFile.Truncate(size); err != nil {
			return err
		}
		f.file.since = append(f.file.since, change{off: size})
		return nil
	})
}

// Sync counts only if it is a full one: on macOS others do not reach the disk.
func (f *diskFile) Sync(flags vfs.SyncFlag) error {
	return f.d.change(func() error {
		if flags&vfs.SYNC_FULL != vfs.SYNC_FULL {
			return nil
		}
		if failure := f.d.failing[f.path]; failure.next() {
			if failure.Keep > 0 {
				f.file.synced = f.file.after(Cut{Keep: failure.Keep, Sector: sector}, failure.Rand)
			}
			f.file.since = nil
			return sqlite3.IOERR_FSYNC
		}
		for _, c := range f.file.since {
			f.file.synced = c.apply(f.file.synced)
		}
		f.file.since = nil
		if f.syncFolder {
			f.syncFolder = false
			f.d.syncNames()
		}
		return nil
	})
}

// SizeHint does nothing: growing a file ahead of its writes would be a change that nothing records.
func (f *diskFile) SizeHint(int64) error { return nil }

func (f *diskFile) DeviceCharacteristics() vfs.DeviceCharacteristic {
	// Batch atomic writes need methods that this wrapper does not forward.
	return f.osFile.DeviceCharacteristics() &^ vfs.IOCAP_BATCH_ATOMIC
}

// Drop forgets the file system of that name.
func Drop(name string) { vfs.Unregister(name) }
