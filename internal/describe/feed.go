package describe

import (
	"context"
	"encoding/binary"
	"strings"
	"time"

	"github.com/kohakuvault/kvault/column"
)

// What the numbers of a column are.
const (
	ofValues   = "values"   // the elements
	ofNumbers  = "numbers"  // those in the elements, which are vectors
	ofLengths  = "lengths"  // those of the encoded elements in bytes
	ofTimes    = "times"    // the elements, which are dates or timestamps
	ofTruths   = "truths"   // the elements, which are true or false
	ofElements = "elements" // there are none
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
func feedOf(d column.Dynamic) *feed {
	for _, of := range feeds {
		if f := of(d); f != nil {
			return f
		}
	}
	return &feed{of: ofElements, length: d.Len}
}

var feeds = []func(column.Dynamic) *feed{
	when(feedInts), when(feedFloats), when(feedTexts), when(feedTruths), when(feedTimes), when(feedLengths[any]), when(feedBytes),
	vectors[float32], vectors[float64], vectors[int8], vectors[int16], vectors[int32], vectors[int64], vectors[uint8], vectors[uint16],
	vectors[uint32], vectors[uint64],
}

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

// feedBytes tells byte strings from vectors of bytes.
func feedBytes(r *reader[[]byte], f *feed) {
	if strings.HasPrefix(r.typ, "vec:") {
		feedVectors(r, f, func(x []byte) []byte { return x })
		return
	}
	feedLengths(r, f)
}

// vectors feeds the numbers of vectors of one shape, or of any.
func vectors[N column.Number](d column.Dynamic) *feed {
	if f := when(func(r *reader[[]N], f *feed) { feedVectors(r, f, func(x []N) []N { return x }) })(d); f != nil {
		return f
	}
	return when(func(r *reader[column.Tensor[N]], f *feed) {
		feedVectors(r, f, func(x column.Tensor[N]) []N { return x.Data })
	})(d)
}

func feedVectors[E any, N column.Number](r *reader[E], f *feed, numbers func(E) []N) {
	f.of = ofNumbers
	var one N
	switch any(one).(type) {
	case float32, float64:
		f.floats = flatten(r, func(dst []float64, x E) []float64 {
			for _, n := range numbers(x) {
				dst = append(dst, float64(n))
			}
			return dst
		})
	case uint64: // moved by 2^63, which keeps their order
		f.show = func(n int64) any { return uint64(n) ^ 1<<63 }
		f.ints = flatten(r, func(dst []int64, x E) []int64 {
			for _, n := range numbers(x) {
				dst = append(dst, int64(uint64(n)^1<<63))
			}
			return dst
		})
	default:
		f.ints = flatten(r, func(dst []int64, x E) []int64 {
			for _, n := range numbers(x) {
				dst = append(dst, int64(n))
			}
			return dst
		})
	}
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
