package column

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
)

// scattered is the layout of the package's version 0.4 and later: each entry of the index says in which chunk an element lies, and
// where. No element spans two chunks. What was replaced or removed leaves a hole, unless it was the last in its chunk.
type scattered struct {
	data  stream
	index fixed
}

// entry is where an element lies.
type entry struct{ chunk, start, end int64 }

func (e entry) size() int64 { return e.end - e.start }

func (e entry) appendTo(b []byte) []byte {
	for _, n := range []int64{e.chunk, e.start, e.end} {
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	return b
}

func entryAt(b []byte) entry {
	n := func(at int) int64 { return int64(int32(binary.LittleEndian.Uint32(b[at:]))) }
	return entry{n(0), n(4), n(8)}
}

func (s *scattered) length() int64 { return s.index.length() }

// entries reads the index from number from on, up to number to or as many as make a page.
func (s *scattered) entries(ctx context.Context, from, to int64) ([]entry, error) {
	raw := make([]byte, s.index.byteAt(min(to-from, entriesAtOnce)))
	if err := s.index.stream.read(ctx, s.index.byteAt(from), raw); err != nil {
		return nil, err
	}
	list := make([]entry, 0, len(raw)/entryBytes)
	for size := int64(0); len(raw) > 0; raw = raw[entryBytes:] {
		e := entryAt(raw)
		if e.chunk < 0 || e.start < 0 || e.end < e.start {
			return nil, fmt.Errorf("%w: element %d is said to lie in chunk %d from %d to %d", kvault.ErrCorrupt,
				from+int64(len(list)), e.chunk, e.start, e.end)
		}
		if size += e.size(); len(list) > 0 && size > pageBytes {
			break
		}
		list = append(list, e)
	}
	return list, nil
}

func (s *scattered) read(ctx context.Context, from, to int64, r *run) error {
	list, err := s.entries(ctx, from, to)
	if err != nil {
		return err
	}
	r.size, r.ends, r.data = 0, r.ends[:0], r.data[:0]
	for len(list) > 0 {
		// Elements that lie side by side are read together.
		whole, n := list[0], 1
		for ; n < len(list) && (list[n].size() == 0 || list[n].chunk == whole.chunk && list[n].start == whole.end); n++ {
			whole.end += list[n].size()
		}
		at := len(r.data)
		if err := s.readEntry(ctx, r, whole); err != nil {
			return err
		}
		for _, e := range list[:n] {
			at += int(e.size())
			r.ends = append(r.ends, at)
		}
		list = list[n:]
	}
	return nil
}

func (s *scattered) readEntry(ctx context.Context, r *run, e entry) error {
	if e.size() == 0 {
		return nil
	}
	size, err := s.data.a.ChunkSize(ctx, s.data.arr.ID, e.chunk)
	if err == nil && e.end > size {
		err = fmt.Errorf("chunk %d has %d bytes, not %d: %w", e.chunk, size, e.end, engine.ErrInvalid)
	}
	if err != nil {
		return s.data.damaged(err)
	}
	at := len(r.data)
	r.data = slices.Grow(r.data, int(e.size()))[:at+int(e.size())]
	return s.data.damaged(s.data.a.ReadChunk(ctx, s.data.arr.ID, e.chunk, e.start, r.data[at:]))
}

func (s *scattered) append(ctx context.Context, r *run) error {
	list, err := s.place(ctx, r)
	if err != nil {
		return err
	}
	return s.index.append(ctx, list)
}

func (s *scattered) set(ctx context.Context, i int64, b []byte) error {
	old, err := s.entries(ctx, i, i+1)
	if err != nil {
		return err
	}
	e := old[0]
	if int64(len(b)) > e.size() {
		list, err := s.place(ctx, single(b))
		if err != nil {
			return err
		}
		return errors.Join(s.index.set(ctx, i, list.data), s.release(ctx, e))
	}
	if len(b) > 0 {
		if err := s.data.damaged(s.data.a.WriteChunk(ctx, s.data.arr.ID, e.chunk, e.start, b)); err != nil {
			return err
		}
	}
	rest := entry{e.chunk, e.start + int64(len(b)), e.end}
	if rest.size() == 0 {
		return nil
	}
	e.end = rest.start
	if e.size() == 0 {
		e.start, e.end = 0, 0
	}
	return errors.Join(s.index.set(ctx, i, e.appendTo(nil)), s.release(ctx, rest))
}

func single(b []byte) *run { return &run{data: b, ends: []int{len(b)}} }

func (s *scattered) insert(ctx context.Context, i int64, b []byte) error {
	list, err := s.place(ctx, single(b))
	if err != nil {
		return err
	}
	return s.index.insert(ctx, i, list.data)
}

func (s *scattered) remove(ctx context.Context, i int64) error {
	if s.length() == 1 {
		return s.clear(ctx)
	}
	old, err := s.entries(ctx, i, i+1)
	if err != nil {
		return err
	}
	if err := s.index.remove(ctx, i); err != nil {
		return err
	}
	return s.release(ctx, old[0])
}

func (s *scattered) clear(ctx context.Context) error {
	if err := s.data.trim(ctx, 0); err != nil {
		return err
	}
	return s.index.clear(ctx)
}

// release gives up the bytes of an element. Its chunk stays, since empty elements may be said to lie there.
func (s *scattered) release(ctx context.Context, e entry) error {
	if e.size() == 0 {
		return nil
	}
	a, id := s.data.a, s.data.arr.ID
	used, deleted, err := a.ChunkUsed(ctx, id, e.chunk)
	switch {
	case err != nil:
		return s.data.damaged(err)
	case e.end >= used && e.start == 0:
		return a.ResizeChunk(ctx, id, e.chunk, 0)
	case e.end >= used:
		return a.SetChunkUsed(ctx, id, e.chunk, e.start, deleted)
	case deleted:
		return nil
	}
	return a.SetChunkUsed(ctx, id, e.chunk, used, true)
}

// compact writes all elements anew, without holes.
func (s *scattered) compact(ctx context.Context) error {
	if s.length() == 0 {
		return s.clear(ctx)
	}
	old := s.data.arr
	next := old
	next.Name += " compacted"
	next, err := s.data.a.CreateArray(ctx, next)
	if err != nil {
		return err
	}
	fresh := &scattered{data: stream{s.data.a, next}, index: s.index}
	for from, r := int64(0), new(run); from < s.length(); {
		if err := s.read(ctx, from, s.length(), r); err != nil {
			return err
		}
		list, err := fresh.place(ctx, r)
		if err != nil {
			return err
		}
		if err := s.index.write(ctx, s.index.byteAt(from), list.data); err != nil {
			return err
		}
		from += int64(r.len())
	}
	if err := s.index.compact(ctx); err != nil {
		return err
	}
	if err := s.data.a.DropArray(ctx, old.ID); err != nil {
		return err
	}
	return s.data.a.RenameArray(ctx, next.ID, old.Name)
}
