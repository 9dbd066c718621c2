package describe

import (
	"bytes"
	"context"
	"math"
	"math/big"
	"sync"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/internal/stats"
)

// Description summarizes a column. Fields that its type does not have are nil.
type Description struct {
	Name string `json:"name"`
	Type string `json:"type"`
	// Count is how many elements there are, and Nulls how many of them are null. All else is of the
	// others, and of numbers only of the finite ones.
	Count int64 `json:"count"`
	Nulls int64 `json:"nulls"`
	NaN   int64 `json:"nan,omitempty"`
	// Infinite counts the infinities.
	Infinite int64 `json:"infinite,omitempty"`
	// Distinct is the number of different elements. If Estimated, it is an estimate with a standard
	// error of 0.8 %.
	Distinct  int64 `json:"distinct"`
	Estimated bool  `json:"distinct_estimated,omitempty"`
	// Mean and Deviation, that of a sample, are of numbers; of truth values the mean is the share
	// of those that are true.
	Mean      any `json:"mean,omitempty"`
	Deviation any `json:"std,omitempty"`
	// The extremes and quartiles are exact. A quartile between two elements is interpolated, and
	// that of times rounded down. Of texts there are only the extremes, in the order of their
	// bytes.
	Min any `json:"min,omitempty"`
	P25 any `json:"p25,omitempty"`
	P50 any `json:"p50,omitempty"`
	P75 any `json:"p75,omitempty"`
	Max any `json:"max,omitempty"`
	// Shortest and Longest are the lengths of texts and bytes, as they are stored.
	Shortest *int64 `json:"shortest,omitempty"`
	Longest  *int64 `json:"longest,omitempty"`
}

// Describe summarizes a column in one snapshot. It reads the column up to seven times, three times
// for most columns, and holds some megabytes in memory. Its errors are those of column.OpenAny and
// of reading.
func Describe(ctx context.Context, v *kvault.Vault, name string) (d *Description, err error) {
	err = column.View(ctx, v, func(tx *kvault.Tx) error {
		c, err := column.OpenAny(ctx, tx, name)
		if err != nil {
			return err
		}
		d = &Description{Name: c.Name(), Type: c.Type()}
		if d.Count, err = c.Len(ctx); err != nil {
			return err
		}
		f, err := feedOf(ctx, tx, c)
		if err != nil {
			return err
		}
		switch {
		case f.of == ofValues && f.floats != nil:
			return d.ofFloats(ctx, f)
		case f.of == ofValues, f.of == ofTimes, f.of == ofTruths:
			return d.ofInts(ctx, f)
		case f.each != nil:
			return d.ofBytes(ctx, f)
		}
		return nil
	})
	return d, err
}

// distinct tells how many different values there are.
func (d *Description) distinct(seen *stats.Distinct) {
	d.Distinct, d.Estimated = seen.Count(), !seen.Exact()
}

// number is x, or nil if it is not a number, which JSON cannot write.
func number(x float64) any {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return Real(x)
}

func (d *Description) ofInts(ctx context.Context, f *feed) error {
	workers := workersFor(d.Count)
	totals, squares, seen := make([]stats.Ints, workers), make([]stats.IntSquares, workers), make([]stats.Distinct, workers)
	t, err := f.ints(ctx, workers, func(w int, block []int64) {
		totals[w].Add(block)
		squares[w].Add(block)
		seen[w].AddInts(block)
	})
	if err != nil {
		return err
	}
	d.Count, d.Nulls = t.elements, t.nulls
	d.distinct(merge(seen, (*stats.Distinct).Merge))
	total := merge(totals, (*stats.Ints).Merge)
	if total.N == 0 {
		return nil
	}
	d.Min, d.Max = f.show(total.Min), f.show(total.Max)
	if f.of != ofTimes {
		sum := new(big.Rat).SetInt(total.Sum())
		if d.Mean = number(total.Mean()); f.of == ofTruths {
			return nil
		}
		d.Deviation = number(stats.Deviation(total.N, sum, merge(squares, (*stats.IntSquares).Merge).Rat()))
	}
	return d.quartiles(total.N, total.Min, total.Max, func(a, b int64, part float64) any {
		switch {
		case part == 0 || a == b:
			return f.show(a)
		case f.of == ofTimes:
			quarters, distance := uint64(4*part), uint64(b)-uint64(a)
			return f.show(a + int64(distance/4*quarters+distance%4*quarters/4))
		}
		return Real(stats.Between(float64(a), float64(b), part))
	}, func(add func([]int64)) error {
		_, err := f.ints(ctx, workers, func(_ int, block []int64) { add(block) })
		return err
	})
}

