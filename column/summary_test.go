package column_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

func TestSummarizeIntegers(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		ctx := t.Context()
		c := create(t, v, "ints", column.Int64, tiny)
		s, err := column.Summarize(ctx, c, nil)
		must(t, err)
		if s.Count != 0 || s.Sum != 0 || s.Min != 0 || s.Max != 0 || !math.IsNaN(s.Mean) {
			t.Errorf("summary of nothing: %+v", s)
		}
		r := rand.New(rand.NewPCG(1, 2))
		var xs []int64
		exact := new(big.Int)
		for range 1000 {
			x := int64(r.Uint64()) / 2000
			xs = append(xs, x)
			exact.Add(exact, big.NewInt(x))
		}
		must(t, c.Extend(ctx, xs))
		s, err = column.Summarize(ctx, c, nil)
		must(t, err)
		mean, _ := new(big.Rat).SetFrac(exact, big.NewInt(1000)).Float64()
		if want := (column.Summary[int64]{Count: 1000, Sum: exact.Int64(), Min: minOf(xs), Max: maxOf(xs), Mean: mean}); s != want {
			t.Errorf("%+v, want %+v", s, want)
		}
		positive := func(x int64) bool { return x > 0 }
		s, err = column.Summarize(ctx, c, positive)
		must(t, err)
		n, err := c.Count(ctx, positive)
		must(t, err)
		if s.Count != n || n == 0 || n == 1000 || s.Min <= 0 || s.Max != maxOf(xs) {
			t.Errorf("%d positive numbers, %+v", n, s)
		}
	})
}

func minOf(xs []int64) int64 { return -maxOf(mapped(xs, func(x int64) int64 { return -x })) }

func maxOf(xs []int64) int64 {
	m := xs[0]
	for _, x := range xs {
		m = max(m, x)
	}
	return m
}

func mapped[A, B any](xs []A, f func(A) B) []B {
	var ys []B
	for _, x := range xs {
		ys = append(ys, f(x))
	}
	return ys
}

func TestSummarizeLargeIntegers(t *testing.T) {
	v := openFile(t, newPath(t))
	ctx := t.Context()
	c := create(t, v, "ints", column.Int64, tiny)
	must(t, c.Extend(ctx, []int64{math.MaxInt64, math.MaxInt64, math.MinInt64, math.MinInt64}))
	s, err := column.Summarize(ctx, c, nil)
	must(t, err)
	if s.Sum != -2 || s.Mean != -0.5 || s.Min != math.MinInt64 || s.Max != math.MaxInt64 {
		t.Errorf("%+v", s)
	}
	s, err = column.Summarize(ctx, c, func(x int64) bool { return x > 0 })
	wantErr(t, err, kvault.ErrTooLarge)
	if s.Count != 2 || s.Mean != float64(math.MaxInt64) || s.Max != math.MaxInt64 || s.Sum != 0 {
		t.Errorf("%+v", s)
	}
	want := new(big.Int).Lsh(big.NewInt(math.MaxInt64), 1)
	if s.BigSum().Cmp(want) != 0 || s.BigSum().Neg(s.BigSum()).Sign() >= 0 || s.BigSum().Cmp(want) != 0 {
		t.Errorf("sum %v, want %v", s.BigSum(), want)
	}
}

func TestSummarizeFloats(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, tt := range []struct {
		name string
		xs   []float64
		want column.Summary[float64]
	}{
		{"nothing", nil, column.Summary[float64]{Mean: nan}},
		{"cancellation", []float64{1, 1e100, 1, -1e100}, column.Summary[float64]{Count: 4, Sum: 2, Min: -1e100, Max: 1e100, Mean: 0.5}},
		{"rounded once", []float64{1, 0x1p-53, 0x1p-106}, column.Summary[float64]{Count: 3, Sum: 1 + 0x1p-52, Min: 0x1p-106, Max: 1, Mean: 0.33333333333333337}},
		{"a sum beyond all numbers", []float64{1e308, 1e308}, column.Summary[float64]{Count: 2, Sum: inf, Min: 1e308, Max: 1e308, Mean: 1e308}},
		{"infinity", []float64{1, inf}, column.Summary[float64]{Count: 2, Infinite: 1, Sum: 1, Min: 1, Max: 1, Mean: 1}},
		{"both infinities", []float64{inf, -inf}, column.Summary[float64]{Count: 2, Infinite: 2, Mean: nan}},
		{"not a number", []float64{nan, 1, 2}, column.Summary[float64]{Count: 3, NaN: 1, Sum: 3, Min: 1, Max: 2, Mean: 1.5}},
		{"zeros", []float64{0, math.Copysign(0, -1)}, column.Summary[float64]{Count: 2}},
		{"subnormal", []float64{5e-324, 1e-323}, column.Summary[float64]{Count: 2, Sum: 1.5e-323, Min: 5e-324, Max: 1e-323, Mean: 1e-323}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := openFile(t, newPath(t))
			c := create(t, v, "floats", column.Float64, tiny)
			must(t, c.Extend(t.Context(), tt.xs))
			s, err := column.Summarize(t.Context(), c, nil)
			must(t, err)
			if math.IsNaN(s.Mean) && math.IsNaN(tt.want.Mean) {
				s.Mean, tt.want.Mean = 0, 0
			}
			if s != tt.want || s.BigSum() != nil {
				t.Errorf("%+v, want %+v", s, tt.want)
			}
		})
	}
}

