package column

import (
	"fmt"
	"slices"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column/internal/limits"
)

// run is a sequence of encoded elements, back to back. It can be filled anew again and again.
type run struct {
	data []byte
	// size is the length of each, or 0 if ends says where each of them ends.
	size int
	ends []int
	// lent says that data comes from a codec.
	lent bool
	// space, if not nil, is where data of n bytes is to be read to.
	space func(n int) []byte
}

// fill makes data n bytes long, for the caller to fill.
func (r *run) fill(n int64) []byte {
	if r.space != nil {
		r.data = r.space(int(n))
	} else {
		r.data = slices.Grow(r.data[:0], int(n))[:n]
	}
	return r.data
}

func (r *run) len() int {
	if r.size > 0 {
		return len(r.data) / r.size
	}
	return len(r.ends)
}

func (r *run) start(i int) int {
	switch {
	case r.size > 0:
		return i * r.size
	case i == 0:
		return 0
	}
	return r.ends[i-1]
}

func (r *run) at(i int) []byte { return r.data[r.start(i):r.start(i+1)] }

// roomAhead is how much room there is for most elements that differ in size.
const roomAhead = 64

// encode makes a run of elements.
func encode[T any](c Codec[T], xs ...T) (*run, error) {
	if c == nil {
		return nil, errNoCodec
	}
	r := &run{size: c.Size()}
	if b, ok := c.(bulk[T]); ok {
		r.data = b.appendAll(make([]byte, 0, len(xs)*r.size), xs)
		return r, nil
	}
	r.lent = true
	if r.size > 0 {
		r.data = make([]byte, 0, len(xs)*r.size)
	} else {
		r.ends = make([]int, 0, len(xs))
	}
	longest := limits.Element
	if _, nullable := c.(withNulls); nullable {
		longest++ // the element and what says that it is there
	}
	for i, x := range xs {
		r.grow()
		data, err := c.Append(r.data, x)
		if err == nil && !r.take(data, longest) {
			err = r.misfit(len(data)-len(r.data), longest, c.Type())
		}
		if err != nil {
			return nil, ofElement(int64(i), err)
		}
	}
	return r, nil
}

// grow makes room for an element: append would move a long run more often.
func (r *run) grow() {
	if n := len(r.data); r.size == 0 && cap(r.data)-n < roomAhead && n < 16*pageBytes {
		r.data = slices.Grow(r.data, max(n, roomAhead))
	}
}

// take makes data, to which a codec has appended an element of at most longest bytes, that of the
// run. It returns false if the element has a length that it must not have.
func (r *run) take(data []byte, longest int) bool {
	n := len(data) - len(r.data)
	if r.size > 0 && n != r.size || n < 0 || n > longest {
		return false
	}
	r.data = data
	if r.size == 0 {
		r.ends = append(r.ends, len(data))
	}
	return true
}

// misfit says what is wrong with the length of an element.
func (r *run) misfit(n, longest int, codec string) error {
	if r.size > 0 || n < 0 {
		return fmt.Errorf("codec %s made %d bytes, want %d: %w", codec, n, r.size, kvault.ErrInvalid)
	}
	return fmt.Errorf("it has %d bytes, at most %d are possible: %w", n, longest, kvault.ErrTooLarge)
}

// ofElement says which element an error is about.
func ofElement(i int64, err error) error { return fmt.Errorf("element %d: %w", i, err) }

// decode appends the elements of a run, of which the first has number from, to dst.
func decode[T any](c Codec[T], dst []T, r *run, from int64) ([]T, error) {
	n := r.len()
	if b, ok := c.(bulk[T]); ok {
		from := len(dst)
		dst = slices.Grow(dst, n)[:from+n]
		b.decodeAll(dst[from:], r.data)
		return dst, nil
	}
	for i := range n {
		x, err := c.Decode(r.at(i))
		if err != nil {
			return dst, ofElement(from+int64(i), err)
		}
		dst = append(dst, x)
	}
	return dst, nil
}
