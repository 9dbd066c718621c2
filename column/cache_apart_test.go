package column_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

// pair is a row of the columns a and b.
type pair struct {
	A int64
	B string
}

func pairsOf(t *testing.T, v *kvault.Vault) *column.Table[pair] {
	t.Helper()
	a, err := column.Ensure(t.Context(), v, "a", column.Int64, nil)
	must(t, err)
	b, err := column.Ensure(t.Context(), v, "b", column.String, nil)
	must(t, err)
	table, err := column.NewTable(column.Bind(a, func(r *pair) *int64 { return &r.A }), column.Bind(b, func(r *pair) *string { return &r.B }))
	must(t, err)
	return table
}

func rowsOf(t *testing.T, table *column.Table[pair]) []pair {
	t.Helper()
	var rows []pair
	for row, err := range table.All(t.Context()) {
		must(t, err)
		rows = append(rows, row)
	}
	return rows
}

// Rows wait in the cache while another program does something to the columns: the flush writes them
// in one piece, or it keeps them and says which column changed.
func TestRowsOfATableStayTogether(t *testing.T) {
	for name, tt := range map[string]struct {
		other  func(t *testing.T, v *kvault.Vault)
		column string // that the flush names, or empty if it goes well
		text   string
		undo   func(t *testing.T, v *kvault.Vault) // makes the next flush go well, if anything does
		want   []pair                              // then
	}{
		"nothing": {func(*testing.T, *kvault.Vault) {}, "", "", nil, []pair{{1, "1"}, {2, "2"}, {3, "3"}}},
		"rows": {
			func(t *testing.T, v *kvault.Vault) { must(t, pairsOf(t, v).Append(t.Context(), pair{9, "9"})) },
			"", "", nil, []pair{{1, "1"}, {2, "2"}, {9, "9"}, {3, "3"}},
		},
		"clear": {
			func(t *testing.T, v *kvault.Vault) {
				must(t, openColumn(t, v, "a", column.Int64).Clear(t.Context()))
				must(t, openColumn(t, v, "b", column.String).Clear(t.Context()))
			},
			"", "", nil, []pair{{3, "3"}},
		},
		"rename": {
			func(t *testing.T, v *kvault.Vault) { must(t, column.Rename(t.Context(), v, "b", "c")) },
			"b", `renamed to "c"`, func(t *testing.T, v *kvault.Vault) { must(t, column.Rename(t.Context(), v, "c", "b")) },
			[]pair{{1, "1"}, {2, "2"}, {3, "3"}},
		},
		"rename of the first": {
			func(t *testing.T, v *kvault.Vault) { must(t, column.Rename(t.Context(), v, "a", "z")) },
			"a", `renamed to "z"`, func(t *testing.T, v *kvault.Vault) { must(t, column.Rename(t.Context(), v, "z", "a")) },
			[]pair{{1, "1"}, {2, "2"}, {3, "3"}},
		},
		"namesake": {
			func(t *testing.T, v *kvault.Vault) {
				must(t, column.Rename(t.Context(), v, "b", "c"))
				create(t, v, "b", column.String, nil)
				must(t, openColumn(t, v, "b", column.String).Extend(t.Context(), []string{"x", "y"}))
			},
			"b", `renamed to "c"`, nil, nil,
		},
		"drop": {
			func(t *testing.T, v *kvault.Vault) { must(t, column.Drop(t.Context(), v, "b")) },
			"b", "dropped", nil, nil,
		},
		"drop of the first": {
			func(t *testing.T, v *kvault.Vault) { must(t, column.Drop(t.Context(), v, "a")) },
			"a", "dropped", nil, nil,
		},
		"made anew": {
			func(t *testing.T, v *kvault.Vault) {
				must(t, column.Drop(t.Context(), v, "b"))
				create(t, v, "b", column.String, nil)
			},
			"b", "", nil, nil,
		},
		"type": {
			func(t *testing.T, v *kvault.Vault) {
				must(t, column.Drop(t.Context(), v, "b"))
				create(t, v, "b", column.Bytes, nil)
			},
			"b", "holds bytes", nil, nil,
		},
		"nulls": {
			func(t *testing.T, v *kvault.Vault) { must(t, column.AllowNulls(t.Context(), v, "b")) },
			"b", "holds str:utf8:null", func(t *testing.T, v *kvault.Vault) { must(t, column.ForbidNulls(t.Context(), v, "b")) },
			[]pair{{1, "1"}, {2, "2"}, {3, "3"}},
		},
		"one longer": {
			func(t *testing.T, v *kvault.Vault) {
				must(t, openColumn(t, v, "b", column.String).Append(t.Context(), "more"))
			},
			"b", "one length", func(t *testing.T, v *kvault.Vault) {
				must(t, openColumn(t, v, "b", column.String).Delete(t.Context(), -1))
			},
			[]pair{{1, "1"}, {2, "2"}, {3, "3"}},
		},
		"the first shorter": {
			func(t *testing.T, v *kvault.Vault) {
				must(t, openColumn(t, v, "a", column.Int64).Delete(t.Context(), 0))
			},
			"b", "one length", func(t *testing.T, v *kvault.Vault) {
				must(t, openColumn(t, v, "b", column.String).Delete(t.Context(), 0))
			},
			[]pair{{2, "2"}, {3, "3"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, path := t.Context(), newPath(t)
			v, other := openFile(t, path), openFile(t, path)
			table := pairsOf(t, v)
			must(t, table.Append(ctx, pair{1, "1"}, pair{2, "2"}))
			cached(t, v, nil)
			must(t, v.Put(ctx, "key", nil))
			must(t, table.Append(ctx, pair{3, "3"}))
			tt.other(t, other)
			_, err := v.FlushCache(ctx)
			if tt.column == "" {
				must(t, err)
				if got := rowsOf(t, table); !slices.Equal(got, tt.want) {
					t.Errorf("%v, want %v", got, tt.want)
				}
				return
			}
			wantFlushError(t, err, kvault.CacheEntry{Column: tt.column})
			if !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%v does not say %q", err, tt.text)
			}
			if s := v.CacheStats(); s.Entries != 3 {
				t.Errorf("the cache holds %+v", s)
			}
			if got := raw(t, path, `SELECT count(*) FROM kvault`); got[0] != "0" {
				t.Error("a part of the flush was written")
			}
			if tt.undo != nil {
				tt.undo(t, other)
				_, err = v.FlushCache(ctx)
				must(t, err)
				if got := rowsOf(t, table); !slices.Equal(got, tt.want) {
					t.Errorf("%v, want %v", got, tt.want)
				}
				return
			}
			if found, err := v.DiscardCached(ctx, kvault.CacheEntry{Column: tt.column}); !found || err != nil {
				t.Errorf("discard: %t, %v", found, err)
			}
			if s := v.CacheStats(); s.Entries != 1 {
				t.Errorf("the cache holds %+v: the rest of the row waits still", s)
			}
			_, err = v.FlushCache(ctx)
			must(t, err)
		})
	}
}

