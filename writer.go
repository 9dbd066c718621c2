package kvault

import (
	"context"
	"io"
	"sync"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/contenttype"
)

// Writer takes a value piece by piece. Close publishes it; before that nothing of it is visible.
// Abort discards it. A Writer holds one chunk in memory, and is for one goroutine.
//
//	w, err := v.NewWriter(ctx, "report.csv", nil)
//	if err != nil {
//		return err
//	}
//	defer w.Abort() // does nothing after Close
//	if err := render(w); err != nil {
//		return err
//	}
//	return w.Close()
type Writer struct {
	ctx   context.Context
	s     executor
	key   string
	o     *PutOptions
	chunk int

	buf    []byte // at most a chunk, and one byte more inside ReadFrom
	head   []byte // the first bytes of a staged value
	stage  engine.Stage
	size   int64
	entry  Entry
	done   bool
	err    error // the first failure, or the error of calls after the end
	closed error // the result of Close, if it has published the value
}

var (
	_ io.WriteCloser = (*Writer)(nil)
	_ io.ReaderFrom  = (*Writer)(nil)
)

var errWriterClosed error = &worded{"writer is closed", ErrClosed}

// NewWriter starts a value. ctx bounds all calls of the Writer, not only this one. Close checks the
// conditions of the options.
func (v *Vault) NewWriter(ctx context.Context, key string, o *PutOptions) (*Writer, error) {
	w, err := newWriter(ctx, v, key, o)
	return w, fail("put", key, err)
}

// NewWriter is Vault.NewWriter in the transaction. Close the writer before the transaction ends.
// Other writers wait until then.
func (t *Tx) NewWriter(ctx context.Context, key string, o *PutOptions) (*Writer, error) {
	w, err := newWriter(ctx, t, key, o)
	return w, fail("put", key, err)
}

func newWriter(ctx context.Context, s executor, key string, o *PutOptions) (*Writer, error) {
	o, err := o.checked(key)
	if err == nil {
		err = s.writable(ctx)
	}
	if err != nil {
		return nil, err
	}
	w := &Writer{ctx: ctx, s: s, key: key, o: o, chunk: o.ChunkSize}
	if w.chunk == 0 {
		w.chunk = s.chunkSize()
	}
	return w, nil
}

// Write adds p to the value. After a failure every further call, Close included, returns the same
// error.
func (w *Writer) Write(p []byte) (n int, err error) {
	if err := w.ready(); err != nil {
		return 0, err
	}
	for n < len(p) {
		if len(w.buf) == w.chunk {
			if err := w.emit(); err != nil {
				return n, w.broken(err)
			}
		}
		part := p[n:min(len(p), n+w.chunk-len(w.buf))]
		if need := len(w.buf) + len(part); need > cap(w.buf) {
			w.enlarge(min(max(need, 2*cap(w.buf)), w.chunk+1))
		}
		w.buf = append(w.buf, part...)
		n += len(part)
		if err := w.grown(len(part)); err != nil {
			return n, w.broken(err)
		}
	}
	return n, nil
}

// ReadFrom adds the bytes of r up to io.EOF, and reads into the writer's own buffer. If r fails,
// the error is an *IOError.
func (w *Writer) ReadFrom(r io.Reader) (total int64, err error) {
	if err := w.ready(); err != nil {
		return 0, err
	}
	for {
		// One byte more than a chunk shows whether this chunk is the last.
		n, err := readMore(w.ctx, r, w.room())
		w.buf = w.buf[:len(w.buf)+n]
		total += int64(n)
		if err == nil || err == io.EOF {
			if tooLong := w.grown(n); tooLong != nil {
				err = tooLong
			} else if len(w.buf) > w.chunk {
				if failed := w.emit(); failed != nil {
					err = failed
				}
			}
		}
		switch err {
		case nil:
		case io.EOF:
			return total, nil
		default:
			return total, w.broken(err)
		}
	}
}

// smallest is the first size of the buffer. Buffers of pooled bytes or more come from a pool.
const (
	smallest = 32 << 10
	pooled   = 256 << 10
)

// buffers holds buffers for chunks of the default size: allocating one takes as long as filling it.
var buffers = sync.Pool{New: func() any { return new([DefaultChunkSize + 1]byte) }}

// room returns the free part of the buffer. If there is none it enlarges the buffer, in steps, so
// that a small value takes little memory.
func (w *Writer) room() []byte {
	if len(w.buf) == cap(w.buf) {
		size := max(smallest, 2*cap(w.buf))
		if w.o.SizeKnown && w.o.Size < int64(w.chunk) {
			size = max(int(w.o.Size), cap(w.buf)) + 1
		} else if w.o.SizeKnown {
			size = w.chunk + 1
		}
		w.enlarge(min(size, w.chunk+1))
	}
	return w.buf[len(w.buf):min(cap(w.buf), w.chunk+1)]
}

