package query

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/internal/batches"
)

// sorted visits rows in the order of a column.
func (s *Selection) sorted(ctx context.Context, tx *kvault.Tx, length int64, rows iter.Seq2[int64, error]) iter.Seq2[int64, error] {
	return func(yield func(int64, error) bool) {
		d, err := openColumn(ctx, tx, s.Prefix, s.Sort, length)
		if err != nil {
			yield(-1, err)
			return
		}
		var keep int64 // how many rows are wanted, or 0 for all
		if s.From >= 0 && s.To > 0 {
			keep = s.To
		}
		for _, sortBy := range []sorter{sorterOf(orderOf[int64]), sorterOf(orderOf[float64]), sorterOf(orderOf[string]), sorterOf(orderTruths), sorterOf(orderTimes), sorterOf(orderBytes)} {
			list, did, err := sortBy(ctx, d, rows, s.Descending, keep)
			if err != nil {
				yield(-1, err)
				return
			}
			if !did {
				continue
			}
			for _, row := range list {
				if !yield(row, nil) {
					return
				}
			}
			return
		}
		yield(-1, &kvault.Error{Op: "sort", Key: d.Name(), Err: fmt.Errorf("elements of type %s have no order: %w", d.Type(), kvault.ErrUnsupported)})
	}
}

// sorter sorts rows by a column, and reports false if its elements are of another type.
type sorter func(ctx context.Context, d column.Dynamic, rows iter.Seq2[int64, error], descending bool, keep int64) (list []int64, did bool, err error)

// keyed is a row with what it is sorted by.
type keyed[T any] struct {
	key T
	row int64
	// place is 0 for elements that can be compared, 1 for NaN and 2 for nulls.
	place int8
}

func sorterOf[T any](order func(a, b T) order) sorter {
	return func(ctx context.Context, d column.Dynamic, rows iter.Seq2[int64, error], descending bool, keep int64) ([]int64, bool, error) {
		if _, plain := d.(columnOf[T]); !plain {
			if _, nullable := d.(columnOf[column.Null[T]]); !nullable {
				return nil, false, nil
			}
		}
		compare := func(a, b keyed[T]) int {
			by := cmp.Compare(a.place, b.place)
			if by == 0 && a.place == 0 {
				if by = int(order(a.key, b.key)); descending {
					by = -by
				}
			}
			return cmp.Or(by, cmp.Compare(a.row, b.row))
		}
		var list []keyed[T]
		for batch, err := range batches.Of(rows, rowsAtOnce) {
			if err != nil {
				return nil, true, err
			}
			if list, err = appendKeys(ctx, d, batch, order, list); err != nil {
				return nil, true, err
			}
			if keep > 0 && int64(len(list))/2-rowsAtOnce > keep {
				slices.SortFunc(list, compare)
				list = list[:keep]
			}
		}
		slices.SortFunc(list, compare)
		sorted := make([]int64, len(list))
		for i, k := range list {
			sorted[i] = k.row
		}
		return sorted, true, nil
	}
}

// appendKeys appends the elements of a column that those rows have.
func appendKeys[T any](ctx context.Context, d column.Dynamic, rows []int64, order func(a, b T) order, list []keyed[T]) ([]keyed[T], error) {
	v := valuesOf(d, picked[T](ctx, rows), picked[column.Null[T]](ctx, rows))
	defer v.close()
	for len(rows) > 0 {
		n, err := v.ready()
		if err != nil {
			return nil, err
		}
		for i, x := range v.page {
			k := keyed[T]{key: x, row: rows[i]}
			switch {
			case v.null(i):
				k.place = 2
			case order(x, x) == incomparable:
				k.place = 1
			}
			list = append(list, k)
		}
		v.skip(n)
		rows = rows[n:]
	}
	return list, nil
}

// picked reads the elements of some rows of a column.
func picked[T any](ctx context.Context, rows []int64) blocks[T] {
	return func(c columnOf[T]) iter.Seq2[[]T, error] { return c.BlocksAt(ctx, rows) }
}

func orderBytes(a, b []byte) order { return order(slices.Compare(a, b)) }
