package describe

import (
	"context"
	"encoding/binary"
	"math"
	"strings"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

// What the numbers of a column are.
const (
	ofValues  = "values"  // the elements
	ofNumbers = "numbers" // those in the elements, which are vectors
	ofLengths = "lengths" // those of the encoded elements in bytes
	ofTimes   = "times"   // the elements, which are dates or timestamps
	ofTruths  = "truths"  // the elements, which are true or false
)

// feed passes on the numbers of a column: ints or floats, the other one is nil.
type feed struct {
	of     string
	length func(ctx context.Context) (int64, error)
	ints   feeder[int64]
	floats feeder[float64]
	// show is what an integer stands for.
	show func(int64) any
	// each visits the elements as they are stored, texts among them as what they are.
	each func(ctx context.Context, do func(encoded []byte)) (tally, error)
	text bool
}

type feeder[N any] func(ctx context.Context, workers int, add func(worker int, block []N)) (tally, error)

// feedOf returns the feed of a column of any type.
func feedOf(ctx context.Context, tx *kvault.Tx, d column.Dynamic) (*feed, error) {
	for _, of := range feeds {
		if f := of(d); f != nil {
			return f, nil
		}
	}
	stored, err := column.OpenStored(ctx, tx, d.Name())
	if err != nil {
		return nil, err
	}
	return feedStored(stored), nil
}

// feeds are for the types whose elements are faster to read as Go has them, or mean something else
// than what is stored.
var feeds = []func(column.Dynamic) *feed{when(feedInts), when(feedFloats), when(feedTexts), when(feedTruths), when(feedTimes)}

// when makes a feed of columns with elements of type E.
func when[E any](make func(r *reader[E], f *feed)) func(column.Dynamic) *feed {
	return func(d column.Dynamic) *feed {
		r := readerOf[E](d)
		if r == nil {
			return nil
		}
		f := &feed{of: ofValues, length: d.Len, show: func(x int64) any { return x }, each: r.stored}
		make(r, f)
		return f
	}
}

func (r *reader[E]) stored(ctx context.Context, do func(encoded []byte)) (tally, error) {
	var buf []byte
	return r.visit(ctx, 1, func(_ int, block []E) {
		for _, x := range block {
			buf = r.encode(buf[:0], x)
			do(buf)
		}
	})
}

func feedInts(r *reader[int64], f *feed)     { f.ints = r.visit }
func feedFloats(r *reader[float64], f *feed) { f.floats = r.visit }

func feedTruths(r *reader[bool], f *feed) {
	f.of = ofTruths
	f.show = func(x int64) any { return x != 0 }
	f.ints = flatten(r, func(dst []int64, x bool) []int64 {
		if x {
			return append(dst, 1)
		}
		return append(dst, 0)
	})
}

// feedTimes takes dates and timestamps for the counts that they are stored as.
func feedTimes(r *reader[time.Time], f *feed) {
	f.of = ofTimes
	layout := "2006-01-02T15:04:05.999999999"
	switch typ := strings.TrimSuffix(r.typ, ":null"); {
	case strings.HasSuffix(typ, ":date"):
		layout = time.DateOnly
	case strings.HasSuffix(typ, ":utc"):
		layout += "Z"
	}
	f.show = func(n int64) any {
		x, err := r.decode(binary.LittleEndian.AppendUint64(nil, uint64(n)))
		if err != nil {
			return nil // it lies between two that can be decoded
		}
		return x.Format(layout)
	}
	f.ints = func(ctx context.Context, workers int, add func(int, []int64)) (tally, error) {
		bufs := make([]buffer[int64], workers)
		return r.visit(ctx, workers, func(w int, block []time.Time) {
			b := &bufs[w]
			b.list = b.list[:0]
			for _, x := range block {
				b.bytes = r.encode(b.bytes[:0], x)
				b.list = append(b.list, int64(binary.LittleEndian.Uint64(b.bytes)))
			}
			add(w, b.list)
		})
	}
}

// buffer is the memory of one worker.
type buffer[N any] struct {
	list  []N
	bytes []byte
}

func feedTexts(r *reader[string], f *feed) {
	feedLengths(r, f)
	f.text = true
	f.each = func(ctx context.Context, do func([]byte)) (tally, error) {
		var buf []byte
		return r.visit(ctx, 1, func(_ int, block []string) {
			for _, x := range block {
				buf = append(buf[:0], x...)
				do(buf)
			}
		})
	}
}

func feedLengths[E any](r *reader[E], f *feed) {
	f.of = ofLengths
	f.ints = func(ctx context.Context, workers int, add func(int, []int64)) (tally, error) {
		bufs := make([]buffer[int64], workers)
		return r.visit(ctx, workers, func(w int, block []E) {
			b := &bufs[w]
			b.list = b.list[:0]
			for _, x := range block {
				b.bytes = r.encode(b.bytes[:0], x)
				b.list = append(b.list, int64(len(b.bytes)))
			}
			add(w, b.list)
		})
	}
}

// feedStored is the feed of a column of elements as they are stored.
func feedStored(d column.Dynamic) *feed {
	r := readerOf[[]byte](d)
	r.encode = func(dst, x []byte) []byte { return append(dst, x...) }
	f := &feed{length: d.Len, show: func(x int64) any { return x }, each: r.stored}
	if parts := strings.Split(strings.TrimSuffix(r.typ, ":null"), ":"); parts[0] == "vec" {
		feedVectors(r, f, parts[1], len(parts) > 2)
	} else {
		feedLengths(r, f)
	}
	return f
}

// feedVectors feeds the numbers in vectors of elem: behind a byte that says which they are, and
// behind the shape where that is not the same for all.
func feedVectors(r *reader[[]byte], f *feed, elem string, shaped bool) {
	f.of = ofNumbers
	numbers := func(x []byte) []byte {
		if shaped {
			return x[1:]
		}
		return x[2+4*int(x[1]):]
	}
	if elem == "f32" || elem == "f64" {
		f.floats = flatten(r, func(dst []float64, x []byte) []float64 {
			for b := numbers(x); len(b) > 0; {
				if elem == "f32" {
					dst, b = append(dst, float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))), b[4:]
				} else {
					dst, b = append(dst, math.Float64frombits(binary.LittleEndian.Uint64(b))), b[8:]
				}
			}
			return dst
		})
		return
	}
	if elem == "u64" {
		f.show = func(n int64) any { return uint64(n) ^ 1<<63 }
	}
	size, one := integers[elem].size, integers[elem].one
	f.ints = flatten(r, func(dst []int64, x []byte) []int64 {
		for b := numbers(x); len(b) > 0; b = b[size:] {
			dst = append(dst, one(b))
		}
		return dst
	})
}

