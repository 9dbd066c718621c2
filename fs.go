package kvault

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/kohakuvault/kvault/engine"
)

var (
	errIsFolder  = errors.New("is a folder")
	errNotFolder = errors.New("not a folder")
)

// FS returns the vault as a read-only file system, in which slashes in keys separate folders. It is
// safe for concurrent use and implements fs.StatFS, fs.ReadFileFS and fs.ReadDirFS. Its files
// implement io.Seeker, io.ReaderAt and io.WriterTo, so http.FS serves ranges of them. Each reads
// one version of its value, from open to close.
//
// Keys that are no valid path (see fs.ValidPath), such as "a//b", "/a" or bytes that are not UTF-8,
// cannot be opened. If a key is the name of a folder too, as "a" beside "a/b", the folder hides it.
// A folder exists as long as some key begins with its name and a slash, so a key "a/" makes an
// empty folder a. Folders have no modification time.
//
// ctx bounds every use of the file system and its files. All errors but io.EOF are *fs.PathError.
// That of a missing file holds fs.ErrNotExist, not ErrNotFound, so that os.IsNotExist works.
func (v *Vault) FS(ctx context.Context) fs.FS { return &vaultFS{ctx, v} }

// FS is Vault.FS in the transaction. Close its files before the transaction ends.
func (t *Tx) FS(ctx context.Context) fs.FS { return &vaultFS{ctx, t} }

type vaultFS struct {
	ctx context.Context
	s   executor
}

var (
	_ fs.StatFS     = (*vaultFS)(nil)
	_ fs.ReadDirFS  = (*vaultFS)(nil)
	_ fs.ReadFileFS = (*vaultFS)(nil)
)

