package stats_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/kohakuvault/kvault/internal/stats"
)

var nan, inf = math.NaN(), math.Inf(1)

// columnsOfInts are of every magnitude and spread.
func columnsOfInts() [][]int64 {
	r := rand.New(rand.NewPCG(1, 2))
	list := [][]int64{{0}, {math.MinInt64, math.MaxInt64}, {math.MaxInt64, math.MaxInt64}, {math.MinInt64, math.MinInt64}, {-1, math.MaxInt64}, {5, 5, 5}}
	for range 200 {
		xs := make([]int64, 1+r.IntN(3000))
		shift, offset, of := r.IntN(64), int64(r.Uint64())>>r.IntN(64), 1+r.IntN(1000)
		for i := range xs {
			xs[i] = int64(r.Uint64())>>shift + offset
			if of < 300 && i > of {
				xs[i] = xs[i%of]
			}
		}
		list = append(list, xs)
	}
	return list
}

func columnsOfFloats() [][]float64 {
	r := rand.New(rand.NewPCG(3, 4))
	list := [][]float64{
		{0}, {1e308, 1e308}, {-1e308, 1e308}, {math.MaxFloat64, -math.MaxFloat64}, {5e-324, 0}, {5e-324, 1e-323, 1.5e-323}, {1, math.Nextafter(1, 2)},
		{0.1, 4.1, 10.1}, {1, 1e100, 1, -1e100}, {1, nan, 2, inf, -inf}, {math.Copysign(0, -1), 0}, {2.2250738585072014e-308, 5e-324},
	}
	for range 80 {
		xs := make([]float64, 1+r.IntN(1500))
		kind, digits := r.IntN(4), math.Pow(10, float64(r.IntN(4)))
		for i := range xs {
			switch kind {
			case 0:
				xs[i] = math.Float64frombits(r.Uint64())
			case 1:
				xs[i] = r.NormFloat64() * 1e9
			default:
				xs[i] = math.Round(r.NormFloat64()*digits*10) / digits
			}
		}
		list = append(list, xs)
	}
	return list
}

func finite(xs []float64) []float64 {
	return slices.DeleteFunc(slices.Clone(xs), func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) })
}

// inBlocks passes xs on in blocks of odd lengths.
func inBlocks[T any](xs []T, add func([]T)) {
	for n := 1; len(xs) > 0; n = n*3 + 1 {
		n = min(n, len(xs))
		add(xs[:n])
		xs = xs[n:]
	}
}

func TestInts(t *testing.T) {
	for _, xs := range columnsOfInts() {
		var s stats.Ints
		var q stats.IntSquares
		inBlocks(xs, s.Add)
		inBlocks(xs, q.Add)
		sum, squares := new(big.Int), new(big.Int)
		for _, x := range xs {
			sum.Add(sum, big.NewInt(x))
			squares.Add(squares, new(big.Int).Mul(big.NewInt(x), big.NewInt(x)))
		}
		if s.N != int64(len(xs)) || s.Min != slices.Min(xs) || s.Max != slices.Max(xs) || s.Sum().Cmp(sum) != 0 {
			t.Fatalf("%v: %+v, sum %v, want %v", xs[:min(9, len(xs))], s, s.Sum(), sum)
		}
		if n, fits := s.Int64(); fits != sum.IsInt64() || fits && n != sum.Int64() {
			t.Errorf("sum %d, %v, want %v", n, fits, sum)
		}
		if q.Rat().Cmp(new(big.Rat).SetInt(squares)) != 0 {
			t.Errorf("squares %v, want %v", q.Rat(), squares)
		}
	}
	if m := new(stats.Ints).Mean(); !math.IsNaN(m) {
		t.Errorf("the mean of nothing is %v", m)
	}
}

