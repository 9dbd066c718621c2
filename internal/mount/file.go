//go:build fuse && (linux || darwin)

package mount

import (
	"context"
	"io"
	"sync"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/kohakuvault/kvault"
)

// maxRead is the most bytes that the kernel asks for at once.
const maxRead = 1 << 20

// file is one version of a value that the kernel knows.
type file struct {
	fusefs.Inode
	t    *tree
	key  string
	attr fuse.Attr
}

var (
	_ fusefs.NodeGetattrer = (*file)(nil)
	_ fusefs.NodeOpener    = (*file)(nil)
)

// attributes are those of one version. A value of unknown time has that of the folders, 1970.
func attributes(e kvault.Entry) fuse.Attr {
	a := fuse.Attr{Mode: 0o444, Nlink: 1, Size: uint64(e.Size)}
	if !e.ModTime.IsZero() {
		a.SetTimes(&e.ModTime, &e.ModTime, &e.ModTime)
	}
	return a
}

func (f *file) Getattr(_ context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Attr = f.attr
	return 0
}

// Open opens the version that the node stands for. Where the key has another by now, ESTALE makes
// the kernel look the name up anew and open that one.
//
// The kernel drops the pages that it has of the version, although they are right: each opening so
// reads the value from its start, which compares it with its checksum.
func (f *file) Open(_ context.Context, flags uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	if flags&syscall.O_ACCMODE != syscall.O_RDONLY {
		return nil, 0, syscall.EROFS
	}
	r, err := f.t.v.NewDetachedReader(f.t.ctx, f.key)
	if err != nil {
		return nil, 0, f.t.errno(err)
	}
	if identity(r.Entry()) != f.StableAttr() {
		r.Close()
		return nil, 0, syscall.ESTALE
	}
	if r.Entry().Tag == "" {
		return &handle{t: f.t, r: r}, fuse.FOPEN_DIRECT_IO, 0
	}
	return &handle{t: f.t, r: r}, 0, 0
}

// handle is an opened file.
type handle struct {
	t  *tree
	mu sync.Mutex // guards the position of r
	r  *kvault.Reader
}

var (
	_ fusefs.FileReader   = (*handle)(nil)
	_ fusefs.FileFlusher  = (*handle)(nil)
	_ fusefs.FileReleaser = (*handle)(nil)
)

// Read reads by Seek and Read, not by ReadAt: where one read follows the other, a Reader compares
// the value with its checksum at the end.
func (h *handle) Read(_ context.Context, p []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, err := h.r.Seek(off, io.SeekStart); err != nil {
		return nil, h.t.errno(err)
	}
	n, err := io.ReadFull(h.r, p)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, h.t.errno(err)
	}
	return fuse.ReadResultData(p[:n]), 0
}

// Flush tells the kernel not to ask again: there is nothing to do when a program closes a file.
func (h *handle) Flush(context.Context) syscall.Errno { return syscall.ENOSYS }

func (h *handle) Release(context.Context) syscall.Errno {
	h.r.Close()
	return 0
}