func (d *Description) ofFloats(ctx context.Context, f *feed) error {
	workers := workersFor(d.Count)
	totals, squares, seen := make([]stats.Floats, workers), make([]stats.FloatSquares, workers), make([]stats.Distinct, workers)
	t, err := f.floats(ctx, workers, func(w int, block []float64) {
		totals[w].Add(block)
		squares[w].Add(block)
		seen[w].AddFloats(block)
	})
	if err != nil {
		return err
	}
	d.Count, d.Nulls = t.elements, t.nulls
	d.distinct(merge(seen, (*stats.Distinct).Merge))
	total := merge(totals, (*stats.Floats).Merge)
	if d.NaN, d.Infinite = total.NaN, total.Infinite; total.N == 0 {
		return nil
	}
	d.Min, d.Max, d.Mean = Real(total.Min()), Real(total.Max()), number(total.Mean())
	d.Deviation = number(stats.Deviation(total.N, total.Rat(), merge(squares, (*stats.FloatSquares).Merge).Rat()))
	between := func(a, b int64, part float64) any {
		return Real(stats.Between(stats.Unordered(a), stats.Unordered(b), part))
	}
	keys := make([][]int64, workers)
	return d.quartiles(total.N, stats.Ordered(total.Min()), stats.Ordered(total.Max()), between, func(add func([]int64)) error {
		_, err := f.floats(ctx, workers, func(w int, block []float64) {
			keys[w] = keys[w][:0]
			for _, x := range block {
				if x-x == 0 { // finite
					keys[w] = append(keys[w], stats.Ordered(x))
				}
			}
			add(keys[w])
		})
		return err
	})
}

// quartiles finds the quartiles of n integers from low to high. Between makes one of the two
// elements that it lies between.
func (d *Description) quartiles(n, low, high int64, between func(a, b int64, part float64) any, scan func(add func([]int64)) error) error {
	var ranks []int64
	var parts []float64
	for k := int64(1); k <= 3; k++ {
		before, behind, part := stats.Quartile(n, k)
		ranks, parts = append(ranks, before, behind), append(parts, part)
	}
	var mu sync.Mutex // workers pass blocks at the same time
	found, err := stats.Ranks(n, low, high, ranks, func(add func([]int64)) error {
		return scan(func(block []int64) {
			mu.Lock()
			defer mu.Unlock()
			add(block)
		})
	})
	if err != nil {
		return err
	}
	for i, q := range []*any{&d.P25, &d.P50, &d.P75} {
		*q = between(found[2*i], found[2*i+1], parts[i])
	}
	return nil
}

// ofBytes describes elements by how they are stored.
func (d *Description) ofBytes(ctx context.Context, f *feed) error {
	var seen stats.Distinct
	var first, last []byte
	var shortest, longest int64
	some := false
	t, err := f.each(ctx, func(b []byte) {
		seen.AddBytes(b)
		n := int64(len(b))
		if !some {
			first, last, shortest, longest, some = bytes.Clone(b), bytes.Clone(b), n, n, true
		}
		shortest, longest = min(shortest, n), max(longest, n)
		if f.text && bytes.Compare(b, first) < 0 {
			first = append(first[:0], b...)
		}
		if f.text && bytes.Compare(b, last) > 0 {
			last = append(last[:0], b...)
		}
	})
	if err != nil {
		return err
	}
	d.Count, d.Nulls = t.elements, t.nulls
	d.distinct(&seen)
	if some && f.of == ofLengths {
		d.Shortest, d.Longest = &shortest, &longest
	}
	if some && f.text {
		d.Min, d.Max = string(first), string(last)
	}
	return nil
}