func TestFloats(t *testing.T) {
	for _, all := range columnsOfFloats() {
		var s stats.Floats
		var q stats.FloatSquares
		inBlocks(all, s.Add)
		inBlocks(all, q.Add)
		xs := finite(all)
		sum, squares := new(big.Rat), new(big.Rat)
		for _, x := range xs {
			r := new(big.Rat).SetFloat64(x)
			sum.Add(sum, r)
			squares.Add(squares, r.Mul(r, r))
		}
		if s.N != int64(len(xs)) || s.NaN+s.Infinite != int64(len(all)-len(xs)) || s.Rat().Cmp(sum) != 0 {
			t.Fatalf("%v: sum %v, want %v", all[:min(9, len(all))], s.Rat(), sum)
		}
		if len(xs) > 0 && (s.Min() != slices.Min(xs) || s.Max() != slices.Max(xs)) {
			t.Errorf("from %v to %v, want %v to %v", s.Min(), s.Max(), slices.Min(xs), slices.Max(xs))
		}
		if q.Rat().Cmp(squares) != 0 {
			t.Errorf("%v: squares %v, want %v", all[:min(9, len(all))], q.Rat(), squares)
		}
		mean, _ := sum.Quo(sum, new(big.Rat).SetInt64(int64(len(xs)))).Float64()
		if s.Mean() != mean {
			t.Errorf("mean %v, want %v", s.Mean(), mean)
		}
	}
	var s stats.Floats
	s.Add([]float64{1e308, 1e308})
	if s.Mean() != 1e308 || s.Sum() != inf {
		t.Errorf("mean %v, sum %v", s.Mean(), s.Sum())
	}
}

// The limbs of a long sum are carried before they overflow, also when all numbers are the largest
// of one sign.
func TestLongSums(t *testing.T) {
	block := make([]float64, 1<<16)
	for i := range block {
		block[i] = math.MaxFloat64
	}
	var s stats.Floats
	for range 64 {
		s.Add(block)
	}
	if s.Mean() != math.MaxFloat64 || s.N != 1<<22 {
		t.Errorf("mean of %d: %v", s.N, s.Mean())
	}
}

func TestDeviation(t *testing.T) {
	for _, tt := range []struct {
		xs   []float64
		want float64
	}{
		{[]float64{1, 2, 3, 4}, 1.2909944487358056},
		{[]float64{1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16}, math.Sqrt(30)},
		{[]float64{0.1, 0.1, 0.1}, 0},
		{[]float64{1e200, -1e200}, math.Sqrt2 * 1e200},
		{[]float64{7}, nan},
		{nil, nan},
	} {
		var s stats.Floats
		var q stats.FloatSquares
		s.Add(tt.xs)
		q.Add(tt.xs)
		if got := stats.Deviation(s.N, s.Rat(), q.Rat()); got != tt.want && !(math.IsNaN(got) && math.IsNaN(tt.want)) {
			t.Errorf("%v: %v, want %v", tt.xs, got, tt.want)
		}
	}
}

// numbersOfBins are those of ranges that histograms are tested with.
var numbersOfBins = []int{1, 2, 10, 64, stats.MaxBins}

// Whatever the range, each integer is in the range that names it, and the ranges follow each other.
func TestIntBins(t *testing.T) {
	for i, xs := range columnsOfInts() {
		low, high := slices.Min(xs), slices.Max(xs)
		bins := numbersOfBins[i%len(numbersOfBins)]
		h := stats.NewIntBins(low, high, bins)
		if few := uint64(high) - uint64(low); len(h.Counts) != bins && (few >= uint64(bins) || len(h.Counts) != int(few)+1) {
			t.Errorf("%d to %d: %d ranges, not %d", low, high, len(h.Counts), bins)
		}
		inBlocks(xs, h.Add)
		for i := range h.Counts {
			from, to := h.Starts[i], h.End(i)
			count := int64(0)
			for _, x := range xs {
				if from <= x && x <= to {
					count++
				}
			}
			if from > to || i > 0 && from != h.End(i-1)+1 || i == 0 && from != low || i == len(h.Counts)-1 && to != high || h.Counts[i] != count {
				t.Fatalf("%d to %d: range %d from %d to %d counts %d, want %d", low, high, i, from, to, h.Counts[i], count)
			}
		}
	}
}

func TestIntBinsAtTheirEnds(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	spans := [][2]int64{{0, 0}, {5, 6}, {0, 8}, {0, 9}, {0, 10}, {-3, 19}, {math.MinInt64, math.MaxInt64}, {math.MinInt64, math.MaxInt64 - 1},
		{math.MinInt64, math.MinInt64 + 3}, {math.MaxInt64 - 25, math.MaxInt64}, {-1, math.MaxInt64}}
	for range 300 {
		a, b := int64(r.Uint64())>>r.IntN(64), int64(r.Uint64())>>r.IntN(64)
		spans = append(spans, [2]int64{min(a, b), max(a, b)})
	}
	for i, span := range spans {
		h := stats.NewIntBins(span[0], span[1], numbersOfBins[i%len(numbersOfBins)])
		for i := range h.Counts {
			h.Add([]int64{h.Starts[i], h.End(i)})
			if h.Counts[i] != 2 {
				t.Fatalf("%d to %d: range %d from %d to %d counts %v", span[0], span[1], i, h.Starts[i], h.End(i), h.Counts)
			}
		}
	}
}