// pathError makes err a *fs.PathError, without the call and the key that a vault's error names.
// os.IsNotExist and os.IsTimeout look only at the error directly in a *fs.PathError, so that is
// replaced.
func pathError(op, name string, err error) error {
	if e, ok := err.(*Error); ok {
		err = e.Err
	}
	_, foreign := errors.AsType[*IOError](err) // of a copy's target, which is not at this path
	switch {
	case foreign:
	case errors.Is(err, ErrNotFound):
		err = fs.ErrNotExist
	case errors.Is(err, context.DeadlineExceeded) && !os.IsTimeout(err):
		err = context.DeadlineExceeded
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// isFolder reports whether name, which must be a valid path, is a folder.
func (f *vaultFS) isFolder(name string) (bool, error) {
	for _, err := range keys(f.ctx, f.s, &ListOptions{Prefix: folderPrefix(name), Limit: 1}) {
		return err == nil, err
	}
	return name == ".", nil
}

// folderPrefix returns the prefix of the keys in a folder.
func folderPrefix(name string) string {
	if name == "." {
		return ""
	}
	return name + "/"
}

// check reports whether name is a folder. op is the operation that its error names.
func (f *vaultFS) check(op, name string) (folder bool, err error) {
	if !fs.ValidPath(name) {
		return false, pathError(op, name, fs.ErrInvalid)
	}
	if folder, err = f.isFolder(name); err != nil {
		return false, pathError(op, name, err)
	}
	return folder, nil
}

func (f *vaultFS) Open(name string) (fs.File, error) {
	folder, err := f.check("open", name)
	if err != nil {
		return nil, err
	}
	if folder {
		return f.openDir(name), nil
	}
	r, err := newReader(f.ctx, f.s, name)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	return &file{r, name}, nil
}

func (f *vaultFS) Stat(name string) (fs.FileInfo, error) {
	folder, err := f.check("stat", name)
	if err != nil {
		return nil, err
	}
	if folder {
		return folderInfo(path.Base(name)), nil
	}
	e, err := stat(f.ctx, f.s, name)
	if err != nil {
		return nil, pathError("stat", name, err)
	}
	return fileInfo(e), nil
}

func (f *vaultFS) ReadFile(name string) ([]byte, error) {
	folder, err := f.check("read", name)
	if err != nil {
		return nil, err
	}
	if folder {
		return nil, pathError("read", name, errIsFolder)
	}
	value, err := get(f.ctx, f.s, name)
	if err != nil {
		return nil, pathError("read", name, err)
	}
	return value, nil
}

func (f *vaultFS) ReadDir(name string) ([]fs.DirEntry, error) {
	folder, err := f.check("readdir", name)
	if err != nil {
		return nil, err
	}
	if !folder {
		if _, err := stat(f.ctx, f.s, name); err != nil {
			return nil, pathError("readdir", name, err)
		}
		return nil, pathError("readdir", name, errNotFolder)
	}
	entries, err := f.openDir(name).ReadDir(-1)
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	return entries, err
}

// dirBatch is the number of entries that a folder reads ahead when it is read a few at a time.
const dirBatch = 100

// dir is an opened folder. It is not for concurrent use. Between calls it holds only its position.
type dir struct {
	f      *vaultFS
	name   string
	prefix string // of the keys in it
	start  string // the first key not yet seen
	ended  bool   // there is none
	ready  []fs.DirEntry
	// held are files whose names may turn out to be those of folders: "a" comes before "a/b", and
	// "a-b" between them. Each begins with the one before it.
	held   []Entry
	closed bool
}

func (f *vaultFS) openDir(name string) *dir {
	return &dir{f: f, name: name, prefix: folderPrefix(name)}
}

func (d *dir) Stat() (fs.FileInfo, error) {
	if d.closed {
		return nil, pathError("stat", d.name, fs.ErrClosed)
	}
	return folderInfo(path.Base(d.name)), nil
}

func (d *dir) Read([]byte) (int, error) {
	if d.closed {
		return 0, pathError("read", d.name, fs.ErrClosed)
	}
	return 0, pathError("read", d.name, errIsFolder)
}

func (d *dir) Close() error {
	d.closed = true
	return nil
}

// ReadDir returns the next n entries, or all that remain if n is not positive, as fs.ReadDirFile
// says.
func (d *dir) ReadDir(n int) ([]fs.DirEntry, error) {
	if d.closed {
		return nil, pathError("readdir", d.name, fs.ErrClosed)
	}
	var err error
	if n <= 0 || len(d.ready) < n {
		err = d.readAhead(n)
	}
	entries := d.ready
	if n > 0 && len(entries) > n {
		entries = entries[:n:n]
	}
	d.ready = d.ready[len(entries):]
	switch {
	case err != nil && (n <= 0 || len(entries) == 0):
		return entries, pathError("readdir", d.name, err)
	case n > 0 && len(entries) == 0:
		return nil, io.EOF
	}
	return entries, nil
}

// readAhead makes at least n entries ready, or all if n is not positive.
func (d *dir) readAhead(n int) error {
	if d.ended {
		return nil
	}
	for e, err := range list(d.f.ctx, d.f.s, &ListOptions{Prefix: d.prefix, Start: d.start, Delimiter: "/"}) {
		if err != nil {
			return err
		}
		d.add(e)
		if n > 0 && len(d.ready) >= max(n, dirBatch) {
			return nil
		}
	}
	for _, e := range d.held {
		d.addReady(fileInfo(e))
	}
	d.held, d.ended = nil, true
	return nil
}

// add adds one entry of the listing.
func (d *dir) add(e Entry) {
	for len(d.held) > 0 {
		last := d.held[len(d.held)-1]
		if folder := last.Key + "/"; e.Key < folder {
			break
		} else if e.Key != folder || !e.Folder {
			d.addReady(fileInfo(last))
		}
		d.held = d.held[:len(d.held)-1]
	}
	d.start = e.Key + "\x00"
	if e.Folder {
		d.start = engine.PrefixRange(e.Key).End
	}
	name := strings.TrimSuffix(e.Key[len(d.prefix):], "/")
	switch {
	case name == "." || !fs.ValidPath(name):
	case e.Folder:
		d.addReady(folderInfo(name))
	default:
		d.held = append(d.held, e)
	}
}

func (d *dir) addReady(i info) { d.ready = append(d.ready, fs.FileInfoToDirEntry(i)) }

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
