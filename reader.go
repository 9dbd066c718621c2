package kvault

import (
	"context"
	"errors"
	"io"
	"sync/atomic"

	"github.com/kohakuvault/kvault/engine"
)

// Reader reads the version that a value had when the Reader was opened, whatever is written
// meanwhile.
//
// What is read is compared with checksums. A value of up to 1 MiB is compared when it is opened. Of
// a larger one in chunks, Read and WriteTo compare each chunk before they return any of it; where p
// is shorter, that takes memory for one chunk. A larger one in one row has one checksum: the Read
// that comes to its end returns ErrCorrupt, and not the last bytes, if what was read from the start
// to there is not what was stored. ReadAt compares the chunks, and the value, that it reads as a
// whole. A part of a larger value in one row cannot be compared. See Options.DisableVerification.
//
// ReadAt may be called by several goroutines at once; Read, Seek and WriteTo share one position.
// Close it when done.
type Reader struct {
	ctx    context.Context
	s      executor
	blob   engine.Blob
	entry  engine.Entry
	pos    int64
	closed atomic.Bool
}

var (
	_ io.ReadSeekCloser = (*Reader)(nil)
	_ io.ReaderAt       = (*Reader)(nil)
	_ io.WriterTo       = (*Reader)(nil)
)

var errReaderClosed error = &worded{"reader is closed", ErrClosed}

// NewReader opens the value of key for reading in parts. A missing key is ErrNotFound. ctx bounds
// all reads of the Reader, not only this call.
func (v *Vault) NewReader(ctx context.Context, key string) (*Reader, error) {
	r, err := newReader(ctx, v, key)
	return r, fail("open", key, err)
}

func newReader(ctx context.Context, s executor, key string) (*Reader, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	var blob engine.Blob
	err := s.do(ctx, func(r engine.Reader) (err error) {
		if e, ok := s.lookup(key); ok {
			if e.Deleted {
				return ErrNotFound
			}
			blob = &pendingBlob{pendingEntry(key, e), e.Value}
			return nil
		}
		blob, err = r.Open(ctx, key)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &Reader{ctx: ctx, s: s, blob: blob, entry: blob.Entry()}, nil
}

// Entry describes the version that is read.
func (r *Reader) Entry() Entry { return entryOf(r.entry) }

// Size is the length of the value in bytes.
func (r *Reader) Size() int64 { return r.entry.Size }

// Read fills p with the next bytes, as io.Reader does.
func (r *Reader) Read(p []byte) (int, error) {
	if r.closed.Load() {
		return 0, r.fail(errReaderClosed)
	}
	rest := r.entry.Size - r.pos
	switch {
	case len(p) == 0:
		return 0, nil
	case rest <= 0:
		return 0, r.atEnd()
	case int64(len(p)) > rest:
		p = p[:rest]
	}
	n, err := r.readOn(p)
	r.pos += int64(n)
	return n, r.fail(err)
}

// atEnd returns io.EOF, or the error that every read would return.
func (r *Reader) atEnd() error {
	if err := r.s.do(r.ctx, func(engine.Reader) error { return nil }); err != nil {
		return r.fail(err)
	}
	return io.EOF
}

// ReadAt fills p with the bytes from offset off on, as io.ReaderAt does.
func (r *Reader) ReadAt(p []byte, off int64) (int, error) {
	switch {
	case off < 0:
		return 0, r.fail(invalid("offset %d is negative", off))
	case r.closed.Load():
		return 0, r.fail(errReaderClosed)
	case off >= r.entry.Size:
		return 0, r.atEnd()
	}
	short := int64(len(p)) > r.entry.Size-off
	if short {
		p = p[:r.entry.Size-off]
	}
	n, err := r.readAt(p, off)
	if err == nil && short {
		return n, io.EOF
	}
	return n, r.fail(err)
}

// readAt fills all of p, which must lie within the value.
func (r *Reader) readAt(p []byte, off int64) (n int, err error) {
	return r.fill(p, off, r.blob.ReadAt)
}

// readOn is readAt from the position on.
func (r *Reader) readOn(p []byte) (n int, err error) {
	if v, ok := r.blob.(engine.Verifier); ok {
		return r.fill(p, r.pos, v.ReadOn)
	}
	return r.readAt(p, r.pos)
}

func (r *Reader) fill(p []byte, off int64, read func(context.Context, []byte, int64) (int, error)) (n int, err error) {
	err = r.s.do(r.ctx, func(engine.Reader) error {
		if r.closed.Load() {
			return errReaderClosed
		}
		n, err = read(r.ctx, p, off)
		switch {
		case err != nil && !errors.Is(err, io.EOF):
			return err
		case n < len(p):
			return &worded{"value ends before its size", ErrCorrupt}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// Seek sets the position of the next Read, as io.Seeker does. A position beyond the end is no
// error; a Read there returns io.EOF.
func (r *Reader) Seek(offset int64, whence int) (int64, error) {
	if r.closed.Load() {
		return 0, r.fail(errReaderClosed)
	}
	var base int64
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		base = r.pos
	case io.SeekEnd:
		base = r.entry.Size
	default:
		return 0, r.fail(invalid("seek: whence %d is none of io.SeekStart, io.SeekCurrent, io.SeekEnd", whence))
	}
	pos := base + offset
	if pos < 0 {
		return 0, r.fail(invalid("seek: offset %d from %d is no position", offset, base))
	}
	r.pos = pos
	return pos, nil
}

// WriteTo writes the rest of the value to w, and holds one chunk in memory. If w fails, the error
// is an *IOError.
func (r *Reader) WriteTo(w io.Writer) (int64, error) {
	n, err := r.writeTo(w)
	return n, r.fail(err)
}

func (r *Reader) writeTo(w io.Writer) (total int64, err error) {
	if r.closed.Load() {
		return 0, errReaderClosed
	}
	buf := make([]byte, min(int64(r.s.chunkSize()), max(r.entry.Size-r.pos, 0)))
	for r.pos < r.entry.Size {
		p := buf[:min(int64(len(buf)), r.entry.Size-r.pos)]
		if _, err := r.readOn(p); err != nil {
			return total, err
		}
		n, err := w.Write(p)
		if n < 0 || n > len(p) {
			n, err = 0, errors.New("writer returned an impossible count")
		}
		r.pos += int64(n)
		total += int64(n)
		if err == nil && n < len(p) {
			err = io.ErrShortWrite
		}
		if err != nil {
			return total, &IOError{Op: "write target", Err: err}
		}
	}
	return total, nil
}

// Close releases the value. Closing twice is no error; every other call then fails with ErrClosed.
func (r *Reader) Close() error {
	if r.closed.Swap(true) {
		return nil
	}
	return r.fail(r.blob.Close())
}

func (r *Reader) fail(err error) error { return fail("read", r.entry.Key, err) }

// pendingBlob is a value in the cache. The cache never changes its values.
type pendingBlob struct {
	entry engine.Entry
	value []byte
}

func (b *pendingBlob) Entry() engine.Entry { return b.entry }

func (b *pendingBlob) ReadAt(_ context.Context, p []byte, off int64) (int, error) {
	if off >= int64(len(b.value)) {
		return 0, io.EOF
	}
	n := copy(p, b.value[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (b *pendingBlob) Close() error { return nil }
