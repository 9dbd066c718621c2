package kvault

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/contenttype"
)

// PutReader stores the bytes of r up to io.EOF. Readers see the old value until the new one is
// complete. If r fails, if the size differs from that in the options, or if ctx ends, the old value
// stays. If r fails, the error is an *IOError. A Read of r that blocks is not interrupted when ctx
// ends: close what it reads from.
//
// PutReader holds one chunk in memory. Other writers wait no longer than it takes to write a chunk,
// however slow r is. A value of no more than one chunk is stored as by Put.
func (v *Vault) PutReader(ctx context.Context, key string, r io.Reader, o *PutOptions) (Entry, error) {
	return putReader(ctx, v, key, r, o)
}

// PutFile stores the regular file at path under key, as PutReader does. It takes the size, the
// modification time (or the nearest that engine.FitModTime finds) and the content type from the file,
// unless the options, or for the type the key's extension, say otherwise. A file that grows or
// shrinks meanwhile is an error; one of size 0, as in /proc, is read to its end. If reading fails,
// the error is an *IOError.
func (v *Vault) PutFile(ctx context.Context, key, path string, o *PutOptions) (Entry, error) {
	entry, err := putFile(ctx, v, key, path, o)
	return entry, fail("put", key, err)
}

// PutFile is Vault.PutFile in the transaction. Other writers wait while the file is read.
func (t *Tx) PutFile(ctx context.Context, key, path string, o *PutOptions) (Entry, error) {
	entry, err := putFile(ctx, t, key, path, o)
	return entry, fail("put", key, err)
}

func putFile(ctx context.Context, s executor, key, path string, o *PutOptions) (Entry, error) {
	o, err := o.checked(key)
	if err != nil {
		return Entry{}, err
	}
	// Stat comes before Open, because opening a pipe waits for its writer.
	if info, err := os.Stat(path); err != nil {
		return Entry{}, &IOError{Op: "read source", Err: err}
	} else if info.IsDir() {
		return Entry{}, invalid("%s is a folder: put its files one by one", path)
	} else if !info.Mode().IsRegular() {
		return Entry{}, invalid("%s is not a regular file: open it and use PutReader", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return Entry{}, &IOError{Op: "read source", Err: err}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Entry{}, &IOError{Op: "read source", Err: err}
	}
	if !o.SizeKnown && info.Size() > 0 {
		o.Size, o.SizeKnown = info.Size(), true
	}
	if o.ModTime.IsZero() {
		o.ModTime = engine.FitModTime(info.ModTime())
	}
	if o.ContentType == "" && contenttype.ByName(key) == "" {
		o.ContentType = contenttype.ByName(filepath.ToSlash(path))
	}
	return putReader(ctx, s, key, f, o)
}

func putReader(ctx context.Context, s executor, key string, r io.Reader, o *PutOptions) (Entry, error) {
	w, err := newWriter(ctx, s, key, o)
	if err != nil {
		return Entry{}, fail("put", key, err)
	}
	defer w.Abort()
	if _, err := w.ReadFrom(r); err != nil {
		return Entry{}, err
	}
	err = w.Close()
	return w.Entry(), err
}

// maxEmptyReads is the number of successive reads that may return neither bytes nor an error.
const maxEmptyReads = 100

// readMore reads from r into p until it gets a byte or an error. It returns io.EOF at the end of
// the source. Every other failure, io.ErrUnexpectedEOF included, is an *IOError.
func readMore(ctx context.Context, r io.Reader, p []byte) (int, error) {
	for range maxEmptyReads {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		n, err := r.Read(p)
		switch {
		case n < 0 || n > len(p):
			return 0, &IOError{Op: "read source", Err: fmt.Errorf("read of %d bytes returned %d", len(p), n)}
		case err == io.EOF:
			return n, io.EOF
		case err != nil:
			return n, &IOError{Op: "read source", Err: err}
		case n > 0:
			return n, nil
		}
	}
	return 0, &IOError{Op: "read source", Err: io.ErrNoProgress}
}
