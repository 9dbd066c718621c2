package cli

import (
	"context"
	"math"
	"strings"

	"github.com/kohakuvault/kvault/column"
)

// statsByType are what finds out about a column, each of which reports false if the column is not of its type.
var statsByType = []func(ctx context.Context, s *statsOfColumn, d column.Dynamic) (did bool, err error){
	when(statsOfNumbers[int64]), when(statsOfNumbers[float64]), when(statsOfLengths[string]), when(statsOfLengths[any]), when(statsOfBytes),
	vectors[float32], vectors[float64], vectors[int8], vectors[int16], vectors[int32], vectors[int64], vectors[uint8], vectors[uint16],
	vectors[uint32], vectors[uint64],
}

func when[T any](stats func(context.Context, *statsOfColumn, *column.Column[T]) error) func(context.Context, *statsOfColumn, column.Dynamic) (bool, error) {
	return func(ctx context.Context, s *statsOfColumn, d column.Dynamic) (bool, error) {
		c, ok := d.(*column.Column[T])
		if !ok {
			return false, nil
		}
		return true, stats(ctx, s, c)
	}
}

// statsOfBytes tells byte strings from vectors of bytes.
func statsOfBytes(ctx context.Context, s *statsOfColumn, c *column.Column[[]byte]) error {
	if strings.HasPrefix(c.Type(), "vec:") {
		return statsOfVectors(ctx, s, c, func(x []byte) []byte { return x })
	}
	return statsOfLengths(ctx, s, c)
}

// vectors looks at vectors of one shape, or of any.
func vectors[E column.Number](ctx context.Context, s *statsOfColumn, d column.Dynamic) (did bool, err error) {
	switch c := d.(type) {
	case *column.Column[[]E]:
		return true, statsOfVectors(ctx, s, c, func(x []E) []E { return x })
	case *column.Column[column.Tensor[E]]:
		return true, statsOfVectors(ctx, s, c, func(x column.Tensor[E]) []E { return x.Data })
	}
	return false, nil
}

func statsOfVectors[T any, E column.Number](ctx context.Context, s *statsOfColumn, c *column.Column[T], numbers func(T) []E) error {
	s.Of = "numbers"
	sum, low, high := 0.0, math.Inf(1), math.Inf(-1)
	err := each(ctx, c, func(x T) {
		for _, n := range numbers(x) {
			f := float64(n)
			sum, low, high = sum+f, min(low, f), max(high, f)
			s.Numbers++
		}
		s.Count++
	})
	if err != nil || s.Numbers == 0 {
		return err
	}
	s.Sum, s.Min, s.Max, s.Mean = finite(sum), finite(low), finite(high), finite(sum/float64(s.Numbers))
	s.Histogram, s.NotFinite, err = histogramOf(ctx, c, func(x T, count func(float64)) {
		for _, n := range numbers(x) {
			count(float64(n))
		}
	})
	return err
}