// Nulls are counted and left out.
func TestSummarizeNullable(t *testing.T) {
	v := openFile(t, newPath(t))
	ctx := t.Context()
	c := create(t, v, "ints", column.Nullable(column.Int64), tiny)
	there := func(x int64) column.Null[int64] { return column.Null[int64]{V: x, Valid: true} }
	must(t, c.Extend(ctx, []column.Null[int64]{there(-5), {}, there(1), {}, {}, there(7)}))
	s, err := column.SummarizeNullable(ctx, c, nil)
	must(t, err)
	if want := (column.Summary[int64]{Count: 3, Nulls: 3, Sum: 3, Min: -5, Max: 7, Mean: 1}); s != want {
		t.Errorf("%+v, want %+v", s, want)
	}
	s, err = column.SummarizeNullable(ctx, c, func(x int64) bool { return x > 0 })
	must(t, err)
	if want := (column.Summary[int64]{Count: 2, Nulls: 3, Sum: 8, Min: 1, Max: 7, Mean: 4}); s != want {
		t.Errorf("%+v, want %+v", s, want)
	}
}

// A summary is of one state, whatever is written while it is made.
func TestSummaryIsASnapshot(t *testing.T) {
	v := openFile(t, newPath(t))
	ctx := t.Context()
	c := create(t, v, "ints", column.Int64, &column.Options{MinChunk: 8, MaxChunk: 8})
	must(t, c.Extend(ctx, numbers(0, 10)))
	first := true
	s, err := column.Summarize(ctx, c, func(x int64) bool {
		if first {
			first = false
			must(t, c.Extend(ctx, numbers(100, 110)))
		}
		return true
	})
	must(t, err)
	if s.Count != 10 || s.Sum != 45 {
		t.Errorf("%+v", s)
	}
	s, err = column.Summarize(ctx, c, nil)
	must(t, err)
	if s.Count != 20 {
		t.Errorf("%+v", s)
	}
}

func TestSummaryErrors(t *testing.T) {
	v := openFile(t, newPath(t))
	c := create(t, v, "ints", column.Int64, tiny)
	_, err := column.Summarize(canceled(t), c, nil)
	wantErr(t, err, canceled(t).Err())
	must(t, column.Drop(t.Context(), v, "ints"))
	_, err = column.Summarize(t.Context(), c, nil)
	wantErr(t, err, kvault.ErrNotFound)
	_, err = c.Count(t.Context(), func(int64) bool { return true })
	wantErr(t, err, kvault.ErrNotFound)
	for i, err := range c.Where(t.Context(), func(int64) bool { return true }) {
		wantErr(t, err, kvault.ErrNotFound)
		if i != -1 {
			t.Errorf("element %d of a column that is gone", i)
		}
	}
}

func TestWhereAndPick(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		ctx := t.Context()
		c := create(t, v, "ints", column.Int64, tiny)
		must(t, c.Extend(ctx, numbers(100, 200)))
		var even []int64
		for i, err := range c.Where(ctx, func(x int64) bool { return x%2 == 0 && x >= 150 }) {
			must(t, err)
			if even = append(even, i); len(even) == 4 {
				break
			}
		}
		wantSlice(t, even, 50, 52, 54, 56)
		got, err := c.Pick(ctx, []int64{3, 4, 5, 1, -1, 98, 99, 3, 3})
		must(t, err)
		wantSlice(t, got, 103, 104, 105, 101, 199, 198, 199, 103, 103)
		var at []int64
		for block, err := range c.BlocksAt(ctx, []int64{3, 5, 98, 99, 0, -1}) {
			must(t, err)
			at = append(at, block...)
		}
		wantSlice(t, at, 103, 105, 198, 199, 100, 199)
		for _, err := range c.BlocksAt(ctx, []int64{0, 100}) {
			wantErr(t, err, column.ErrRange)
		}
		got, err = c.Pick(ctx, nil)
		must(t, err)
		wantSlice(t, got)
		for _, bad := range []int64{100, -101, math.MaxInt64, math.MinInt64} {
			_, err = c.Pick(ctx, []int64{1, bad})
			wantErr(t, err, column.ErrRange)
		}
		names := create(t, v, "names", column.String, tiny)
		must(t, names.Extend(ctx, []string{"a", "", "ccc"}))
		text, err := names.Pick(ctx, []int64{2, 0, 1})
		must(t, err)
		wantSlice(t, text, "ccc", "a", "")
	})
}
