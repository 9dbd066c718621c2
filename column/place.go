package column

import (
	"context"
	"fmt"
	"math"

	"github.com/kohakuvault/kvault"
)

// tail is the chunk that elements are being added to.
type tail struct {
	chunk, size, used int64
	deleted           bool
	fresh             bool // it does not exist yet
	from              int64
	first             int // of the bytes that are still to be written, which belong at from
}

// place writes elements behind the last, and returns their index entries.
func (s *scattered) place(ctx context.Context, r *run) (*run, error) {
	t, err := s.tail(ctx)
	if err != nil {
		return nil, err
	}
	list := &run{size: entryBytes}
	for i := range r.len() {
		n := int64(r.start(i+1) - r.start(i))
		if n > math.MaxInt32 {
			return nil, fmt.Errorf("element %d of %d bytes: %w for a column", i, n, kvault.ErrTooLarge)
		}
		if n > 0 && !s.fits(&t, n) {
			if err := s.flush(ctx, &t, r, r.start(i)); err != nil {
				return nil, err
			}
			t = tail{chunk: t.chunk + 1, fresh: true, first: r.start(i)}
		}
		if t.chunk > math.MaxInt32 {
			return nil, fmt.Errorf("chunk %d: %w for a column", t.chunk, kvault.ErrTooLarge)
		}
		e := entry{chunk: t.chunk}
		if n > 0 {
			e.start, e.end = t.used, t.used+n
		}
		list.data = e.appendTo(list.data)
		t.used += n
	}
	return list, s.flush(ctx, &t, r, len(r.data))
}

func (s *scattered) tail(ctx context.Context) (tail, error) {
	a, id := s.data.a, s.data.arr.ID
	n, err := a.Chunks(ctx, id)
	if err != nil || n == 0 {
		return tail{fresh: true}, err
	}
	t := tail{chunk: n - 1}
	if t.size, err = a.ChunkSize(ctx, id, t.chunk); err != nil {
		return t, err
	}
	t.used, t.deleted, err = a.ChunkUsed(ctx, id, t.chunk)
	t.from = t.used
	return t, err
}

// fits says whether the chunk can take n more bytes, after it has grown perhaps. An empty one takes an element of any size.
func (s *scattered) fits(t *tail, n int64) bool {
	return t.used+n <= max(t.size, s.data.arr.MaxChunk) || t.size == 0 && t.used == 0
}

// flush writes the bytes up to end to the tail.
func (s *scattered) flush(ctx context.Context, t *tail, r *run, end int) error {
	a, id := s.data.a, s.data.arr.ID
	if t.used > t.size || t.fresh {
		size := max(t.used, firstSize(s.data.arr.MinChunk, s.data.arr.MaxChunk, t.used))
		if err := a.ResizeChunk(ctx, id, t.chunk, size); err != nil {
			return err
		}
	}
	if t.first == end {
		return nil
	}
	if err := a.WriteChunk(ctx, id, t.chunk, t.from, r.data[t.first:end]); err != nil {
		return err
	}
	return a.SetChunkUsed(ctx, id, t.chunk, t.used, t.deleted)
}