// A column alone in the cache is written to itself only.
func TestColumnChangedElsewhere(t *testing.T) {
	ctx, path := t.Context(), newPath(t)
	v, other := openFile(t, path), openFile(t, path)
	c := create(t, v, "c", column.String, nil)
	create(t, v, "last", column.Int64, nil) // or the next column would have the number of c
	must(t, c.Append(ctx, "old"))
	cached(t, v, nil)
	must(t, c.Append(ctx, "new"))
	must(t, column.Drop(ctx, other, "c"))
	for range 2 {
		_, err := v.FlushCache(ctx)
		wantFlushError(t, err, kvault.CacheEntry{Column: "c"})
		wantErr(t, err, kvault.ErrNotFound)
		if list, err := column.List(ctx, other); err != nil || len(list) != 1 {
			t.Errorf("there is %v, %v", list, err)
		}
	}
	made := create(t, other, "c", column.String, nil)
	must(t, made.Append(ctx, "other"))
	_, err := v.FlushCache(ctx)
	wantFlushError(t, err, kvault.CacheEntry{Column: "c"})
	holds(t, c, []string{"other"}) // what waits is not for this one
	list, err := column.List(ctx, v)
	must(t, err)
	wantSlice(t, list, column.Info{Name: "last", Type: "i64", Size: 8}, column.Info{Name: "c", Type: "str:utf8", Len: 1})
	if found, err := v.DiscardCached(ctx, kvault.CacheEntry{Column: "c"}); !found || err != nil {
		t.Errorf("discard: %t, %v", found, err)
	}
	must(t, c.Append(ctx, "new"))
	_, err = v.FlushCache(ctx)
	must(t, err)
	holds(t, made, []string{"other", "new"})
}

