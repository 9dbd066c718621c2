package sqlite

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
)

// blob reads one version of a value: a small one from memory, a large one from a snapshot of its
// own. A snapshot that holds up the write-ahead log is given up by evictReaders, for a newer one
// that has the same version or for a temporary file. What is in memory or in a temporary file was
// compared with its checksum on the way there.
type blob struct {
	s     *Store
	entry engine.Entry

	mu     sync.Mutex
	ended  error // what every further call returns
	bytes  []byte
	file   *tempFile
	conn   *driver.Conn
	cursor *cursor
	since  time.Time
	// run is how far ReadOn has come.
	run runningSum
}

var (
	_ engine.Verifier = (*blob)(nil)
	_ engine.Verifier = (*txBlob)(nil)
)

// Open returns the value of key for reading in parts.
func (s *Store) Open(ctx context.Context, key string) (engine.Blob, error) {
	if err := engine.CheckKey(key); err != nil {
		return nil, err
	}
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	var b *blob
	err := s.attempt(ctx, func() (err error) {
		b, err = s.openBlob(ctx, key)
		return err
	})
	if err != nil {
		return nil, s.explain(ctx, err)
	}
	s.register(b)
	return b, nil
}

func (s *Store) openBlob(ctx context.Context, key string) (*blob, error) {
	conn, err := s.getConn(ctx, s.streams)
	if err != nil {
		return nil, err
	}
	b, err := s.openOn(conn, key)
	err = s.verified(conn, err)
	if err == nil && b.cursor != nil && s.opt.DisableWAL {
		if err = b.spill(); err != nil { // without a log, a snapshot would keep every writer waiting
			b.letGo()
		}
	}
	if err != nil {
		s.streams.put(conn)
		return nil, err
	}
	if b.cursor == nil {
		s.streams.put(conn)
	} else {
		b.conn = conn
	}
	return b, nil
}

// openOn opens a blob in a snapshot that it begins on conn.
func (s *Store) openOn(conn *driver.Conn, key string) (*blob, error) {
	if err := conn.Begin(false); err != nil {
		return nil, err
	}
	t, err := s.tableIn(conn)
	if err != nil {
		return nil, err
	}
	return (&session{s: s, c: conn, t: t}).openBlob(key)
}

func (ses *session) openBlob(key string) (*blob, error) {
	r, err := ses.find(key)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, engine.ErrNotFound
	}
	b := &blob{s: ses.s, entry: r.entry, since: time.Now()}
	if r.entry.Size <= smallBytes {
		b.bytes, err = ses.readAll(r)
		return b, err
	}
	b.cursor, err = ses.cursor(r, !ses.s.opt.DisableVerification)
	return b, err
}

// Entry describes the version that the blob reads.
func (b *blob) Entry() engine.Entry { return b.entry }

// ReadAt reads from the version that the blob was opened on. It compares the chunk rows that it
// reads as a whole, and the value if that is all it reads.
func (b *blob) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	return b.read(ctx, p, off, nil)
}

// ReadOn is ReadAt for a caller who reads in order, as engine.Verifier says.
func (b *blob) ReadOn(ctx context.Context, p []byte, off int64) (int, error) {
	return b.read(ctx, p, off, &b.run)
}

