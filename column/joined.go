package column

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/kohakuvault/kvault"
)

// joined is the layout of the package's versions 0.2 and 0.3: all elements back to back, and an
// index of where each of them ends. There are never holes, so a change of size moves all that lies
// behind.
type joined struct {
	data  stream
	index fixed
}

func (j *joined) length() int64 { return j.index.length() }

// ends reads where elements begin and end: the end of the one before from, then of those up to
// number to or as many as make a page.
func (j *joined) ends(ctx context.Context, from, to int64) ([]int64, error) {
	n := min(to-from, entriesAtOnce)
	raw := make([]byte, 8*(n+1))
	first, p := from-1, raw
	if from == 0 {
		first, p = 0, raw[8:] // the first element begins at 0
	}
	if err := j.index.stream.read(ctx, j.index.byteAt(first), p); err != nil {
		return nil, err
	}
	list := make([]int64, 0, n+1)
	for i := range n + 1 {
		end := int64(binary.LittleEndian.Uint64(raw[8*i:]))
		if end < 0 || end > j.data.arr.Length || i > 0 && end < list[i-1] {
			return nil, fmt.Errorf("%w: element %d is said to end at %d of %d bytes", kvault.ErrCorrupt, from+i-1, end, j.data.arr.Length)
		}
		if i > 1 && end-list[0] > pageBytes {
			break
		}
		list = append(list, end)
	}
	return list, nil
}

func (j *joined) read(ctx context.Context, from, to int64, r *run) error {
	list, err := j.ends(ctx, from, to)
	if err != nil {
		return err
	}
	start, end := list[0], list[len(list)-1]
	r.size, r.ends = 0, r.ends[:0]
	for _, e := range list[1:] {
		r.ends = append(r.ends, int(e-start))
	}
	return j.data.readRun(ctx, start, end-start, r)
}

func (j *joined) append(ctx context.Context, r *run) error {
	end, err := j.lastEnd(ctx)
	if err != nil {
		return err
	}
	list := &run{size: 8, data: make([]byte, 0, 8*r.len())}
	for i := range r.len() {
		list.data = binary.LittleEndian.AppendUint64(list.data, uint64(end)+uint64(r.start(i+1)))
	}
	if err := j.splice(ctx, end, j.data.arr.Length, r.data); err != nil {
		return err
	}
	return j.index.append(ctx, list)
}

// lastEnd is where the last element ends. There may be more data: the package wrote them before the
// index, in a transaction of their own.
func (j *joined) lastEnd(ctx context.Context) (int64, error) {
	n := j.length()
	if n == 0 {
		return 0, nil
	}
	list, err := j.ends(ctx, n-1, n)
	if err != nil {
		return 0, err
	}
	return list[1], nil
}

func (j *joined) set(ctx context.Context, i int64, b []byte) error {
	list, err := j.ends(ctx, i, i+1)
	if err != nil {
		return err
	}
	if err := j.splice(ctx, list[0], list[1], b); err != nil {
		return err
	}
	return j.shift(ctx, i, int64(len(b))-(list[1]-list[0]))
}

func (j *joined) insert(ctx context.Context, i int64, b []byte) error {
	list, err := j.ends(ctx, i, i+1)
	if err != nil {
		return err
	}
	if err := j.splice(ctx, list[0], list[0], b); err != nil {
		return err
	}
	if err := j.index.insert(ctx, i, binary.LittleEndian.AppendUint64(nil, uint64(list[0]))); err != nil {
		return err
	}
	return j.shift(ctx, i, int64(len(b)))
}

func (j *joined) remove(ctx context.Context, i int64) error {
	list, err := j.ends(ctx, i, i+1)
	if err != nil {
		return err
	}
	if err := j.splice(ctx, list[0], list[1], nil); err != nil {
		return err
	}
	if err := j.index.remove(ctx, i); err != nil {
		return err
	}
	return j.shift(ctx, i, list[0]-list[1])
}

func (j *joined) clear(ctx context.Context) error {
	if err := j.splice(ctx, 0, j.data.arr.Length, nil); err != nil {
		return err
	}
	return j.index.clear(ctx)
}

func (j *joined) compact(ctx context.Context) error {
	if err := j.data.trim(ctx, j.data.arr.Length); err != nil {
		return err
	}
	return j.index.compact(ctx)
}

// splice puts b in the place of the bytes from start to end.
func (j *joined) splice(ctx context.Context, start, end int64, b []byte) error {
	used, behind := j.data.arr.Length, start+int64(len(b))
	total := used + behind - end
	if total > used {
		if err := j.data.extend(ctx, used, total-used); err != nil {
			return err
		}
	}
	if behind != end {
		if err := j.data.move(ctx, behind, end, used-end); err != nil {
			return err
		}
	}
	if err := j.data.write(ctx, start, b); err != nil {
		return err
	}
	if total < used {
		if err := j.data.trim(ctx, total); err != nil {
			return err
		}
	}
	if total == used {
		return nil
	}
	return j.data.setLength(ctx, total)
}

// shift adds delta to the ends from element i on.
func (j *joined) shift(ctx context.Context, i, delta int64) error {
	if delta == 0 {
		return nil
	}
	for n := j.length(); i < n; {
		raw := make([]byte, 8*min(n-i, entriesAtOnce))
		if err := j.index.stream.read(ctx, j.index.byteAt(i), raw); err != nil {
			return err
		}
		for p := raw; len(p) > 0; p = p[8:] {
			binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)+uint64(delta))
		}
		if err := j.index.write(ctx, j.index.byteAt(i), raw); err != nil {
			return err
		}
		i += int64(len(raw) / 8)
	}
	return nil
}
