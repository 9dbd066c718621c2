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

// place writes elements behind the tail, and returns their index entries. An empty one lies where
// the next would.
func (s *scattered) place(ctx context.Context, r *run, t tail) (*run, error) {
	list := &run{size: entryBytes, data: make([]byte, 0, entryBytes*r.len())}
	for i := range r.len() {
		n := int64(r.start(i+1) - r.start(i))
		if n > math.MaxInt32 {
			return nil, fmt.Errorf("element %d of %d bytes: %w for a column", i, n, kvault.ErrTooLarge)
		}
		if n > 0 && !s.fits(&t, n) {
			if err := s.flush(ctx, &t, r, r.start(i)); err != nil {
				return nil, err
			}
			next, err := s.fresh(ctx)
			if err != nil {
				return nil, err
			}
			t, t.first = next, r.start(i)
		}
		if t.chunk > math.MaxInt32 {
			return nil, fmt.Errorf("chunk %d: %w for a column", t.chunk, kvault.ErrTooLarge)
		}
		list.data = entry{t.chunk, t.used, t.used + n}.appendTo(list.data)
		t.used += n
	}
	return list, s.flush(ctx, &t, r, len(r.data))
}

// fresh is the chunk behind all others, which does not exist yet.
func (s *scattered) fresh(ctx context.Context) (tail, error) {
	n, err := s.data.a.Chunks(ctx, s.data.arr.ID)
	return tail{chunk: n, fresh: true}, err
}

// tail is the chunk of the last element. Others may be numbered higher: those of elements that were
// inserted or became longer.
func (s *scattered) tail(ctx context.Context) (tail, error) {
	if s.length() == 0 {
		err := s.data.trim(ctx, 0) // the package leaves chunks behind
		return tail{fresh: true}, err
	}
	list, err := s.entries(ctx, s.length()-1, s.length())
	if err != nil {
		return tail{}, err
	}
	last := list[0]
	t, err := s.behind(ctx, last)
	if err == nil && last.size() > 0 {
		err = s.data.holds(t.chunk, t.size, last.end)
	}
	return t, err
}

// behind is the chunk in which e is the last element, from where it ends.
func (s *scattered) behind(ctx context.Context, e entry) (t tail, err error) {
	a, id := s.data.a, s.data.arr.ID
	t = tail{chunk: e.chunk}
	if t.size, err = a.ChunkSize(ctx, id, t.chunk); err != nil {
		return t, s.data.damaged(err)
	}
	if t.used, t.deleted, err = a.ChunkUsed(ctx, id, t.chunk); err != nil {
		return t, s.data.damaged(err)
	}
	t.used = max(t.used, e.end)
	t.from = t.used
	return t, nil
}

// placeAlone gives an element a chunk of its own.
func (s *scattered) placeAlone(ctx context.Context, b []byte) (entry, error) {
	t, err := s.fresh(ctx)
	if err != nil {
		return entry{}, err
	}
	e := entry{t.chunk, 0, int64(len(b))}
	if e.end > math.MaxInt32 || e.chunk > math.MaxInt32 {
		return e, fmt.Errorf("element of %d bytes in chunk %d: %w for a column", e.end, e.chunk, kvault.ErrTooLarge)
	}
	return e, s.fill(ctx, e.chunk, b)
}

// fill makes b the whole content of a chunk.
func (s *scattered) fill(ctx context.Context, chunk int64, b []byte) error {
	a, id, n := s.data.a, s.data.arr.ID, int64(len(b))
	if err := a.ResizeChunk(ctx, id, chunk, n); err != nil {
		return err
	}
	if err := a.WriteChunk(ctx, id, chunk, 0, b); err != nil {
		return err
	}
	return a.SetChunkUsed(ctx, id, chunk, n, false)
}

// fits says whether the chunk can take n more bytes, after it has grown perhaps. An empty one takes
// an element of any size.
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
