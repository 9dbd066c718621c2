package kvault

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
)

var (
	errIsFolder  = errors.New("is a folder")
	errNotFolder = errors.New("not a folder")
)

// FS shows the vault as a read-only file system whose folders are what lies behind a slash in keys. It is safe for
// concurrent use and implements fs.StatFS, fs.ReadFileFS and fs.ReadDirFS. Its files implement io.Seeker, io.ReaderAt and
// io.WriterTo, so http.FS serves ranges of them; each is one version of its value, from open to close.
//
// Keys that are no valid path (see fs.ValidPath), such as "a//b", "/a" or bytes that are not UTF-8, cannot be reached.
// Where a key is the name of a folder too, as "a" beside "a/b", the folder wins. A folder is there as long as some key
// begins with its name and a slash, so a key "a/" makes an empty folder a. Folders have no modification time.
//
// ctx bounds every use of the file system and its files. All errors but io.EOF are *fs.PathError.
// What is not there is fs.ErrNotExist in one, not ErrNotFound, so that os.IsNotExist holds.
func (v *Vault) FS(ctx context.Context) fs.FS { return &vaultFS{ctx, v} }

type vaultFS struct {
	ctx context.Context
	v   *Vault
}

var (
	_ fs.StatFS     = (*vaultFS)(nil)
	_ fs.ReadDirFS  = (*vaultFS)(nil)
	_ fs.ReadFileFS = (*vaultFS)(nil)
)

// pathError says what failed where. The call and the key that a vault's error names would only
// repeat that. os.IsNotExist and os.IsTimeout look at the error in a *fs.PathError, but at none
// beneath that.
func pathError(op, name string, err error) error {
	if e, ok := err.(*Error); ok {
		err = e.Err
	}
	_, foreign := errors.AsType[*IOError](err) // of the target of a copy, which is not at this path
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
	for _, err := range f.v.Keys(f.ctx, &ListOptions{Prefix: folderPrefix(name), Limit: 1}) {
		return err == nil, err
	}
	return name == ".", nil
}

// folderPrefix is how the keys in a folder begin.
func folderPrefix(name string) string {
	if name == "." {
		return ""
	}
	return name + "/"
}

// check reports whether name is a folder, for the operation op.
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
	r, err := f.v.NewReader(f.ctx, name)
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
	e, err := f.v.Stat(f.ctx, name)
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
	value, err := f.v.Get(f.ctx, name)
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
		if _, err := f.v.Stat(f.ctx, name); err != nil {
			return nil, pathError("readdir", name, err)
		}
		return nil, pathError("readdir", name, errNotFolder)
	}
	entries, err := f.openDir(name).ReadDir(-1)
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	return entries, err
}
