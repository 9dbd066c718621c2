package sqlite

import (
	"context"
	"errors"
	"time"
)

// evictAfter is how old a blob's snapshot must be before evictReaders moves it.
const evictAfter = time.Second

// evictReaders moves blobs off old snapshots, which keep the write-ahead log from being copied to its
// end. It skips blobs that another goroutine is reading; the next call tries them again.
func (s *Store) evictReaders() {
	if s.enter() != nil {
		return
	}
	defer s.leave()
	var moved []*blob
	for _, b := range s.blobs() {
		if !b.mu.TryLock() {
			continue
		}
		switch {
		case b.ended != nil || b.conn == nil || time.Since(b.since) <= evictAfter:
		case b.advance():
			moved = append(moved, b)
		default:
			_ = b.spill() // where there is no room for a copy, the snapshot stays
		}
		b.mu.Unlock()
	}
	if s.writer != nil && len(moved) > 0 {
		s.writer.ckpt.renew(moved)
	}
}

// blobs returns the open blobs.
func (s *Store) blobs() (list []*blob) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		if b, ok := c.(*blob); ok {
			list = append(list, b)
		}
	}
	return list
}

// renew moves blobs to snapshots that need nothing of the log, so that the next commit begins it
// anew. A snapshot needs nothing of the log if the file held all of it when the snapshot began, which
// takes a moment without commits. The caller does not have the turn.
func (k *checkpointer) renew(blobs []*blob) {
	w := k.w
	if w.take(context.Background()) != nil {
		return
	}
	defer w.release()
	advanceAll(blobs)
	k.wait()
	if k.copy() {
		advanceAll(blobs)
	}
}

// advanceAll advances the blobs that no other goroutine is using.
func advanceAll(blobs []*blob) {
	for _, b := range blobs {
		if !b.mu.TryLock() {
			continue
		}
		if b.ended == nil && b.conn != nil {
			b.advance()
		}
		b.mu.Unlock()
	}
}

// advance changes to a new snapshot, if that has the same version of the value; the old one is kept
// until that is known.
func (b *blob) advance() bool {
	conn, err := b.s.streams.get(context.Background())
	if err != nil {
		return false
	}
	fresh, err := b.s.openOn(conn, b.entry.Key)
	if err != nil || fresh.cursor == nil || b.entry.Meta.Tag == "" || fresh.entry.Meta.Tag != b.entry.Meta.Tag || fresh.cursor.row.ref != b.cursor.row.ref {
		b.s.streams.put(conn)
		return false
	}
	b.letGo()
	b.conn, b.cursor, b.since = conn, fresh.cursor, time.Now()
	return true
}

// spill copies the value to a temporary file and ends the snapshot, if it is the blob's own.
func (b *blob) spill() error {
	f, err := newTempFile("kvault-reader-*")
	if err != nil {
		return tempError(err)
	}
	b.cursor.c.SetContext(context.Background())
	err = b.cursor.each(func(p []byte) error {
		if _, err := f.Write(p); err != nil {
			return tempError(err)
		}
		return nil
	})
	if err != nil {
		return errors.Join(err, f.Close())
	}
	b.letGo()
	b.file = f
	return nil
}
