package column

import (
	"context"
	"fmt"
	"math"
	"math/big"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/stats"
)

// Summary is what a column of numbers comes to. NaN and the infinities are counted; all else is of
// the finite elements.
type Summary[T int64 | float64] struct {
	// Count is the number of elements, NaN and Infinite how many of them are not finite.
	Count, NaN, Infinite int64
	// Nulls is how many elements of a nullable column are null. They are not in Count, and nothing
	// else is of them.
	Nulls int64
	// Sum is the exact sum: of integers as it is, of floating-point numbers rounded once, and an
	// infinity if it is beyond the largest of them. It is 0 if there are no finite elements.
	Sum T
	// Min and Max are the extremes, 0 if there are no finite elements.
	Min, Max T
	// Mean is the exact sum over the number of finite elements, rounded once, and not a number if
	// there are none.
	Mean float64

	big *big.Int
}

// BigSum returns the sum of integers, which may need more than 64 bits, and nil for floating-point
// numbers.
func (s Summary[T]) BigSum() *big.Int {
	if s.big != nil {
		return new(big.Int).Set(s.big)
	}
	if sum, ok := any(s.Sum).(int64); ok {
		return big.NewInt(sum)
	}
	return nil
}

// Summarize computes the summary of the elements that keep reports true for, or of all if keep is
// nil. It reads the column once, in one state, and holds a page of it in memory.
//
// If the sum of integers does not fit into 64 bits, the error is ErrTooLarge and Sum is 0; all else
// is right, and BigSum has the sum.
func Summarize[T int64 | float64](ctx context.Context, c *Column[T], keep func(T) bool) (Summary[T], error) {
	return summarize(ctx, c, func(block []T) ([]T, int64) { return block, 0 }, keep)
}

// SummarizeNullable is Summarize for a nullable column. It counts the nulls, which keep does not
// see.
func SummarizeNullable[T int64 | float64](ctx context.Context, c *Column[Null[T]], keep func(T) bool) (Summary[T], error) {
	var there []T
	return summarize(ctx, c, func(block []Null[T]) ([]T, int64) {
		there = there[:0]
		for _, x := range block {
			if x.Valid {
				there = append(there, x.V)
			}
		}
		return there, int64(len(block) - len(there))
	}, keep)
}

// summarize summarizes the numbers in a column of E. Numbers returns those of a block and the
// number of nulls in it.
func summarize[E any, T int64 | float64](ctx context.Context, c *Column[E], numbers func(block []E) ([]T, int64), keep func(T) bool) (Summary[T], error) {
	total := newTotal[T]()
	var nulls int64
	var kept []T
	var block []E
	err := c.h.whole(ctx, func(page *run) (err error) {
		if block, err = decodePage(c, block, page); err != nil {
			return err
		}
		list, missing := numbers(block)
		nulls += missing
		if keep != nil {
			kept = kept[:0]
			for _, x := range list {
				if keep(x) {
					kept = append(kept, x)
				}
			}
			list = kept
		}
		total.Add(list)
		return nil
	})
	if err != nil {
		return Summary[T]{Mean: math.NaN()}, err
	}
	s := total.summary()
	s.Nulls = nulls
	if s.big != nil {
		const text = "the sum of %d integers needs more than 64 bits: %w"
		err = fmt.Errorf(text, s.Count, kvault.ErrTooLarge)
		err = fail("sum", c.h.name, err)
	}
	return s, err
}

// total summarizes numbers of one type.
type total[T int64 | float64] interface {
	Add(block []T)
	summary() Summary[T]
}

func newTotal[T int64 | float64]() total[T] {
	if t, ok := any(new(intTotal)).(total[T]); ok {
		return t
	}
	return any(new(floatTotal)).(total[T])
}

type intTotal struct{ stats.Ints }

func (t *intTotal) summary() Summary[int64] {
	s := Summary[int64]{Count: t.N, Min: t.Min, Max: t.Max, Mean: t.Mean()}
	if sum, fits := t.Int64(); fits {
		s.Sum = sum
	} else {
		s.big = t.Ints.Sum()
	}
	return s
}

type floatTotal struct{ stats.Floats }

func (t *floatTotal) summary() Summary[float64] {
	return Summary[float64]{Count: t.N + t.NaN + t.Infinite, NaN: t.NaN, Infinite: t.Infinite, Sum: t.Sum(), Min: t.Min(), Max: t.Max(), Mean: t.Mean()}
}
