package driver

import "github.com/ncruces/go-sqlite3/vfs"

// databaseFile is a database that can be mapped safely. SQLite may look a few bytes past the end of a page, and counts on its file
// system not to map the last page of a file, behind which there is nothing: looking there ends the process. The driver's own maps
// it. So the file is kept a byte longer than its pages, which SQLite is not told and other programs do not mind.
type databaseFile struct {
	wholePageFile
	mapped bool
}

// sector divides every page size. What lies behind the last whole one is slack.
const sector = 512

func newDatabaseFile(f mappedFile, flags vfs.OpenFlag) vfs.File {
	d := databaseFile{wholePageFile{f}, true}
	size, err := f.Size()
	if err == nil && size > 0 && size%sector == 0 {
		if flags&vfs.OPEN_READONLY != 0 {
			d.mapped = false // it cannot be made longer, so it is read the other way
		} else if err = d.addSlack(size); err != nil {
			d.mapped = false
		}
	}
	return d
}

// MemoryMapper returns nil for a file that is not to be mapped.
func (d databaseFile) MemoryMapper() vfs.MemoryMapper {
	if !d.mapped {
		return nil
	}
	return d.wholePageFile.MemoryMapper()
}

// addSlack makes a file of size bytes longer, unless another process did so meanwhile. It never makes one shorter.
func (d databaseFile) addSlack(size int64) error { return d.SizeHint(size + 1) }

func (d databaseFile) Size() (int64, error) {
	size, err := d.wholePageFile.Size()
	return size - size%sector, err
}

func (d databaseFile) Truncate(size int64) error {
	if err := d.wholePageFile.Truncate(size); err != nil || size == 0 {
		return err
	}
	return d.addSlack(size)
}

func (d databaseFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := d.wholePageFile.WriteAt(p, off)
	if err != nil {
		return n, err
	}
	size, err := d.wholePageFile.Size()
	if err == nil && size == off+int64(n) {
		err = d.addSlack(size)
	}
	return n, err
}
