package query

import (
	"context"
	"iter"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/kohakuvault/kvault"
)

// Selection says which rows to visit, and in which order. Its fields apply in the order in which
// they are declared. The zero value visits all rows.
type Selection struct {
	// Prefix is tried first before the names of columns in Where and Sort: with "t/", "n" is the
	// column "t/n" if there is one, and else "n".
	Prefix string
	// Where, if not nil, is a condition that the rows meet.
	Where *Expr
	// Sample, if above 0, is the number of rows to choose at random, each as likely as any other. They
	// keep their order. Equal seeds choose equal rows.
	Sample int64
	Seed   uint64
	// Sort, if not empty, is the column by which they are sorted, Descending or not. Rows of equal
	// elements keep their order. NaN comes after all other elements either way, and nulls after
	// that.
	Sort       string
	Descending bool
	// From and To are the first of them and the one behind the last, as of exchange.ExportOptions.
	From, To int64
}

// Rows visits the numbers of the rows, out of length. Without Sort it holds no more than Sample
// numbers in memory, or as many as From or To counts from the end; with it, the number and the
// element of each row that meets the condition, or of twice as many as are wanted if To says how
// many.
func (s *Selection) Rows(ctx context.Context, tx *kvault.Tx, length int64) iter.Seq2[int64, error] {
	rows := all(length)
	if s.Where != nil {
		rows = s.matches(ctx, tx, length)
	}
	if s.Sample > 0 {
		rows = sample(rows, s.Sample, s.Seed)
	}
	if s.Sort != "" {
		rows = s.sorted(ctx, tx, length, rows)
	}
	return part(rows, max(s.From, -math.MaxInt64), max(s.To, -math.MaxInt64))
}

func all(length int64) iter.Seq2[int64, error] {
	return func(yield func(int64, error) bool) {
		for i := range length {
			if !yield(i, nil) {
				return
			}
		}
	}
}

// rowsAtOnce is how many rows are looked at together.
const rowsAtOnce = 8192

// matches visits the rows that meet the condition.
func (s *Selection) matches(ctx context.Context, tx *kvault.Tx, length int64) iter.Seq2[int64, error] {
	return func(yield func(int64, error) bool) {
		b := &binder{Expr: s.Where, ctx: ctx, tx: tx, prefix: s.Prefix, length: length, columns: map[string]*bound{}}
		defer func() {
			for _, src := range b.sources {
				src.close()
			}
		}()
		meets, err := b.bind(s.Where.root)
		if err != nil {
			yield(-1, err)
			return
		}
		out := make([]verdict, rowsAtOnce)
		for row := int64(0); row < length; {
			n := min(rowsAtOnce, length-row)
			for _, src := range b.sources {
				has, err := src.ready()
				if err != nil {
					yield(-1, err)
					return
				}
				n = min(n, int64(has))
			}
			meets(out[:n])
			for i, v := range out[:n] {
				if v == yes && !yield(row+int64(i), nil) {
					return
				}
			}
			for _, src := range b.sources {
				src.skip(int(n))
			}
			row += n
		}
	}
}

// sample visits n of the rows, in their order: Waterman's algorithm R.
func sample(rows iter.Seq2[int64, error], n int64, seed uint64) iter.Seq2[int64, error] {
	return func(yield func(int64, error) bool) {
		r := rand.New(rand.NewPCG(seed, 0))
		var chosen []int64
		seen := int64(0)
		for row, err := range rows {
			if err != nil {
				yield(-1, err)
				return
			}
			if seen++; int64(len(chosen)) < n {
				chosen = append(chosen, row)
			} else if at := r.Int64N(seen); at < n {
				chosen[at] = row
			}
		}
		slices.Sort(chosen)
		for _, row := range chosen {
			if !yield(row, nil) {
				return
			}
		}
	}
}

// part visits the rows from number from up to number to, counted among rows: from the end if they
// are negative, and 0 is the end for to.
func part(rows iter.Seq2[int64, error], from, to int64) iter.Seq2[int64, error] {
	switch {
	case from < 0:
		return fromEnd(rows, from, to)
	case to < 0:
		return allBut(rows, from, -to)
	}
	return func(yield func(int64, error) bool) {
		if to > 0 && to <= from || from == math.MaxInt64 {
			return
		}
		at := int64(0)
		for row, err := range rows {
			if (err != nil || at >= from) && !yield(row, err) || err != nil {
				return
			}
			if at++; at == to {
				return
			}
		}
	}
}

// allBut visits the rows from number from on, without the last ones.
func allBut(rows iter.Seq2[int64, error], from, last int64) iter.Seq2[int64, error] {
	return func(yield func(int64, error) bool) {
		var held []int64 // a ring of the rows that may be the last
		at, next := int64(0), 0
		for row, err := range rows {
			if err != nil {
				yield(-1, err)
				return
			}
			if at++; at <= from {
				continue
			}
			if int64(len(held)) < last {
				held = append(held, row)
				continue
			}
			if !yield(held[next], nil) {
				return
			}
			held[next] = row
			next = (next + 1) % len(held)
		}
	}
}

// fromEnd visits rows of which the first counts from the end.
func fromEnd(rows iter.Seq2[int64, error], from, to int64) iter.Seq2[int64, error] {
	return func(yield func(int64, error) bool) {
		var held []int64 // a ring of the last rows
		count, next := int64(0), 0
		for row, err := range rows {
			if err != nil {
				yield(-1, err)
				return
			}
			if count++; int64(len(held)) < -from {
				held = append(held, row)
				continue
			}
			held[next] = row
			next = (next + 1) % len(held)
		}
		if to <= 0 {
			to += count
		}
		first := count - int64(len(held))
		for i := range int64(len(held)) {
			if first+i >= to || !yield(held[(int64(next)+i)%int64(len(held))], nil) {
				return
			}
		}
	}
}
