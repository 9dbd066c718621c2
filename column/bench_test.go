package column_test

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

func benchVault(b *testing.B) *kvault.Vault {
	v, err := kvault.Open(b.Context(), filepath.Join(b.TempDir(), "v.kv"), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { v.Close() })
	return v
}

func benchColumn[T any](b *testing.B, v *kvault.Vault, codec column.Codec[T], xs []T) *column.Column[T] {
	c, err := column.Create(b.Context(), v, codec.Type(), codec, nil)
	if err == nil {
		err = c.Extend(b.Context(), xs)
	}
	if err != nil {
		b.Fatal(err)
	}
	return c
}

func benchAppend[T any](b *testing.B, codec column.Codec[T], x T, before int) {
	v := benchVault(b)
	c := benchColumn(b, v, codec, make([]T, before))
	b.Run("one", func(b *testing.B) {
		for b.Loop() {
			if err := c.Append(b.Context(), x); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("one, cached", func(b *testing.B) {
		err := v.WithCache(b.Context(), nil, func() error {
			for b.Loop() {
				if err := c.Append(b.Context(), x); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	})
	b.Run("one of many in a transaction", func(b *testing.B) {
		err := v.Update(b.Context(), func(tx *kvault.Tx) error {
			in := c.In(tx)
			for b.Loop() {
				if err := in.Append(b.Context(), x); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	})
	b.Run("100000 at once", func(b *testing.B) {
		xs := make([]T, 100_000)
		for i := range xs {
			xs[i] = x
		}
		for b.Loop() {
			if err := c.Extend(b.Context(), xs); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	b.Run("i64", func(b *testing.B) { benchAppend(b, column.Int64, 7, 1_000_000) })
	b.Run("text", func(b *testing.B) { benchAppend(b, column.String, "12345678", 1_000_000) })
}

func BenchmarkScan(b *testing.B) {
	const n = 1_000_000
	v := benchVault(b)
	ints := benchColumn(b, v, column.Int64, make([]int64, n))
	texts := make([]string, n)
	for i := range texts {
		texts[i] = "some text"
	}
	strings := benchColumn(b, v, column.String, texts)
	b.Run("i64 blocks", func(b *testing.B) {
		b.SetBytes(8 * n)
		for b.Loop() {
			total := int64(0)
			for block, err := range ints.Blocks(b.Context()) {
				if err != nil {
					b.Fatal(err)
				}
				for _, x := range block {
					total += x
				}
			}
		}
	})
	b.Run("i64 all", func(b *testing.B) {
		b.SetBytes(8 * n)
		for b.Loop() {
			for _, err := range ints.All(b.Context()) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("text all", func(b *testing.B) {
		b.SetBytes(9 * n)
		for b.Loop() {
			for _, err := range strings.All(b.Context()) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

// BenchmarkScanAgainstCopy reads a column of 32 million integers, and copies as many in memory, in
// alternating rounds. It reports how fast the scan is in units of the copy, by the median round.
//
//	go test ./column -run '^$' -bench ScanAgainstCopy
func BenchmarkScanAgainstCopy(b *testing.B) {
	const n = 32 << 20
	v := benchVault(b)
	xs := numbers(0, n)
	c := benchColumn(b, v, column.Int64, xs[:n/4])
	for range 3 {
		if err := c.Extend(b.Context(), xs[:n/4]); err != nil {
			b.Fatal(err)
		}
	}
	into := make([]int64, n)
	copy(into, xs)
	var ratios []float64
	for b.Loop() {
		start := time.Now()
		copy(into, xs)
		copied := time.Since(start)
		start = time.Now()
		read := 0
		for block, err := range c.Blocks(b.Context()) {
			if err != nil {
				b.Fatal(err)
			}
			read += len(block)
		}
		if read != n {
			b.Fatalf("%d elements", read)
		}
		ratios = append(ratios, copied.Seconds()/time.Since(start).Seconds())
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "x-copy")
}

// BenchmarkRandomElement reads one element at random of a column of 10,000 and of one of 100
// million, in turns, each read in a transaction of its own. It reports the median time of each, and
// how many times as long the large one takes.
//
//	go test ./column -run '^$' -bench RandomElement
func BenchmarkRandomElement(b *testing.B) {
	const block = 10_000
	v := benchVault(b)
	xs := numbers(0, 1_000_000)
	small, err := column.Create(b.Context(), v, "small", column.Int64, nil)
	if err == nil {
		err = small.Extend(b.Context(), xs[:block])
	}
	if err != nil {
		b.Fatal(err)
	}
	large, err := column.Create(b.Context(), v, "large", column.Int64, nil)
	for range 100 {
		if err == nil {
			err = large.Extend(b.Context(), xs)
		}
	}
	if err != nil {
		b.Fatal(err)
	}
	var times [2][]float64
	for b.Loop() {
		for i, c := range []*column.Column[int64]{small, large} {
			n := int64(block)
			if i == 1 {
				n = 100_000_000
			}
			at := rand.Int64N(n)
			start := time.Now()
			x, err := c.Get(b.Context(), at)
			times[i] = append(times[i], float64(time.Since(start)))
			if err != nil || x != at%int64(len(xs)) {
				b.Fatalf("element %d is %d, %v", at, x, err)
			}
		}
	}
	median := func(ns []float64) float64 { slices.Sort(ns); return ns[len(ns)/2] }
	b.ReportMetric(median(times[0]), "small-ns/op")
	b.ReportMetric(median(times[1]), "large-ns/op")
	b.ReportMetric(median(times[1])/median(times[0]), "x-small")
}
