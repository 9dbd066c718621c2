package column

import (
	"context"
	"fmt"
	"math"
	"math/big"

	"github.com/kohakuvault/kvault"
)

// Summary is what a column of numbers comes to.
type Summary[T int64 | float64] struct {
	// Count is the number of elements. If it is 0, so is all else, and Mean is not a number.
	Count int64
	// Sum is exact for integers, and for floating-point numbers as good as if they were added with twice the precision
	// (compensated summation).
	Sum T
	// Min and Max are those of all elements; not a number if an element is not.
	Min, Max T
	// Mean is the exact sum over the count, rounded once.
	Mean float64
}

// Summarize computes the summary of the elements that keep reports true for, or of all if keep is nil. It reads the column once,
// in one state, and holds a page of it in memory.
//
// If the sum of integers does not fit, the error is ErrTooLarge, and all but Sum is right.
func Summarize[T int64 | float64](ctx context.Context, c *Column[T], keep func(T) bool) (Summary[T], error) {
	s := Summary[T]{Mean: math.NaN()}
	sum := newSum[T]()
	var kept []T
	err := c.scan(ctx, func(block []T) {
		if keep != nil {
			kept = kept[:0]
			for _, x := range block {
				if keep(x) {
					kept = append(kept, x)
				}
			}
			block = kept
		}
		if len(block) == 0 {
			return
		}
		if s.Count == 0 {
			s.Min, s.Max = block[0], block[0]
		}
		for _, x := range block {
			s.Min, s.Max = min(s.Min, x), max(s.Max, x)
		}
		sum.add(block)
		s.Count += int64(len(block))
	})
	if err != nil || s.Count == 0 {
		return s, err
	}
	var fits bool
	s.Sum, s.Mean, fits = sum.total(s.Count)
	if !fits {
		return s, fail("sum", c.name, fmt.Errorf("the sum of %d integers needs more than 64 bits: %w", s.Count, kvault.ErrTooLarge))
	}
	return s, nil
}

// sum adds up numbers of one type.
type sum[T any] interface {
	add(block []T)
	// total returns the sum, the mean of n numbers, and whether the sum can be told in T.
	total(n int64) (sum T, mean float64, fits bool)
}

func newSum[T int64 | float64]() sum[T] {
	if s, ok := any(&intSum{}).(sum[T]); ok {
		return s
	}
	return any(&floatSum{}).(sum[T])
}

// intSum keeps the sum in two halves, so that neither can overflow before 2^31 blocks of 2^32 numbers.
type intSum struct{ high, low int64 }

func (s *intSum) add(block []int64) {
	for _, x := range block {
		s.high += x >> 32
		s.low += x & math.MaxUint32
		s.high += s.low >> 32
		s.low &= math.MaxUint32
	}
}

func (s *intSum) total(n int64) (int64, float64, bool) {
	exact := new(big.Int).Lsh(big.NewInt(s.high), 32)
	exact.Add(exact, big.NewInt(s.low))
	mean, _ := new(big.Rat).SetFrac(exact, big.NewInt(n)).Float64()
	if !exact.IsInt64() {
		return 0, mean, false
	}
	return exact.Int64(), mean, true
}

// floatSum is Neumaier's variant of Kahan's summation: lost gathers what each addition rounds away.
type floatSum struct{ sum, lost float64 }

func (s *floatSum) add(block []float64) {
	for _, x := range block {
		t := s.sum + x
		if math.Abs(s.sum) >= math.Abs(x) {
			s.lost += (s.sum - t) + x
		} else {
			s.lost += (x - t) + s.sum
		}
		s.sum = t
	}
}

func (s *floatSum) total(n int64) (float64, float64, bool) {
	sum := s.sum
	if !math.IsInf(sum, 0) && !math.IsNaN(sum) { // else what was rounded away is no number
		sum += s.lost
	}
	return sum, sum / float64(n), true
}
