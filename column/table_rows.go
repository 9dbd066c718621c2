package column

import (
	"context"
	"iter"
)

// picksAtOnce bounds the rows that are held in memory when they are picked by number.
const picksAtOnce = 256

// Blocks visits the rows in order, many at a time, and else like All. The slice is reused for the
// next block.
func (t *Table[R]) Blocks(ctx context.Context) iter.Seq2[[]R, error] {
	return func(yield func([]R, error) bool) {
		buf := make([]R, rowsAtOnce)
		for from := int64(0); ; {
			var rows []R
			err := t.view(ctx, "read", func(fields []boundField[R], n int64) (err error) {
				if from < n {
					rows, err = readRows(ctx, fields, from, buf[:min(n-from, rowsAtOnce)])
				}
				return err
			})
			if err != nil {
				yield(nil, err)
				return
			}
			if len(rows) == 0 || !yield(rows, nil) {
				return
			}
			from += int64(len(rows))
		}
	}
}

// All visits the rows in order. It reads a page at a time and holds nothing open between pages, as
// Column.All does.
func (t *Table[R]) All(ctx context.Context) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		for rows, err := range t.Blocks(ctx) {
			if err != nil {
				yield(*new(R), err)
				return
			}
			for _, row := range rows {
				if !yield(row, nil) {
					return
				}
			}
		}
	}
}

// Rows visits the rows of the numbers that come in, such as those of Column.Where, in their order.
// It picks some hundred at a time; each time it reads the state that the table has then, so numbers
// and rows belong together only while nothing but appends is written, or in a transaction.
//
//	for row, err := range files.Rows(ctx, sizes.Where(ctx, isLarge)) {
func (t *Table[R]) Rows(ctx context.Context, numbers iter.Seq2[int64, error]) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		var batch []int64
		flush := func() bool {
			rows, err := t.Pick(ctx, batch)
			batch = batch[:0]
			if err != nil {
				return yield(*new(R), err) && false
			}
			for _, row := range rows {
				if !yield(row, nil) {
					return false
				}
			}
			return true
		}
		for i, err := range numbers {
			if err != nil {
				yield(*new(R), err)
				return
			}
			if batch = append(batch, i); len(batch) == picksAtOnce && !flush() {
				return
			}
		}
		if len(batch) > 0 {
			flush()
		}
	}
}
