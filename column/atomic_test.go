package column_test

import (
	"sync"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/internal/unexported"
)

// No element is lost to another that is added to the same column at the same time, in the same
// transaction.
func TestManyAppendAtOnceInATransaction(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		ctx := t.Context()
		ints, texts := create(t, v, "ints", column.Int64, nil), create(t, v, "texts", column.String, nil)
		must(t, v.Update(ctx, func(tx *kvault.Tx) error {
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					for i := range 50 {
						if err := ints.In(tx).Append(ctx, int64(i)); err != nil {
							t.Error(err)
						}
						if err := texts.In(tx).Append(ctx, "text"); err != nil {
							t.Error(err)
						}
						if x, err := texts.In(tx).Get(ctx, -1); err != nil || x != "text" {
							t.Errorf("the last text is %q, %v", x, err)
						}
					}
				})
			}
			all.Wait()
			return nil
		}))
		sum, err := column.Summarize(ctx, ints, nil)
		must(t, err)
		n, err := texts.Len(ctx)
		must(t, err)
		if sum.Count != 200 || sum.Sum != 4*49*25 || n != 200 {
			t.Errorf("%d numbers with the sum %d, %d texts", sum.Count, sum.Sum, n)
		}
	})
}

// What fails before it changed anything leaves the transaction as it was.
func TestCallsThatFailInATransaction(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		ctx := t.Context()
		table, ids := fileTable(t, v, nil)
		create(t, v, "x_idx", column.Int64, nil)
		must(t, v.Update(ctx, func(tx *kvault.Tx) error {
			must(t, table.In(tx).Append(ctx, someFiles(0, 3)...))
			wantErr(t, table.In(tx).Append(ctx, file{ID: 3}, file{ID: 4, Sum: []byte("too long")}), kvault.ErrTooLarge)
			_, err := column.Create(ctx, tx, "x", column.String, nil)
			wantErr(t, err, kvault.ErrExists)
			wantErr(t, column.Rename(ctx, tx, "names", "x"), kvault.ErrExists)
			wantErr(t, ids.In(tx).Delete(ctx, 3), column.ErrRange)
			_, err = column.Ensure(ctx, tx, "new", column.String, nil)
			return err
		}))
		list, err := column.List(ctx, v)
		must(t, err)
		names := map[string]int64{}
		for _, info := range list {
			names[info.Name] = info.Len
		}
		if len(names) != 5 || names["names"] != 3 || names["x_idx"] != 0 {
			t.Errorf("columns %v", names)
		}
		if n, err := table.Len(ctx); err != nil || n != 3 {
			t.Errorf("%d rows, %v", n, err)
		}
	})
}

// What fails halfway cannot be committed, even if nobody looks at its error.
func TestHalfOfACallIsNotCommitted(t *testing.T) {
	failed := 0
	for n := range 100 {
		c := newColumns(t)
		ctx := t.Context()
		var own error
		err := c.v.Update(ctx, func(tx *kvault.Tx) error {
			must(t, tx.Put(ctx, "key", []byte("value")))
			c.s.after = n
			own = c.table().In(tx).Append(ctx, words...)
			c.s.after = -1
			return nil
		})
		if own == nil {
			must(t, err)
			break
		}
		wantErr(t, own, errBoom)
		if err == nil {
			holds(t, c.texts, words)
			holds(t, c.joined, words)
			continue
		}
		failed++
		wantErr(t, err, kvault.ErrTxDone)
		wantErr(t, err, errBoom)
		_, err = c.v.Get(ctx, "key")
		wantErr(t, err, kvault.ErrNotFound)
		holds(t, c.texts, words)
	}
	if failed == 0 {
		t.Error("nothing failed halfway")
	}
}

func TestPanicHalfway(t *testing.T) {
	v, ctx := openFile(t, newPath(t)), t.Context()
	c := create(t, v, "c", column.Int64, nil)
	err := v.Update(ctx, func(tx *kvault.Tx) error {
		a, err := unexported.Arrays(tx)
		must(t, err)
		arr, err := a.Array(ctx, "c")
		must(t, err)
		func() {
			defer func() { _ = recover() }()
			_ = a.(interface {
				Atomic(func(arrays) error) error
			}).Atomic(func(a arrays) error {
				must(t, a.SetArrayLength(ctx, arr.ID, 5))
				panic("boom")
			})
		}()
		return nil
	})
	wantErr(t, err, kvault.ErrTxDone)
	holds(t, c, []int64{})
}
