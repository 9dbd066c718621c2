package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
)

// blob reads one version of a value: a small one from memory, a large one from a snapshot of its own. A snapshot that
// holds up the write-ahead log is given up by evictReaders, for a newer one that has the same version or for a
// temporary file.
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
}

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
	conn, err := s.take(ctx, s.streams)
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
	b.cursor, err = ses.cursor(r)
	return b, err
}

// Entry describes the version that the blob reads.
func (b *blob) Entry() engine.Entry { return b.entry }

// ReadAt reads from the version that the blob was opened on.
func (b *blob) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
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
	if err := b.readAt(ctx, p[:n], off); err != nil {
		return 0, b.s.explain(ctx, err)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (b *blob) readAt(ctx context.Context, p []byte, off int64) error {
	switch {
	case b.file != nil:
		_, err := b.file.ReadAt(p, off)
		return err
	case b.cursor != nil:
		b.cursor.c.SetContext(ctx)
		err := b.s.verified(b.cursor.c, b.cursor.readAt(p, off))
		if errors.Is(err, errAgain) {
			b.ended = err
		}
		if err != nil && !b.cursor.c.InTransaction() {
			// An I/O error may end the snapshot. The same rows may hold another value in the next one.
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
