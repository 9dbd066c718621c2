package column

import (
	"fmt"
	"slices"
	"unsafe"

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
	// from is the number of the first element, if they have been read from a column.
	from int64
	// numbers are those of the elements that were asked for, or nil if all were.
	numbers []int64
}

// fill makes data n bytes long, for the caller to fill. They lie where words may lie.
func (r *run) fill(n int64) []byte {
	if int64(cap(r.data)) < n {
		words := make([]uint64, ceilDiv(n, 8))
		r.data = memory(unsafe.Pointer(unsafe.SliceData(words)), len(words))
	}
	r.data = r.data[:n]
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

// count is how many elements were asked for.
func (r *run) count() int {
	if r.numbers != nil {
		return len(r.numbers)
	}
	return r.len()
}

// place is where element i of those that were asked for is among all.
func (r *run) place(i int) int {
	if r.numbers != nil {
		return int(r.numbers[i] - r.from)
	}
	return i
}

// roomAhead is how much room there is for most elements that differ in size.
const roomAhead = 64

// encode makes a run of elements, for a call.
func encode[T any](c *Column[T], op string, xs ...T) (*run, error) {
	r, err := c.h.newRun(len(xs))
	if err == nil && c.h.words {
		r.addWords(memory(unsafe.Pointer(unsafe.SliceData(xs)), len(xs)))
		return r, nil
	}
	for i := 0; i < len(xs) && err == nil; i++ {
		data, wrong := c.codec.Append(r.data, xs[i])
		err = c.h.take(r, data, wrong, i+1 < len(xs))
	}
	if err != nil {
		return nil, fail(op, c.h.name, err)
	}
	return r, nil
}

// newRun returns a run with room for n elements.
func (h *handle) newRun(n int) (*run, error) {
	if h.elements == nil {
		return nil, errNoCodec
	}
	r := &run{size: h.size, lent: !h.words}
	if r.size > 0 {
		r.data = make([]byte, 0, n*r.size)
	} else {
		r.ends = make([]int, 0, n)
		r.grow()
	}
	return r, nil
}

// addWords appends the memory of elements of a codec of words.
func (r *run) addWords(memory []byte) {
	before := len(r.data)
	r.data = append(r.data, memory...)
	turnWords(r.data[before:])
}

// words returns where the elements of a codec of words begin in memory. It can be called once for
// what has been read.
func (r *run) words() unsafe.Pointer {
	turnWords(r.data)
	return unsafe.Pointer(unsafe.SliceData(r.data))
}

// take makes data, to which a codec has appended an element unless it gave err, that of the run,
// and makes room if more are to come. It refuses an element of a length that it must not have.
func (h *handle) take(r *run, data []byte, err error, more bool) error {
	longest := limits.Element
	if h.nulls {
		longest++ // the element and what says that it is there
	}
	n := len(data) - len(r.data)
	if err == nil && (r.size > 0 && n != r.size || n < 0 || n > longest) {
		err = r.misfit(n, longest, h.typ)
	}
	if err != nil {
		return ofElement(int64(r.len()), err)
	}
	r.data = data
	if r.size == 0 {
		r.ends = append(r.ends, len(data))
		if more {
			r.grow()
		}
	}
	return nil
}

// grow makes room for an element: append would move a long run more often.
func (r *run) grow() {
	if n := len(r.data); cap(r.data)-n < roomAhead && n < 16*pageBytes {
		r.data = slices.Grow(r.data, max(n, roomAhead))
	}
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

// decode appends the elements of a run to dst.
func decode[T any](c *Column[T], dst []T, r *run) ([]T, error) {
	if c.h.words && r.numbers == nil {
		return append(dst, unsafe.Slice((*T)(r.words()), r.len())...), nil
	}
	for i := range r.count() {
		x, err := c.codec.Decode(r.at(r.place(i)))
		if err != nil {
			return dst, ofElement(r.from+int64(r.place(i)), err)
		}
		dst = append(dst, x)
	}
	return dst, nil
}

// decodePage returns the elements of a run in the memory of page or of the run, where they lie
// until the next one is read.
func decodePage[T any](c *Column[T], page []T, r *run) ([]T, error) {
	if c.h.words {
		return unsafe.Slice((*T)(r.words()), r.len()), nil
	}
	return decode(c, page[:0], r)
}

// decodeTo returns a function that appends the elements of runs to dst.
//
//go:noinline
func decodeTo[T any](c *Column[T], dst *[]T) func(r *run) error {
	return func(r *run) (err error) {
		*dst, err = decode(c, *dst, r)
		return err
	}
}