// Rows are not cached behind elements of a column that was dropped.
func TestRowsBehindElementsOfAnotherColumn(t *testing.T) {
	ctx, path := t.Context(), newPath(t)
	v, other := openFile(t, path), openFile(t, path)
	table := pairsOf(t, v)
	create(t, v, "last", column.Int64, nil)
	cached(t, v, nil)
	must(t, table.Append(ctx, pair{1, "1"}))
	must(t, column.Drop(ctx, other, "b"))
	wantErr(t, table.Append(ctx, pair{2, "2"}), kvault.ErrNotFound)
	create(t, other, "b", column.String, nil)
	wantErr(t, table.Append(ctx, pair{2, "2"}), kvault.ErrNotFound)
	_, err := v.DiscardCached(ctx, kvault.CacheEntry{Column: "a"})
	must(t, err)
	must(t, table.Append(ctx, pair{3, "3"}))
	if got := rowsOf(t, table); !slices.Equal(got, []pair{{3, "3"}}) {
		t.Errorf("%v", got)
	}
}

// Tables that share a column are discarded together.
func TestDiscardRowsOfTablesThatShareAColumn(t *testing.T) {
	ctx := t.Context()
	v := openFile(t, newPath(t))
	self := func(n *int64) *int64 { return n }
	var fields []column.Field[int64]
	for _, name := range []string{"a", "b", "c", "d"} {
		fields = append(fields, column.Bind(create(t, v, name, column.Int64, nil), self))
	}
	cached(t, v, nil)
	for _, pair := range [][]column.Field[int64]{fields[:2], fields[1:3]} {
		table, err := column.NewTable(pair...)
		must(t, err)
		must(t, table.Append(ctx, 1))
		if pair[0] == fields[0] { // the second table needs columns of one length
			must(t, openColumn(t, v, "c", column.Int64).Append(ctx, 0))
		}
	}
	must(t, openColumn(t, v, "d", column.Int64).Append(ctx, 1))
	found, err := v.DiscardCached(ctx, kvault.CacheEntry{Column: "a"})
	if must(t, err); !found {
		t.Error("nothing was discarded")
	}
	if s := v.CacheStats(); s.Entries != 1 {
		t.Errorf("the cache holds %+v", s)
	}
}

// Rows of goroutines that append rows, and one that appends to each column alone, never mix.
func TestRowsBesideElements(t *testing.T) {
	ctx, path := t.Context(), newPath(t)
	v := openFile(t, path)
	table := pairsOf(t, v)
	a, b := openColumn(t, v, "a", column.Int64), openColumn(t, v, "b", column.String)
	cached(t, v, &kvault.CacheOptions{Threshold: 200})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 200 {
			must(t, a.Append(ctx, 7))
			must(t, b.Append(ctx, "7"))
		}
	}()
	rows := 0
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		switch err := table.Append(ctx, pair{8, "8"}); {
		case err == nil:
			rows++
		case !errors.Is(err, kvault.ErrInvalid): // the columns were of different lengths at the time
			t.Fatal(err)
		}
	}
	_, err := v.FlushCache(ctx)
	must(t, err)
	for i, row := range rowsOf(t, table) {
		if row != (pair{7, "7"}) && row != (pair{8, "8"}) {
			t.Fatalf("row %d is %+v", i, row)
		}
	}
	if n, err := table.Len(ctx); err != nil || n != int64(rows)+200 {
		t.Errorf("%d rows, %v; want %d", n, err, rows+200)
	}
}

