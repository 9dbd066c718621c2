package column

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/kohakuvault/kvault"
)

// scattered is the layout of the package's version 0.4 and later: each entry of the index says in
// which chunk an element lies, and where. No element spans two chunks. What was replaced or removed
// leaves a hole, unless it was the last of the column.
//
// Those that share a chunk lie in it in the order of their numbers: the package moves all that lies
// behind an element which becomes longer, and takes it for the elements of higher numbers. So one
// that is inserted, or becomes longer, has a chunk of its own.
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
	if err != nil {
		return s.data.damaged(err)
	}
	if err := s.data.holds(e.chunk, size, e.end); err != nil {
		return err
	}
	at := len(r.data)
	r.data = slices.Grow(r.data, int(e.size()))[:at+int(e.size())]
	return s.data.damaged(s.data.a.ReadChunk(ctx, s.data.arr.ID, e.chunk, e.start, r.data[at:]))
}

func (s *scattered) append(ctx context.Context, r *run) error {
	t, err := s.tail(ctx)
	if err != nil {
		return err
	}
	list, err := s.place(ctx, r, t)
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
	e, n := old[0], int64(len(b))
	if n > e.size() {
		next, err := s.lengthen(ctx, i, e, b)
		if err != nil {
			return err
		}
		return s.index.set(ctx, i, next.appendTo(nil))
	}
	if n > 0 {
		if err := s.data.damaged(s.data.a.WriteChunk(ctx, s.data.arr.ID, e.chunk, e.start, b)); err != nil {
			return err
		}
	}
	rest := entry{e.chunk, e.start + n, e.end}
	if rest.size() == 0 {
		return nil
	}
	e.end = rest.start
	return errors.Join(s.index.set(ctx, i, e.appendTo(nil)), s.release(ctx, i, rest))
}

// lengthen writes b in the place of the shorter element i, which lies at e, and returns where it
// lies now.
func (s *scattered) lengthen(ctx context.Context, i int64, e entry, b []byte) (entry, error) {
	if i == s.length()-1 { // all that is in its chunk lies before it
		t, err := s.behind(ctx, e)
		if err == nil {
			err = s.data.holds(t.chunk, t.size, e.start)
		}
		if err != nil {
			return e, err
		}
		if n := e.start + int64(len(b)); n <= max(t.size, s.data.arr.MaxChunk) && n <= math.MaxInt32 {
			t.used, t.from = e.start, e.start
			list, err := s.place(ctx, single(b), t)
			if err != nil {
				return e, err
			}
			return entryAt(list.data), nil
		}
	}
	alone, err := s.alone(ctx, i, e)
	if err != nil {
		return e, err
	}
	if alone && len(b) <= math.MaxInt32 {
		return entry{e.chunk, 0, int64(len(b))}, s.fill(ctx, e.chunk, b)
	}
	next, err := s.placeAlone(ctx, b)
	if err != nil {
		return e, err
	}
	return next, s.release(ctx, i, e)
}

// alone says whether element i, at e, has its chunk for itself. Empty ones before it do not count:
// they lie at the chunk's start.
func (s *scattered) alone(ctx context.Context, i int64, e entry) (bool, error) {
	if e.start > 0 || e.size() == 0 {
		return false, nil
	}
	used, _, err := s.data.a.ChunkUsed(ctx, s.data.arr.ID, e.chunk)
	if err != nil || e.end < used {
		return false, s.data.damaged(err)
	}
	for from := i + 1; from < s.length(); {
		list, err := s.entries(ctx, from, s.length())
		if err != nil || slices.ContainsFunc(list, func(other entry) bool { return other.chunk == e.chunk }) {
			return false, err
		}
		from += int64(len(list))
	}
	return true, nil
}

func single(b []byte) *run { return &run{data: b, ends: []int{len(b)}} }

func (s *scattered) insert(ctx context.Context, i int64, b []byte) error {
	if i == s.length() {
		return s.append(ctx, single(b))
	}
	e, err := s.placeBetween(ctx, i, b)
	if err != nil {
		return err
	}
	return s.index.insert(ctx, i, e.appendTo(nil))
}

// placeBetween writes an element that is to become number i. An empty one lies at the bound of its
// neighbour.
func (s *scattered) placeBetween(ctx context.Context, i int64, b []byte) (entry, error) {
	if len(b) > 0 {
		return s.placeAlone(ctx, b)
	}
	list, err := s.entries(ctx, max(i-1, 0), max(i, 1))
	if err != nil {
		return entry{}, err
	}
	if e := list[0]; i > 0 {
		return entry{e.chunk, e.end, e.end}, nil
	}
	return entry{list[0].chunk, list[0].start, list[0].start}, nil
}

func (s *scattered) remove(ctx context.Context, i int64) error {
	if s.length() == 1 {
		return s.clear(ctx)
	}
	old, err := s.entries(ctx, i, i+1)
	if err != nil {
		return err
	}
	if err := s.release(ctx, i, old[0]); err != nil {
		return err
	}
	return s.index.remove(ctx, i)
}

func (s *scattered) clear(ctx context.Context) error {
	if err := s.data.trim(ctx, 0); err != nil {
		return err
	}
	return s.index.clear(ctx)
}

// release gives up the bytes at e, the end of element i. Its chunk stays, since empty elements may
// be said to lie there.
func (s *scattered) release(ctx context.Context, i int64, e entry) error {
	if e.size() == 0 {
		return nil
	}
	a, id := s.data.a, s.data.arr.ID
	used, deleted, err := a.ChunkUsed(ctx, id, e.chunk)
	if err != nil {
		return s.data.damaged(err)
	}
	last := i == s.length()-1
	if !last && e.start == 0 {
		if last, err = s.alone(ctx, i, e); err != nil {
			return err
		}
	}
	switch {
	case last && e.start == 0:
		return a.ResizeChunk(ctx, id, e.chunk, 0)
	case last:
		return a.SetChunkUsed(ctx, id, e.chunk, min(used, e.start), deleted)
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
	next.Length = 0 // it means nothing in this layout
	next, err := s.data.a.CreateArray(ctx, next)
	if err != nil {
		return err
	}
	fresh := &scattered{data: stream{s.data.a, next}, index: s.index}
	t := tail{fresh: true}
	for from, r := int64(0), new(run); from < s.length(); {
		if err := s.read(ctx, from, s.length(), r); err != nil {
			return err
		}
		list, err := fresh.place(ctx, r, t)
		if err != nil {
			return err
		}
		if err := s.index.write(ctx, s.index.byteAt(from), list.data); err != nil {
			return err
		}
		from += int64(r.len())
		if t, err = fresh.behind(ctx, entryAt(list.data[len(list.data)-entryBytes:])); err != nil {
			return err
		}
	}
	if err := s.index.compact(ctx); err != nil {
		return err
	}
	if err := s.data.a.DropArray(ctx, old.ID); err != nil {
		return err
	}
	return s.data.a.RenameArray(ctx, next.ID, old.Name)
}
