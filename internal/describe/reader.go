// Package describe computes statistics of the columns of a vault: sums, extremes, histograms,
// quartiles and distinct values.
package describe

import (
	"context"
	"errors"
	"iter"
	"math"
	"runtime"
	"sync"

	"github.com/kohakuvault/kvault/column"
)

// reader visits the elements of type E of a column, or of one that may hold nulls.
type reader[E any] struct {
	name, typ string
	// blocks visits the elements of a range; nulls are left out of the block and counted.
	blocks func(ctx context.Context, from, to int64, do func(block []E, nulls int64)) error
	length func(ctx context.Context) (int64, error)
	// encode appends an element as it is stored, and decode is the way back.
	encode func(dst []byte, x E) []byte
	decode func(b []byte) (E, error)
}

// columnOf is what the package needs of a *column.Column[E]. With the type itself the compiler
// would make all methods of Column here once more.
type columnOf[E any] = interface {
	Codec() column.Codec[E]
	BlocksOf(ctx context.Context, from, to int64) iter.Seq2[[]E, error]
}

// readerOf returns nil if the elements of d are of another type.
func readerOf[E any](d column.Dynamic) *reader[E] {
	r := &reader[E]{name: d.Name(), typ: d.Type(), length: d.Len}
	switch c := d.(type) {
	case columnOf[E]:
		r.blocks = func(ctx context.Context, from, to int64, do func([]E, int64)) error {
			for block, err := range c.BlocksOf(ctx, from, to) {
				if err != nil {
					return err
				}
				do(block, 0)
			}
			return nil
		}
		r.encode = encoder(c.Codec(), func(x E) E { return x })
		r.decode = c.Codec().Decode
	case columnOf[column.Null[E]]:
		r.blocks = func(ctx context.Context, from, to int64, do func([]E, int64)) error {
			var there []E
			for block, err := range c.BlocksOf(ctx, from, to) {
				if err != nil {
					return err
				}
				there = there[:0]
				for _, x := range block {
					if x.Valid {
						there = append(there, x.V)
					}
				}
				do(there, int64(len(block)-len(there)))
			}
			return nil
		}
		// The codec's encoding begins with a byte that says whether the element is there; the file
		// has it without.
		whole := encoder(c.Codec(), func(x E) column.Null[E] { return column.Null[E]{V: x, Valid: true} })
		r.encode = func(dst []byte, x E) []byte {
			b := whole(dst, x)
			return append(dst, b[min(len(dst)+1, len(b)):]...)
		}
		r.decode = func(b []byte) (E, error) {
			x, err := c.Codec().Decode(append([]byte{1}, b...))
			return x.V, err
		}
	default:
		return nil
	}
	return r
}

// encoder appends the encoded form of elements that have been decoded, so that they can be encoded.
func encoder[E, T any](codec column.Codec[T], element func(E) T) func([]byte, E) []byte {
	return func(dst []byte, x E) []byte {
		b, err := codec.Append(dst, element(x))
		if err != nil {
			return dst
		}
		return b
	}
}

// tally counts elements, and the nulls among them.
type tally struct{ elements, nulls int64 }

// fewElements are read faster by one worker.
const fewElements = 1 << 18

// workersFor is how many workers share a column: one reads while another computes.
func workersFor(length int64) int {
	if length < fewElements {
		return 1
	}
	return min(2, runtime.GOMAXPROCS(0))
}

// visit passes all elements on in parts, which each worker visits one after the other.
func (r *reader[E]) visit(ctx context.Context, workers int, do func(worker int, block []E)) (t tally, err error) {
	length, err := r.length(ctx)
	if err != nil {
		return t, err
	}
	tallies, errs := make([]tally, workers), make([]error, workers)
	share := length/int64(workers) + 1
	var all sync.WaitGroup
	for w := range workers {
		from, to := min(int64(w)*share, length), min(int64(w+1)*share, length)
		if w == workers-1 {
			to = math.MaxInt64
		}
		all.Go(func() {
			errs[w] = r.blocks(ctx, from, to, func(block []E, nulls int64) {
				tallies[w].elements += int64(len(block)) + nulls
				tallies[w].nulls += nulls
				do(w, block)
			})
		})
	}
	all.Wait()
	for _, part := range tallies {
		t.elements, t.nulls = t.elements+part.elements, t.nulls+part.nulls
	}
	return t, errors.Join(errs...)
}
