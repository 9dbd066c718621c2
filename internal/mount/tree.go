//go:build fuse && (linux || darwin)

package mount

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/kohakuvault/kvault"
)

// maxName is the length of the longest name in bytes. Programs rely on it: the C library has a
// buffer of that size for the entry of a directory.
const maxName = 255

// tree is what all nodes of a mount share.
type tree struct {
	ctx    context.Context
	v      *kvault.Vault
	files  fs.FS
	failed func(error)
}

// errno is what the kernel is told of err.
func (t *tree) errno(err error) syscall.Errno {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrInvalid):
		return syscall.ENOENT
	case errors.Is(err, kvault.ErrTagMismatch):
		return syscall.ESTALE
	}
	if t.failed != nil && t.ctx.Err() == nil {
		t.failed(err)
	}
	return syscall.EIO
}

// folder is a folder that the kernel knows. name is its path in Vault.FS.
type folder struct {
	fusefs.Inode
	t    *tree
	name string
}

var (
	_ fusefs.NodeLookuper       = (*folder)(nil)
	_ fusefs.NodeGetattrer      = (*folder)(nil)
	_ fusefs.NodeOpendirHandler = (*folder)(nil)
	_ fusefs.NodeStatfser       = (*folder)(nil)
	_ fusefs.NodeUnlinker       = (*folder)(nil)
	_ fusefs.NodeRmdirer        = (*folder)(nil)
)

func (d *folder) Lookup(
	ctx context.Context, name string, out *fuse.EntryOut,
) (*fusefs.Inode, syscall.Errno) {
	if len(name) > maxName {
		return nil, syscall.ENAMETOOLONG
	}
	info, err := fs.Stat(d.t.files, path.Join(d.name, name))
	if err != nil {
		return nil, d.t.errno(err)
	}
	return d.child(ctx, info, out), 0
}

// child makes the node of what info describes, and says its attributes in out. Where the kernel
// knows such a node already, go-fuse takes that one.
func (d *folder) child(ctx context.Context, info fs.FileInfo, out *fuse.EntryOut) *fusefs.Inode {
	name := path.Join(d.name, info.Name())
	if e, ok := info.Sys().(kvault.Entry); ok {
		f := &file{t: d.t, key: name, attr: attributes(e)}
		out.Attr = f.attr
		return d.NewInode(ctx, f, identity(e))
	}
	out.Attr = folderAttributes
	id := fusefs.StableAttr{Mode: syscall.S_IFDIR, Ino: number(name + "/")}
	return d.NewInode(ctx, &folder{t: d.t, name: name}, id)
}

var folderAttributes = fuse.Attr{Mode: 0o555, Nlink: 1}

func (d *folder) Getattr(_ context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Attr = folderAttributes
	return 0
}

func (d *folder) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	out.Bsize, out.NameLen = 4096, maxName
	return 0
}

// Unlink refuses what go-fuse would otherwise report as done, should root have mounted the
// directory anew for writing.
func (d *folder) Unlink(context.Context, string) syscall.Errno { return syscall.EROFS }

// Rmdir refuses as Unlink does.
func (d *folder) Rmdir(context.Context, string) syscall.Errno { return syscall.EROFS }

func (d *folder) OpendirHandle(context.Context, uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	l := &listing{d: d}
	return l, 0, l.rewind()
}

// listing is an opened folder. go-fuse calls it from one goroutine at a time.
type listing struct {
	d    *folder
	dir  fs.ReadDirFile
	last fs.DirEntry
}

var (
	_ fusefs.FileReaddirenter = (*listing)(nil)
	_ fusefs.FileLookuper     = (*listing)(nil)
	_ fusefs.FileSeekdirer    = (*listing)(nil)
)

func (l *listing) rewind() syscall.Errno {
	f, err := l.d.t.files.Open(l.d.name)
	if err != nil {
		return l.d.t.errno(err)
	}
	dir, ok := f.(fs.ReadDirFile)
	if !ok { // a file took the folder's place
		f.Close()
		return syscall.ENOENT
	}
	l.dir = dir
	return 0
}

// Readdirent returns the next entry. A folder of Vault.FS reads a hundred ahead.
func (l *listing) Readdirent(context.Context) (*fuse.DirEntry, syscall.Errno) {
	for {
		entries, err := l.dir.ReadDir(1)
		if err == io.EOF {
			return nil, 0
		}
		if err != nil {
			return nil, l.d.t.errno(err)
		}
		e := entries[0]
		if len(e.Name()) > maxName || strings.ContainsRune(e.Name(), 0) {
			continue
		}
		l.last = e
		name := path.Join(l.d.name, e.Name())
		if e.IsDir() {
			return &fuse.DirEntry{Name: e.Name(), Mode: syscall.S_IFDIR, Ino: number(name + "/")}, 0
		}
		return &fuse.DirEntry{Name: e.Name(), Mode: syscall.S_IFREG, Ino: number(name)}, 0
	}
}

// Lookup spares a look into the vault where the kernel wants the attributes with the names.
func (l *listing) Lookup(
	ctx context.Context, name string, out *fuse.EntryOut,
) (*fusefs.Inode, syscall.Errno) {
	if l.last != nil && l.last.Name() == name {
		if info, err := l.last.Info(); err == nil {
			return l.d.child(ctx, info, out), 0
		}
	}
	return l.d.Lookup(ctx, name, out)
}

// Seekdir goes to the entry after off others.
func (l *listing) Seekdir(ctx context.Context, off uint64) syscall.Errno {
	errno := l.rewind()
	for ; off > 0 && errno == 0; off-- {
		var e *fuse.DirEntry
		if e, errno = l.Readdirent(ctx); e == nil {
			break
		}
	}
	return errno
}

// identity tells versions apart, of all keys. The kernel and go-fuse take two files for the same if
// theirs are equal, so it has 124 bits of a hash that nobody can make collide.
func identity(e kvault.Entry) fusefs.StableAttr {
	return fusefs.StableAttr{
		Mode: syscall.S_IFREG,
		Ino:  number(e.Key),
		Gen:  number(fmt.Sprintf("%s %d %d %s", e.Tag, e.Size, e.ModTime.UnixNano(), e.Key)),
	}
}

// number makes an inode number of a text. The highest bit is clear and the second lowest set, since
// some numbers have a meaning of their own: 0, 1 and the highest.
func number(text string) uint64 {
	sum := sha256.Sum256([]byte(text))
	return binary.LittleEndian.Uint64(sum[:])&^(1<<63) | 2
}