func (b *blob) read(ctx context.Context, p []byte, off int64, run *runningSum) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, fmt.Errorf("offset %d is negative: %w", off, engine.ErrInvalid)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended != nil {
		return 0, b.ended
	}
	if off >= b.entry.Size {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), b.entry.Size-off))
	if err := b.readAt(ctx, p[:n], off, run); err != nil {
		return 0, b.s.explain(ctx, err)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (b *blob) readAt(ctx context.Context, p []byte, off int64, run *runningSum) error {
	switch {
	case b.file != nil:
		_, err := b.file.ReadAt(p, off)
		return err
	case b.cursor != nil:
		b.cursor.c.SetContext(ctx)
		err := b.s.verified(b.cursor.c, b.cursor.read(p, off, run))
		if errors.Is(err, errAgain) {
			b.ended = err
		}
		if err != nil && !b.cursor.c.InTransaction() {
			// An I/O error may end the snapshot. The same rows may hold another value in the next
			// one.
			b.ended = fmt.Errorf("the snapshot of %q was lost: %w", b.entry.Key, b.s.explain(ctx, err))
			return b.ended
		}
		return err
	}
	copy(p, b.bytes[off:])
	return nil
}

// Close gives the snapshot back.
func (b *blob) Close() error {
	b.s.unregister(b)
	return b.end(engine.ErrClosed)
}

func (b *blob) shut() { _ = b.end(engine.ErrClosed) }

func (b *blob) end(why error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended == nil {
		b.ended = why
	}
	b.bytes = nil
	b.letGo()
	if b.file == nil {
		return nil
	}
	err := b.file.Close()
	b.file = nil
	return err
}

// letGo ends the blob's own snapshot, if it has one.
func (b *blob) letGo() {
	if b.cursor != nil {
		b.cursor.close()
		b.cursor = nil
	}
	if b.conn != nil {
		b.s.streams.put(b.conn)
		b.conn = nil
	}
}

// runningSum is the checksum of the first at bytes of a value.
type runningSum struct {
	at  int64
	sum uint32
}

// read fills p from off, and compares what it reads with the checksums: each chunk row that it
// reads as a whole, and the whole value if p is that. A caller who reads in order passes the same
// run each time. Then it reads every chunk row as a whole, and compares the value once run has come
// to its end.
func (cu *cursor) read(p []byte, off int64, run *runningSum) error {
	size := cu.row.entry.Size
	if run == nil && off == 0 && int64(len(p)) == size {
		run = &runningSum{}
	}
	switch {
	case !cu.verifies:
		return cu.readAt(p, off)
	case cu.row.chunked && size > 0:
		return cu.readChunks(p, off, run)
	case run == nil || off != 0 && off != run.at:
		return cu.readAt(p, off)
	}
	next := runningSum{at: off}
	if off != 0 {
		next = *run
	}
	err := cu.readSummed(p, &next)
	if err == nil && next.at == size && next.sum != cu.sum {
		err = cu.refuted(p, off, &next)
	}
	if err == nil {
		*run = next
	}
	return err
}

// readSummed fills p with what follows the bytes that run has come past, and has it come past them.
// It sums up each piece while that is in the processor's cache.
func (cu *cursor) readSummed(p []byte, run *runningSum) error {
	for len(p) > 0 {
		piece := p
		if len(p) >= 2*sumBytes {
			piece = p[:sumBytes] // which leaves no short piece for the end
		}
		if err := cu.readAt(piece, run.at); err != nil {
			return err
		}
		run.sum = crc32.Update(run.sum, format.Castagnoli, piece)
		run.at += int64(len(piece))
		p = p[len(piece):]
	}
	return nil
}

// refuted has SQLite read again what does not match the checksum of the value: it alone reports
// damage. If p, the bytes from off on, is the whole value, p may then be right.
func (cu *cursor) refuted(p []byte, off int64, run *runningSum) error {
	first := run.sum
	if off == 0 && cu.fast == nil {
		return wrongSum(first, cu.sum)
	}
	cu.dropFast()
	if off == 0 {
		*run = runningSum{}
		return cu.read(p, off, run)
	}
	piece := make([]byte, sumBytes)
	for *run = (runningSum{}); run.at < cu.row.entry.Size; {
		rest := cu.row.entry.Size - run.at
		err := engine.ContextErr(cu.c.Context())
		if err == nil {
			err = cu.readSummed(piece[:min(rest, sumBytes)], run)
		}
		if err != nil {
			return err
		}
	}
	if run.sum != cu.sum {
		return wrongSum(run.sum, cu.sum)
	}
	return &engine.IOError{Op: "read", Err: fmt.Errorf("the value did not come out as it is stored "+
		"(its checksum was %08x in place of %08x); read it again", first, cu.sum)}
}

// readChunks is read of a value in chunk rows.
func (cu *cursor) readChunks(p []byte, off int64, run *runningSum) (err error) {
	for len(p) > 0 && err == nil {
		i, at := off/cu.row.ref.ChunkBytes, off%cu.row.ref.ChunkBytes
		size := cu.chunkSize(i)
		n := int(min(int64(len(p)), size-at))
		switch {
		case int64(n) == size:
			err = cu.readChunk(p[:n], i, run)
		case run != nil || cu.chunk != nil && cu.chunkNo == i:
			if err = cu.loadChunk(i, size, run); err == nil {
				copy(p[:n], cu.chunk[at:])
			}
		default:
			err = cu.readAt(p[:n], off)
		}
		p, off = p[n:], off+int64(n)
	}
	return err
}

// chunkSize is the length of a chunk.
func (cu *cursor) chunkSize(i int64) int64 {
	ref := cu.row.ref
	return min(ref.ChunkBytes, ref.Size-i*ref.ChunkBytes)
}

// loadChunk has a chunk in cu.chunk.
func (cu *cursor) loadChunk(i, size int64, run *runningSum) error {
	if cu.chunk != nil && cu.chunkNo == i {
		return nil
	}
	chunk := cu.chunk
	cu.chunk = nil
	if int64(cap(chunk)) < size {
		if _, err := cu.chunkSum(i, size); err != nil {
			return err // before memory is made for what is not there
		}
		chunk = make([]byte, size)
	}
	err := cu.readChunk(chunk[:size], i, run)
	if err == nil {
		cu.chunk, cu.chunkNo = chunk[:size], i
	}
	return err
}

// readChunk fills p with a whole chunk. With the last one the whole value is compared, if run has
// come past all before.
func (cu *cursor) readChunk(p []byte, i int64, run *runningSum) error {
	start := i * cu.row.ref.ChunkBytes
	want, err := cu.chunkSum(i, int64(len(p)))
	if err != nil {
		return err
	}
	chunk := runningSum{at: start}
	err = cu.readSummed(p, &chunk)
	if err == nil && chunk.sum != want && cu.fast != nil {
		cu.dropFast()
		chunk = runningSum{at: start}
		err = cu.readSummed(p, &chunk)
	}
	if err == nil && chunk.sum != want {
		err = fmt.Errorf("%w: chunk %d has checksum %08x, stored with %08x", engine.ErrCorrupt, i, chunk.sum, want)
	}
	if err != nil || run == nil {
		return err
	}
	next := chunk
	if start != 0 {
		if run.at != start {
			return nil
		}
		next.sum = format.JoinSums(run.sum, chunk.sum, int64(len(p)))
	}
	if next.at == cu.row.entry.Size && next.sum != cu.sum {
		return wrongSum(next.sum, cu.sum)
	}
	*run = next
	return nil
}

// chunkSum is the checksum that a chunk was stored with. The chunk has at least size bytes.
func (cu *cursor) chunkSum(i, size int64) (uint32, error) {
	st, err := cu.c.Prepare(`SELECT sum, octet_length(data) FROM ` + format.ChunksTable + ` WHERE id = ?1`)
	if err != nil {
		return 0, err
	}
	defer st.Reset()
	there, err := st.Int(1, format.ChunkRow(cu.chunks, i)).Step()
	switch {
	case err != nil:
		return 0, err
	case !there:
		return 0, cu.damaged("missing a chunk")
	case st.ColInt(1) < size:
		return 0, cu.damaged("shorter than its size says")
	}
	return uint32(st.ColInt(0)), nil
}