func (w *Writer) enlarge(size int) {
	var larger []byte
	if size >= pooled && w.chunk == DefaultChunkSize {
		larger = buffers.Get().(*[DefaultChunkSize + 1]byte)[:len(w.buf)]
	} else {
		larger = make([]byte, len(w.buf), size)
	}
	copy(larger, w.buf)
	w.buf = larger
}

// grown counts n bytes more, and fails if they exceed the size in the options.
func (w *Writer) grown(n int) error {
	w.size += int64(n)
	if w.o.SizeKnown && w.size > w.o.Size {
		return invalid("source gave more than the %d bytes that size says", w.o.Size)
	}
	return nil
}

// emit stages one whole chunk of the buffer.
func (w *Writer) emit() error {
	chunk := w.buf[:min(len(w.buf), w.chunk)]
	if w.stage == nil {
		size := int64(-1)
		if w.o.SizeKnown {
			size = w.o.Size
		}
		var err error
		if w.stage, err = w.s.stage(w.ctx, engine.StageOptions{ChunkSize: w.chunk, Size: size}); err != nil {
			w.stage = nil
			return err
		}
		w.head = append(w.head, chunk[:min(len(chunk), contenttype.Sniffed)]...)
	}
	if err := w.s.do(w.ctx, func(engine.Reader) error { return w.stage.WriteChunk(w.ctx, chunk) }); err != nil {
		return err
	}
	w.buf = w.buf[:copy(w.buf, w.buf[len(chunk):])]
	return nil
}

// Close publishes the value: all of it, or none if it fails. Closing again returns the same result.
func (w *Writer) Close() error {
	if w.done {
		if w.err == errWriterClosed {
			return w.closed
		}
		return w.err
	}
	if err := w.ready(); err != nil {
		return w.broken(err)
	}
	if w.o.SizeKnown && w.size != w.o.Size {
		return w.broken(invalid("source gave %d bytes, size says %d", w.size, w.o.Size))
	}
	entry, err := w.publish()
	if err != nil && !isKept(err) {
		return w.broken(err)
	}
	w.entry, w.closed = entry, err
	w.end(errWriterClosed)
	return err
}

// publish stores the value, the rest of the buffer included.
func (w *Writer) publish() (Entry, error) {
	if w.stage == nil {
		op := engine.Op{Kind: engine.Put, Key: w.key, Value: w.buf, Meta: w.o.metaOf(w.key, w.buf), If: w.o.condition()}
		return publish(w.ctx, w.s, op)
	}
	if len(w.buf) > 0 {
		if err := w.emit(); err != nil {
			return Entry{}, fail("put", w.key, err)
		}
	}
	meta := w.o.meta(w.key, w.head)
	meta.Sum, meta.HasSum = w.stage.Sum(), true
	return publish(w.ctx, w.s, engine.Op{Kind: engine.Put, Key: w.key, Staged: w.stage, Meta: meta, If: w.o.condition()})
}

// Abort discards the value, unless Close has published it.
func (w *Writer) Abort() {
	if !w.done {
		w.discard()
		w.end(fail("put", w.key, &worded{"writer was aborted", ErrClosed}))
	}
}

// SetMetadata changes what the options of NewWriter say of content type, time and user metadata,
// until Close: a digest of the value is known only once all of it has been written. What o leaves
// empty stays as it was. ErrInvalid if o has an IfTag: the conditions are those of NewWriter. After
// an error the Writer goes on as before.
func (w *Writer) SetMetadata(o *MetadataOptions) error {
	if err := w.ready(); err != nil {
		return err
	}
	return fail("put", w.key, o.over(&w.o.ContentType, &w.o.ModTime, &w.o.User))
}

// Entry describes the value that Close has stored; before that it is zero.
func (w *Writer) Entry() Entry { return w.entry }

// ready fails if the writer takes no more bytes.
func (w *Writer) ready() error {
	switch {
	case w.err != nil:
		return fail("put", w.key, w.err)
	case w.ctx.Err() != nil:
		return w.broken(w.ctx.Err())
	}
	return nil
}

// broken discards the value because of err, and makes every later call return err.
func (w *Writer) broken(err error) error {
	err = fail("put", w.key, err)
	if w.err == nil {
		w.discard()
		w.end(err)
	}
	return err
}

// discard drops the stage. A failure does not matter: the store collects abandoned stages.
func (w *Writer) discard() {
	if w.stage != nil {
		w.stage.Abort()
	}
}

func (w *Writer) end(err error) {
	w.done, w.err = true, err
	if cap(w.buf) == DefaultChunkSize+1 {
		buffers.Put((*[DefaultChunkSize + 1]byte)(w.buf[:DefaultChunkSize+1]))
	}
	w.buf, w.head, w.stage = nil, nil, nil
}
