package describe

import (
	"bytes"
	"context"
	"math"
	"math/big"
	"strconv"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/internal/stats"
)

// Stats are the sum, extremes, mean and histogram of the numbers of a column. What has no value is
// nil: the sum of times, for example, or all of them if there are no numbers.
type Stats struct {
	Name string `json:"name"`
	Type string `json:"type"`
	// Of says what the numbers are: the elements (values, times, truths), numbers in them, or their
	// lengths in bytes.
	Of string `json:"of"`
	// Count is how many elements there are, Nulls how many of them are null, Numbers how many
	// numbers there are in vectors.
	Count   int64 `json:"count"`
	Nulls   int64 `json:"nulls,omitempty"`
	Numbers int64 `json:"numbers,omitempty"`
	// True is how many elements are true.
	True *int64 `json:"true,omitempty"`
	// Sum is an int64, a *big.Int if it needs more than 64 bits, or a Real. It is nil if it is
	// beyond the largest float64.
	Sum any `json:"sum,omitempty"`
	// Min and Max are of the type of the numbers; times are text.
	Min       any   `json:"min,omitempty"`
	Max       any   `json:"max,omitempty"`
	Mean      any   `json:"mean,omitempty"`
	Histogram []Bin `json:"histogram,omitempty"`
	// NotFinite counts NaN and the infinities, which the fields above leave out.
	NotFinite int64 `json:"not_finite,omitempty"`
	NaN       int64 `json:"nan,omitempty"`
	Infinite  int64 `json:"infinite,omitempty"`
}

// Bin is a range of a histogram, both ends included for integers and times; of floating-point
// numbers only the last range includes its end.
type Bin struct {
	From  any   `json:"from"`
	To    any   `json:"to"`
	Count int64 `json:"count"`
}

// Real is a floating-point number. In JSON it has a point or an exponent, so that readers do not
// take a whole one for an integer.
type Real float64

// MarshalJSON writes a finite number as short as it can be.
func (x Real) MarshalJSON() ([]byte, error) {
	b := strconv.AppendFloat(nil, float64(x), 'g', -1, 64)
	if !bytes.ContainsAny(b, ".e") {
		b = append(b, ".0"...)
	}
	return b, nil
}

// Bins is the number of ranges that a histogram has by default, and MaxBins the largest.
const (
	Bins    = 10
	MaxBins = stats.MaxBins
)

// StatsOf computes the statistics of a column in one snapshot. It reads the column twice. The
// histogram has bins ranges, 1 to MaxBins, or fewer if the numbers are few.
func StatsOf(ctx context.Context, v *kvault.Vault, name string, bins int) (s *Stats, err error) {
	err = column.View(ctx, v, func(tx *kvault.Tx) error {
		d, err := column.OpenAny(ctx, tx, name)
		if err != nil {
			return err
		}
		f, err := feedOf(ctx, tx, d)
		if err != nil {
			return err
		}
		s = &Stats{Name: d.Name(), Type: d.Type(), Of: f.of}
		if s.Count, err = d.Len(ctx); err != nil {
			return err
		}
		switch {
		case f.ints != nil:
			return s.ofInts(ctx, f, bins)
		case f.floats != nil:
			return s.ofFloats(ctx, f, bins)
		}
		return nil
	})
	return s, err
}

func (s *Stats) counted(t tally, numbers int64) {
	s.Count, s.Nulls = t.elements, t.nulls
	if s.Of == ofNumbers {
		s.Numbers = numbers
	}
}

func (s *Stats) ofInts(ctx context.Context, f *feed, ranges int) error {
	workers := workersFor(s.Count)
	totals := make([]stats.Ints, workers)
	t, err := f.ints(ctx, workers, func(w int, block []int64) { totals[w].Add(block) })
	if err != nil {
		return err
	}
	total := merge(totals, (*stats.Ints).Merge)
	s.counted(t, total.N)
	if s.Of == ofTruths {
		n, _ := total.Int64()
		s.True = &n
		return nil
	}
	if total.N == 0 {
		return nil
	}
	s.Min, s.Max = f.show(total.Min), f.show(total.Max)
	if s.Of != ofTimes {
		sum := total.Sum()
		if _, unsigned := s.Min.(uint64); unsigned {
			sum.Add(sum, new(big.Int).Lsh(big.NewInt(total.N), 63))
		}
		s.Sum, s.Mean = any(sum), Real(stats.MeanOf(sum, total.N))
		if sum.IsInt64() {
			s.Sum = sum.Int64()
		}
	}
	bins := make([]*stats.IntBins, workers)
	for w := range bins {
		bins[w] = stats.NewIntBins(total.Min, total.Max, ranges)
	}
	if _, err := f.ints(ctx, workers, func(w int, block []int64) { bins[w].Add(block) }); err != nil {
		return err
	}
	for _, b := range bins[1:] {
		bins[0].Merge(b)
	}
	for i, count := range bins[0].Counts {
		s.Histogram = append(s.Histogram, Bin{f.show(bins[0].Starts[i]), f.show(bins[0].End(i)), count})
	}
	return nil
}

func (s *Stats) ofFloats(ctx context.Context, f *feed, ranges int) error {
	workers := workersFor(s.Count)
	totals := make([]stats.Floats, workers)
	t, err := f.floats(ctx, workers, func(w int, block []float64) { totals[w].Add(block) })
	if err != nil {
		return err
	}
	total := merge(totals, (*stats.Floats).Merge)
	s.NaN, s.Infinite, s.NotFinite = total.NaN, total.Infinite, total.NaN+total.Infinite
	s.counted(t, total.N+s.NotFinite)
	if total.N == 0 {
		return nil
	}
	s.Min, s.Max, s.Mean = Real(total.Min()), Real(total.Max()), Real(total.Mean())
	if sum := total.Sum(); !math.IsInf(sum, 0) {
		s.Sum = Real(sum)
	}
	bins := make([]*stats.FloatBins, workers)
	for w := range bins {
		bins[w] = stats.NewFloatBins(total.Min(), total.Max(), ranges)
	}
	if _, err := f.floats(ctx, workers, func(w int, block []float64) { bins[w].Add(block) }); err != nil {
		return err
	}
	for _, b := range bins[1:] {
		bins[0].Merge(b)
	}
	for i, count := range bins[0].Counts {
		s.Histogram = append(s.Histogram, Bin{Real(bins[0].Edges[i]), Real(bins[0].Edges[i+1]), count})
	}
	return nil
}

// merge puts what all workers have seen into the first, and returns that.
func merge[T any](parts []T, into func(*T, *T)) *T {
	for i := 1; i < len(parts); i++ {
		into(&parts[0], &parts[i])
	}
	return &parts[0]
}
