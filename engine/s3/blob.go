package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"
	"sync/atomic"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/s3/internal/object"
)

// blob reads one version. It holds the version's small value, or nothing.
type blob struct {
	s      *Store
	x      *state
	value  *bytes.Reader // nil if the value is read by ranges
	closed atomic.Bool
	life   context.Context // of requests that outlive the call that sent them; ends with Close
	end    context.CancelFunc

	mu     sync.Mutex // of those who read in order
	stream *stream    // of which the next bytes are those from at on; nil before the first
	sum    uint32     // of all bytes before at, if they were read in order
	at     int64
}

var _ engine.Verifier = (*blob)(nil)

// newBlob returns a blob that reads by ranges.
func (s *Store) newBlob(x *state) *blob {
	b := &blob{s: s, x: x}
	b.life, b.end = context.WithCancel(s.life)
	return b
}

// heldValue is the longest value that a blob reads at once, and holds.
const heldValue = 256 << 10

// Open returns the value of key as it is now. A value of at most 256 KiB is read at once. One up to
// Options.PartSize is an object that a writer may replace: reading then fails with
// engine.ErrTagMismatch. The data of longer ones stays for Options.Grace at least after that.
func (s *Store) Open(ctx context.Context, key string) (engine.Blob, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	for tries := 0; ; tries++ {
		b, err := s.open(ctx, key)
		if errors.Is(err, errReplaced) && tries < maxReplaced {
			continue
		}
		if err != nil {
			return nil, s.explain(ctx, err)
		}
		return b, nil
	}
}

func (s *Store) open(ctx context.Context, key string) (*blob, error) {
	x, err := s.found(ctx, key)
	if err != nil {
		return nil, err
	}
	if !x.pointer() && x.size > heldValue {
		return s.newBlob(x), nil
	}
	// Whatever version is there now, its object says all that there is to know.
	x, value, err := s.fetchOnce(ctx, key, nil, heldValue)
	switch {
	case err != nil:
		return nil, err
	case !x.exists():
		return nil, engine.ErrNotFound
	case x.large():
		return s.newBlob(x), nil
	case x.pointer():
		value = x.target.Inline
	case x.size > heldValue:
		return s.newBlob(x), nil
	}
	return &blob{s: s, x: x, value: bytes.NewReader(value), end: func() {}}, nil
}

// Entry describes the version.
func (b *blob) Entry() engine.Entry { return b.x.entry() }

// Close releases the connection of who reads in order, and ends a ReadOn under way.
func (b *blob) Close() error {
	b.closed.Store(true)
	b.end()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stream.close()
	b.stream = nil
	return nil
}

func (b *blob) ready(ctx context.Context) error {
	if err := b.s.ready(ctx); err != nil {
		return err
	}
	if b.closed.Load() {
		return engine.ErrClosed
	}
	return nil
}

// ReadAt reads a part in a request of its own.
func (b *blob) ReadAt(ctx context.Context, p []byte, off int64) (n int, err error) {
	if err := b.ready(ctx); err != nil {
		return 0, err
	}
	if b.value != nil && off >= 0 {
		return b.value.ReadAt(p, off)
	}
	if n, err = b.s.readAt(ctx, b.x, p, off); err != nil && err != io.EOF {
		return 0, b.s.explain(ctx, err)
	}
	return n, err
}

// ReadOn reads on in one request for all that follows. It compares the checksum of a value that is
// read in order once its end is reached.
func (b *blob) ReadOn(ctx context.Context, p []byte, off int64) (int, error) {
	if err := b.ready(ctx); err != nil {
		return 0, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed.Load() { // while this call waited: nobody would close a stream
		return 0, engine.ErrClosed
	}
	n, err := b.next(ctx, p, off)
	switch {
	case err != nil && b.closed.Load():
		return 0, engine.ErrClosed
	case err != nil && err != io.EOF:
		return 0, b.s.explain(ctx, err)
	}
	if b.s.o.DisableVerification || !b.x.header.Meta.HasSum {
		return n, err
	}
	if off == 0 {
		b.sum, b.at = 0, 0
	}
	if off != b.at {
		return n, err // not in order: nothing can tell
	}
	sum := crc32.Update(b.sum, castagnoli, p[:n])
	if off+int64(n) == b.x.size && sum != b.x.header.Meta.Sum {
		return 0, fmt.Errorf("the value does not match its checksum: %w", engine.ErrCorrupt)
	}
	b.sum, b.at = sum, off+int64(n)
	return n, err
}

// next reads from the stream, which it opens if the next bytes of that are others.
func (b *blob) next(ctx context.Context, p []byte, off int64) (n int, err error) {
	rest := b.x.size - off
	if b.value != nil || off < 0 || rest <= int64(len(p)) && (b.stream == nil || b.stream.at != off) {
		return b.ReadAt(ctx, p, off) // nothing follows
	}
	if b.stream == nil || b.stream.at != off {
		b.stream.close()
		b.stream = b.newStream(off)
	}
	short := rest < int64(len(p))
	if n, err = b.stream.read(ctx, p[:min(rest, int64(len(p)))]); err != nil {
		b.stream.close()
		b.stream = nil
		if isGone(err) {
			err = errGone
		}
		return 0, err
	}
	if short {
		err = io.EOF
	}
	return n, err
}

// stream reads a blob in order from some byte on, a request for each object.
type stream struct {
	b      *blob
	at     int64
	body   io.ReadCloser // of the object that has the next byte, or nil
	left   int64         // bytes in body
	life   context.Context
	cancel context.CancelFunc
}

func (b *blob) newStream(off int64) *stream {
	r := &stream{b: b, at: off}
	r.life, r.cancel = context.WithCancel(b.life)
	return r
}

func (r *stream) close() {
	if r == nil {
		return
	}
	r.cancel()
	if r.body != nil {
		_ = r.body.Close()
		r.body = nil
	}
}

// read fills p. Requests outlive ctx, for the next call goes on with them, unless ctx ends meanwhile.
func (r *stream) read(ctx context.Context, p []byte) (n int, err error) {
	stop := context.AfterFunc(ctx, r.cancel)
	defer func() {
		if !stop() && err == nil { // ctx has ended with the last byte: the next call has one of its own
			r.close()
			r.life, r.cancel = context.WithCancel(r.b.life)
		}
	}()
	for n < len(p) {
		if r.body == nil {
			if err := r.open(); err != nil {
				return n, err
			}
		}
		k, err := io.ReadFull(r.body, p[n:min(int64(len(p)), int64(n)+r.left)])
		n += k
		r.at += int64(k)
		if r.left -= int64(k); err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return n, err
		}
		if r.left == 0 {
			if err := r.body.Close(); err != nil {
				return n, err
			}
			r.body = nil
		}
	}
	return n, nil
}

// open requests what follows of the object that has the next byte.
func (r *stream) open() (err error) {
	s, x := r.b.s, r.b.x
	if !x.large() {
		r.left = x.size - r.at
		_, r.body, err = s.b.Get(r.life, s.nameOf(x.key), object.Range{Off: r.at, Length: r.left, IfMatch: x.etag})
		return err
	}
	start := int64(0)
	for _, d := range x.target.Data {
		if from := r.at - start; from < d.Size {
			r.left = d.Size - from
			if _, r.body, err = s.b.Get(r.life, s.dataName(d.Name), object.Range{Off: from, Length: r.left}); err != nil {
				return s.lostData(r.life, x, d, err)
			}
			return nil
		}
		start += d.Size
	}
	return io.ErrUnexpectedEOF
}