// A nullable column in the cache is one target of the flush, and its parts come to the file
// together.
func TestNullableInTheCache(t *testing.T) {
	ctx, path := t.Context(), newPath(t)
	v := openFile(t, path)
	type row struct {
		N column.Null[int64]
		T time.Time
	}
	n, at := create(t, v, "n", column.Nullable(column.Int64), nil), create(t, v, "at", column.TimestampUTC(time.Second), nil)
	table, err := column.NewTable(column.Bind(n, func(r *row) *column.Null[int64] { return &r.N }), column.Bind(at, func(r *row) *time.Time { return &r.T }))
	must(t, err)
	cached(t, v, nil)
	when := time.Unix(5, 0).UTC()
	must(t, table.Append(ctx, row{T: when}, row{there(int64(2)), when}))
	if s := v.CacheStats(); s.Entries != 2 {
		t.Errorf("%+v", s)
	}
	holds(t, n, []column.Null[int64]{{}, there(int64(2))})
	if got := raw(t, path, `SELECT sum(length) FROM col_meta`); got[0] != "0" {
		t.Error("it was not cached")
	}
	_, err = v.FlushCache(ctx)
	must(t, err)
	holds(t, n, []column.Null[int64]{{}, there(int64(2))})
	if got := raw(t, path, `SELECT name, length FROM col_meta ORDER BY name`); !slices.Equal(got, []string{"at 2", "n 2", "n_valid 2"}) {
		t.Errorf("%s", got)
	}
}

// To compact a column elsewhere makes its data anew, and the column stays the one that elements
// wait for.
func TestColumnCompactedElsewhere(t *testing.T) {
	path := newPath(t)
	v, other, ctx := openFile(t, path), openFile(t, path), t.Context()
	texts := create(t, v, "x", column.String, nil)
	must(t, texts.Extend(ctx, []string{"a", "b"}))
	must(t, v.EnableCache(ctx, nil))
	must(t, texts.Append(ctx, "c"))
	must(t, openColumn(t, other, "x", column.String).Compact(ctx))
	_, err := v.FlushCache(ctx)
	must(t, err)
	holds(t, texts, []string{"a", "b", "c"})
}

// A column that another handle made nullable takes no plain elements. The error says what can be
// done about those that wait, and both ways lead out.
func TestPlainElementsForNullableColumn(t *testing.T) {
	ctx, path := t.Context(), newPath(t)
	v, other := openFile(t, path), openFile(t, path)
	c := create(t, v, "c", column.Int64, nil)
	must(t, v.EnableCache(ctx, nil))
	must(t, c.Append(ctx, 1))
	must(t, column.AllowNulls(ctx, other, "c"))
	_, err := v.FlushCache(ctx)
	if wrong := (*column.TypeError)(nil); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "ForbidNulls") ||
		!strings.Contains(err.Error(), "DiscardCached") {
		t.Fatalf("%v", err)
	}
	must(t, column.ForbidNulls(ctx, other, "c"))
	_, err = v.FlushCache(ctx)
	must(t, err)
	holds(t, c, []int64{1})
	must(t, c.Append(ctx, 2))
	must(t, column.AllowNulls(ctx, other, "c"))
	found, err := v.DiscardCached(ctx, kvault.CacheEntry{Column: "c"})
	if !found || err != nil {
		t.Fatalf("%t, %v", found, err)
	}
	_, err = v.FlushCache(ctx)
	must(t, err)
}