// Each number is in the range that names it: the first of those that end behind it, or the last.
func TestFloatBins(t *testing.T) {
	for i, xs := range columnsOfFloats() {
		if xs = finite(xs); len(xs) == 0 {
			continue
		}
		low, high := slices.Min(xs), slices.Max(xs)
		h := stats.NewFloatBins(low, high, numbersOfBins[i%len(numbersOfBins)])
		xs = append(xs, h.Edges...)
		inBlocks(append(xs, nan, inf), h.Add)
		last := len(h.Counts) - 1
		if h.Edges[0] != low || h.Edges[last+1] != high || !slices.IsSorted(h.Edges) {
			t.Fatalf("%v to %v: edges %v", low, high, h.Edges)
		}
		want := make([]int64, len(h.Counts))
		for _, x := range xs {
			at := 0
			for at < last && x >= h.Edges[at+1] {
				at++
			}
			want[at]++
		}
		if !slices.Equal(h.Counts, want) {
			t.Errorf("%v: counts %v, want %v", h.Edges, h.Counts, want)
		}
	}
}

// The counts are those of numpy.histogram(x) of numpy 2.4.
func TestFloatBinsAsNumpy(t *testing.T) {
	for _, tt := range []struct {
		xs   []float64
		want []int64
	}{
		{[]float64{0.1, 4.1, 10.1}, []int64{1, 0, 0, 0, 1, 0, 0, 0, 0, 1}},
		{[]float64{0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1}, []int64{1, 1, 2, 0, 1, 2, 1, 0, 1, 2}},
		{[]float64{-0.3, 0.1, 0.7, 1.1, 2.7}, []int64{1, 1, 0, 1, 1, 0, 0, 0, 0, 1}},
	} {
		h := stats.NewFloatBins(slices.Min(tt.xs), slices.Max(tt.xs), 10)
		h.Add(tt.xs)
		if !slices.Equal(h.Counts, tt.want) {
			t.Errorf("%v: %v, want %v; edges %v", tt.xs, h.Counts, tt.want, h.Edges)
		}
	}
}

func TestDistinct(t *testing.T) {
	for _, n := range []int64{0, 1, 100, 4096, 4097, 10_000, 50_000, 300_000, 1_000_000} {
		for seed := range int64(3) {
			var ints, floats, texts stats.Distinct
			xs := make([]int64, n)
			fs := make([]float64, n)
			for i := range xs {
				xs[i] = int64(i) + seed<<40
				fs[i] = float64(xs[i]) / 4
				texts.AddBytes([]byte(big.NewInt(xs[i]).String()))
			}
			for range 2 {
				ints.AddInts(xs)
				floats.AddFloats(fs)
			}
			for name, d := range map[string]*stats.Distinct{"integers": &ints, "floats": &floats, "texts": &texts} {
				off := math.Abs(float64(d.Count() - n))
				if exact := n <= 4096; exact != d.Exact() || exact && off > 0 || off > float64(n)*0.03 { // 3.7 standard errors
					t.Errorf("%d %s: estimate %d, exact %v", n, name, d.Count(), d.Exact())
				}
			}
		}
	}
	var d stats.Distinct
	d.AddFloats([]float64{0, math.Copysign(0, -1), nan, math.Float64frombits(0x7ff8000000000123), inf})
	if d.Count() != 3 {
		t.Errorf("%d of three kinds of numbers", d.Count())
	}
}

