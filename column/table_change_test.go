package column_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

// Random changes of rows do what they do to a slice, with the cache on and off.
func TestTableModel(t *testing.T) {
	for _, cache := range []bool{false, true} {
		t.Run(fmt.Sprint("cache ", cache), func(t *testing.T) {
			onEngines(t, func(t *testing.T, v *kvault.Vault) {
				if cache {
					cached(t, v, &kvault.CacheOptions{Threshold: 300})
				}
				tableModel(t, v)
			})
		})
	}
}

func tableModel(t *testing.T, v *kvault.Vault) {
	ctx, r := t.Context(), rand.New(rand.NewPCG(1, 1))
	table := pairsOf(t, v)
	var want []pair
	random := func() pair { return pair{r.Int64(), wordOf(r)} }
	for range 150 {
		n := int64(len(want))
		i := r.Int64N(2*n+3) - n - 1 // may be no row
		var err error
		next, ok := slices.Clone(want), i >= -n && i < n
		at := i
		if at < 0 {
			at += n
		}
		switch row := random(); r.IntN(6) {
		case 0, 1:
			rows := []pair{row, random()}
			next, ok, err = append(next, rows...), true, table.Append(ctx, rows...)
		case 2, 3:
			if ok = ok || i == n; ok {
				next = slices.Insert(next, int(at), row)
			}
			err = table.Insert(ctx, i, row)
		case 4:
			if ok {
				next[at] = row
			}
			err = table.Set(ctx, i, row)
		case 5:
			if ok {
				next = slices.Delete(next, int(at), int(at)+1)
			}
			err = table.Delete(ctx, i)
		}
		if ok {
			must(t, err)
		} else {
			wantErr(t, err, column.ErrRange)
		}
		want = next
		if got := rowsOf(t, table); !slices.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
	}
}

// A row that one column refuses changes none, and neither does one of columns of different lengths.
func TestRowsThatAreRefused(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		ctx := t.Context()
		table := pairsOf(t, v)
		must(t, table.Append(ctx, pair{1, "1"}, pair{2, "2"}))
		for _, err := range []error{table.Set(ctx, 0, pair{9, "\xff"}), table.Insert(ctx, 0, pair{9, "\xff"})} {
			wantErr(t, err, kvault.ErrInvalid)
		}
		if got := rowsOf(t, table); !slices.Equal(got, []pair{{1, "1"}, {2, "2"}}) {
			t.Errorf("%v", got)
		}
		must(t, openColumn(t, v, "b", column.String).Append(ctx, "3"))
		for _, err := range []error{table.Set(ctx, 0, pair{9, "9"}), table.Insert(ctx, 0, pair{9, "9"}), table.Delete(ctx, 0)} {
			wantErr(t, err, kvault.ErrInvalid)
		}
		holds(t, openColumn(t, v, "a", column.Int64), []int64{1, 2})
		holds(t, openColumn(t, v, "b", column.String), []string{"1", "2", "3"})
	})
}

// Within a transaction, what changes rows is a part of it.
func TestChangeRowsInATransaction(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		ctx := t.Context()
		table := pairsOf(t, v)
		must(t, table.Append(ctx, pair{1, "1"}, pair{2, "2"}))
		for _, fails := range []bool{true, false} {
			err := v.Update(ctx, func(tx *kvault.Tx) error {
				rows := table.In(tx)
				must(t, rows.Set(ctx, -1, pair{3, "3"}))
				must(t, rows.Insert(ctx, 0, pair{0, "0"}))
				must(t, rows.Delete(ctx, 1))
				if fails {
					return errBoom
				}
				return nil
			})
			want := []pair{{1, "1"}, {2, "2"}}
			if !fails {
				must(t, err)
				want = []pair{{0, "0"}, {3, "3"}}
			}
			if got := rowsOf(t, table); !slices.Equal(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
		}
	})
}
