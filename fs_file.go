package kvault

import (
	"io"
	"io/fs"
	"path"
	"time"
)

// info describes a file or a folder of a vault's file system.
type info struct {
	name   string
	folder bool
	entry  Entry
}

func fileInfo(e Entry) info { return info{name: path.Base(e.Key), entry: e} }

func folderInfo(name string) info { return info{name: name, folder: true} }

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.entry.Size }
func (i info) ModTime() time.Time { return i.entry.ModTime }
func (i info) IsDir() bool        { return i.folder }

func (i info) Mode() fs.FileMode {
	if i.folder {
		return fs.ModeDir | 0o555
	}
	return 0o444
}

// Sys is the Entry of a file, and nil for a folder.
func (i info) Sys() any {
	if i.folder {
		return nil
	}
	return i.entry
}

// file is a value opened through a vault's file system.
type file struct {
	r    *Reader
	name string
}

var (
	_ io.ReadSeekCloser = (*file)(nil)
	_ io.ReaderAt       = (*file)(nil)
	_ io.WriterTo       = (*file)(nil)
)

func (f *file) Stat() (fs.FileInfo, error) {
	if f.r.closed.Load() {
		return nil, f.fail("stat", errReaderClosed)
	}
	return fileInfo(f.r.Entry()), nil
}

func (f *file) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	return n, f.fail("read", err)
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.r.ReadAt(p, off)
	return n, f.fail("read", err)
}

func (f *file) Seek(offset int64, whence int) (int64, error) {
	pos, err := f.r.Seek(offset, whence)
	return pos, f.fail("seek", err)
}

func (f *file) WriteTo(w io.Writer) (int64, error) {
	n, err := f.r.WriteTo(w)
	return n, f.fail("copy", err)
}

func (f *file) Close() error { return f.fail("close", f.r.Close()) }

func (f *file) fail(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return pathError(op, f.name, err)
}