// integers are the integers that vectors are made of. Those of u64 are moved by 2^63, which keeps
// their order.
var integers = map[string]struct {
	size int
	one  func(b []byte) int64
}{
	"i8":  {1, func(b []byte) int64 { return int64(int8(b[0])) }},
	"u8":  {1, func(b []byte) int64 { return int64(b[0]) }},
	"i16": {2, func(b []byte) int64 { return int64(int16(binary.LittleEndian.Uint16(b))) }},
	"u16": {2, func(b []byte) int64 { return int64(binary.LittleEndian.Uint16(b)) }},
	"i32": {4, func(b []byte) int64 { return int64(int32(binary.LittleEndian.Uint32(b))) }},
	"u32": {4, func(b []byte) int64 { return int64(binary.LittleEndian.Uint32(b)) }},
	"i64": {8, func(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) }},
	"u64": {8, func(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b) ^ 1<<63) }},
}

// flatten passes on the numbers that of appends for each element.
func flatten[E, N any](r *reader[E], of func(dst []N, x E) []N) feeder[N] {
	return func(ctx context.Context, workers int, add func(int, []N)) (tally, error) {
		bufs := make([]buffer[N], workers)
		return r.visit(ctx, workers, func(w int, block []E) {
			list := bufs[w].list[:0]
			for _, x := range block {
				list = of(list, x)
			}
			bufs[w].list = list
			add(w, list)
		})
	}
}
