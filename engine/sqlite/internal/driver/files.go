package driver

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/walvfs"
)

// openFiles shows package walvfs the files that a connection has open.
type openFiles struct{ c *Conn }

var _ walvfs.OpenFiles = openFiles{}

func (f openFiles) Main() vfs.File { return f.c.mainFile() }

func (f openFiles) Log() *walvfs.Log { return f.c.log() }

func (f openFiles) IndexNamed() bool {
	_, ok := f.c.latest()
	return !ok || f.c.hold.index.named()
}

func (f openFiles) Backfill() (walvfs.Backfill, bool) {
	if _, ok := f.c.latest(); !ok {
		return walvfs.Backfill{}, false
	}
	return f.c.hold.index.backfillState(), true
}

// mainFile returns the file of the database, or nil if there is none.
func (c *Conn) mainFile() vfs.File {
	if c.file == nil {
		file, err := c.c.FileControl("main", sqlite3.FCNTL_FILE_POINTER)
		if err != nil {
			return nil
		}
		c.file, _ = file.(vfs.File)
	}
	return c.file
}

// log returns the write-ahead log of the connection, or nil if it has none open.
func (c *Conn) log() *walvfs.Log { return walvfs.LogOf(c.mainFile()) }

// Whole returns an error if the database is not in its place, or of the kind Overwritten if another
// program has written to its file, or truncated it, past SQLite. That can be told as long as no
// checkpoint has begun since.
func (c *Conn) Whole() error { return wrap(c.place.Check(openFiles{c})) }

// Explain adds which file it is to an error that one could not be opened.
func (cfg Config) Explain(err error) error {
	if err == nil || cfg.Memory {
		return err
	}
	return openFault(err, cfg.Path)
}

// openFault tells which file could not be opened, and why, where SQLite has lost that.
func openFault(err error, path string) error {
	var known *fs.PathError
	kind := KindOf(err)
	if kind != CannotOpen && kind != ReadOnly && kind != IO || errors.As(err, &known) {
		return err
	}
	if kind != IO { // an I/O error is of what walvfs or the library looks at when SQLite asks about a file
		for _, suffix := range walvfs.Suffixes {
			if why := walvfs.MayOpen(path + suffix); why != nil && !errors.Is(why, fs.ErrNotExist) {
				return &Error{Kind: kind, err: fmt.Errorf("%w (%w)", why, err)}
			}
		}
	}
	f, why := os.Open(filepath.Dir(path)) // which needs a descriptor
	if why != nil {
		return &Error{Kind: kind, err: fmt.Errorf("%w (%w)", why, err)}
	}
	_ = f.Close()
	return err
}

// OutOfFiles says whether err is of a process, or a system, that has as many files open as it may.
func OutOfFiles(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// IsDiskFull says whether err is of a disk that is full, a quota that is used up, or a file that is
// as long as it may become.
func IsDiskFull(err error) bool { return KindOf(err) == Full || walvfs.IsDiskFull(err) }

// vfsName is the file system layer of the connection.
func (cfg Config) vfsName() string {
	if cfg.Mapped {
		return cmp.Or(cfg.VFS, walvfs.MappedName)
	}
	return cmp.Or(cfg.VFS, walvfs.Name)
}