// Two that have seen a part each come to what one has that has seen all.
func TestMerge(t *testing.T) {
	for _, xs := range columnsOfInts() {
		for _, cut := range []int{0, 1, len(xs) / 2, len(xs)} {
			var a, b, all stats.Ints
			var qa, qb, qall stats.IntSquares
			var da, db, dall stats.Distinct
			a.Add(xs[:cut])
			b.Add(xs[cut:])
			all.Add(xs)
			a.Merge(&b)
			qa.Add(xs[:cut])
			qb.Add(xs[cut:])
			qall.Add(xs)
			qa.Merge(&qb)
			da.AddInts(xs[:cut])
			db.AddInts(xs[cut:])
			dall.AddInts(xs)
			da.Merge(&db)
			h, g, hall := stats.NewIntBins(all.Min, all.Max, 10), stats.NewIntBins(all.Min, all.Max, 10), stats.NewIntBins(all.Min, all.Max, 10)
			h.Add(xs[:cut])
			g.Add(xs[cut:])
			hall.Add(xs)
			h.Merge(g)
			if a != all || qa != qall || da.Count() != dall.Count() || !slices.Equal(h.Counts, hall.Counts) {
				t.Fatalf("%d of %d: %+v, want %+v", cut, len(xs), a, all)
			}
		}
	}
	for _, xs := range columnsOfFloats() {
		for _, cut := range []int{0, 1, len(xs) / 2, len(xs)} {
			var a, b, all stats.Floats
			var qa, qb, qall stats.FloatSquares
			a.Add(xs[:cut])
			b.Add(xs[cut:])
			all.Add(xs)
			a.Merge(&b)
			qa.Add(xs[:cut])
			qb.Add(xs[cut:])
			qall.Add(xs)
			qa.Merge(&qb)
			if a.N != all.N || a.Min() != all.Min() || a.Max() != all.Max() || a.NaN != all.NaN || a.Rat().Cmp(all.Rat()) != 0 || qa.Rat().Cmp(qall.Rat()) != 0 {
				t.Fatalf("%d of %d: %+v, want %+v", cut, len(xs), a, all)
			}
		}
	}
	var few, many, all stats.Distinct
	for i := range int64(20_000) {
		all.AddInts([]int64{i})
		if i < 1000 {
			few.AddInts([]int64{i})
		} else {
			many.AddInts([]int64{i})
		}
	}
	few.Merge(&many)
	if few.Count() != all.Count() {
		t.Errorf("%d distinct, want %d", few.Count(), all.Count())
	}
}

func TestRanks(t *testing.T) {
	columns := columnsOfInts()
	r := rand.New(rand.NewPCG(7, 8))
	for _, kind := range []func() int64{
		func() int64 { return int64(r.Uint64()) },
		func() int64 { return r.Int64N(10) },
		func() int64 { return int64(r.ExpFloat64() * 1e15) },
		func() int64 { return stats.Ordered(r.NormFloat64()) },
		func() int64 {
			if r.IntN(2) > 0 {
				return 0
			}
			return int64(r.Uint64())
		},
	} {
		xs := make([]int64, 700_000)
		for i := range xs {
			xs[i] = kind()
		}
		columns = append(columns, xs)
	}
	for _, xs := range columns {
		sorted := slices.Sorted(slices.Values(xs))
		n := int64(len(xs))
		var ranks, want []int64
		for k := range int64(3) {
			before, behind, _ := stats.Quartile(n, k+1)
			ranks = append(ranks, before, behind)
		}
		for _, rank := range append(ranks, 0, n-1) {
			want = append(want, sorted[rank])
		}
		passes := 0
		got, err := stats.Ranks(n, sorted[0], sorted[n-1], append(ranks, 0, n-1), func(add func([]int64)) error {
			passes++
			inBlocks(xs, add)
			return nil
		})
		if err != nil || !slices.Equal(got, want) || passes > 6 {
			t.Errorf("%d numbers: %v after %d passes, want %v; %v", n, got, passes, want, err)
		}
	}
}

func TestQuartiles(t *testing.T) {
	for _, tt := range []struct {
		n, k, before, behind int64
		part                 float64
	}{{1, 2, 0, 0, 0}, {2, 1, 0, 1, 0.25}, {4, 3, 2, 3, 0.25}, {5, 2, 2, 3, 0}, {10, 1, 2, 3, 0.25}} {
		before, behind, part := stats.Quartile(tt.n, tt.k)
		if before != tt.before || behind != tt.behind || part != tt.part {
			t.Errorf("quartile %d of %d: %d, %d, %v", tt.k, tt.n, before, behind, part)
		}
	}
	if got := stats.Between(-math.MaxFloat64, math.MaxFloat64, 0.5); got != 0 {
		t.Errorf("halfway from the least to the largest: %v", got)
	}
	if got := stats.Between(1, 2, 0.75); got != 1.75 {
		t.Errorf("%v", got)
	}
}
