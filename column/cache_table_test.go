package column_test

import (
	"errors"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

func TestCachedTable(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		type row struct {
			N int64
			S string
		}
		ctx := t.Context()
		ns, ss := create(t, v, "n", column.Int64, nil), create(t, v, "s", column.String, nil)
		table, err := column.NewTable(column.Bind(ns, func(r *row) *int64 { return &r.N }), column.Bind(ss, func(r *row) *string { return &r.S }))
		must(t, err)
		cached(t, v, nil)
		must(t, table.Append(ctx, row{1, "a"}, row{2, "b"}))
		must(t, table.Append(ctx, row{3, "c"}))
		if s := v.CacheStats(); s.Entries != 2 {
			t.Errorf("the cache holds %+v", s)
		}
		got, err := table.Pick(ctx, []int64{2, 0})
		must(t, err)
		wantSlice(t, got, row{3, "c"}, row{1, "a"})
		wantErr(t, table.Append(ctx, row{4, "\xff"}), kvault.ErrInvalid)
		must(t, ns.Append(ctx, 4))
		wantErr(t, table.Append(ctx, row{5, "e"}), kvault.ErrInvalid)
		_, err = v.FlushCache(ctx)
		must(t, err)
		holds(t, ns, []int64{1, 2, 3, 4})
		holds(t, ss, []string{"a", "b", "c"})
	})
}

// A table of columns of a transaction is a part of it.
func TestTableOfTransaction(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		ctx := t.Context()
		outside := create(t, v, "outside", column.Int64, nil)
		self := func(n *int64) *int64 { return n }
		err := v.Update(ctx, func(tx *kvault.Tx) error {
			c, err := column.Create(ctx, tx, "c", column.Int64, nil)
			must(t, err)
			table, err := column.NewTable(column.Bind(c, self))
			must(t, err)
			must(t, table.Append(ctx, 1, 2))
			_, err = column.NewTable(column.Bind(c, self), column.Bind(outside, self))
			wantErr(t, err, kvault.ErrInvalid)
			return errBoom
		})
		if !errors.Is(err, errBoom) {
			t.Error(err)
		}
		_, err = column.Open(ctx, v, "c", column.Int64)
		wantErr(t, err, kvault.ErrNotFound)
	})
}
