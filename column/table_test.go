package column_test

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

type file struct {
	ID   int64
	Name string
	Sum  []byte
}

func fileTable(t *testing.T, v *kvault.Vault, o *column.Options) (*column.Table[file], *column.Column[int64]) {
	t.Helper()
	ids := create(t, v, "ids", column.Int64, o)
	table, err := column.NewTable(
		column.Bind(ids, func(f *file) *int64 { return &f.ID }),
		column.Bind(create(t, v, "names", column.String, o), func(f *file) *string { return &f.Name }),
		column.Bind(create(t, v, "sums", column.FixedBytes(4), o), func(f *file) *[]byte { return &f.Sum }))
	must(t, err)
	return table, ids
}

func someFiles(from, to int64) []file {
	var fs []file
	for i := from; i < to; i++ {
		fs = append(fs, file{i, strings.Repeat("n", int(i%37)), []byte(fmt.Sprintf("%04d", i%10000))})
	}
	return fs
}

func TestTable(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		ctx := t.Context()
		table, ids := fileTable(t, v, tiny)
		want := someFiles(0, 300)
		must(t, table.Append(ctx, want[:299]...))
		must(t, table.Append(ctx, want[299]))
		must(t, table.Append(ctx))
		if n, err := table.Len(ctx); err != nil || n != 300 {
			t.Fatalf("%d rows, %v", n, err)
		}
		var got []file
		for row, err := range table.All(ctx) {
			must(t, err)
			got = append(got, row)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		for row, err := range table.All(ctx) {
			must(t, err)
			if row.ID == 7 {
				break
			}
		}
		got, err := table.Pick(ctx, []int64{5, 6, 7, 2, -1})
		must(t, err)
		if diff := cmp.Diff([]file{want[5], want[6], want[7], want[2], want[299]}, got); diff != "" {
			t.Fatal(diff)
		}
		row, err := table.Get(ctx, -300)
		must(t, err)
		if diff := cmp.Diff(want[0], row); diff != "" {
			t.Fatal(diff)
		}
		got = nil
		for row, err := range table.Rows(ctx, ids.Where(ctx, func(id int64) bool { return id >= 10 })) {
			must(t, err)
			if got = append(got, row); len(got) == 280 {
				break
			}
		}
		if diff := cmp.Diff(want[10:290], got); diff != "" {
			t.Fatal(diff)
		}
	})
}

// Rows of the same table in blocks, whose columns have pages of different lengths.
func TestTableBlocks(t *testing.T) {
	v := openFile(t, newPath(t))
	ctx := t.Context()
	table, _ := fileTable(t, v, nil)
	want := someFiles(0, 10_000)
	must(t, table.Append(ctx, want...))
	n := 0
	for rows, err := range table.Blocks(ctx) {
		must(t, err)
		if diff := cmp.Diff(want[n:n+len(rows)], rows); diff != "" {
			t.Fatal(diff)
		}
		n += len(rows)
	}
	if n != len(want) {
		t.Errorf("%d rows", n)
	}
	big := create(t, v, "big", column.Bytes, nil)
	one, err := column.NewTable(column.Bind(big, func(b *[]byte) *[]byte { return b }))
	must(t, err)
	for i := range 5 {
		must(t, one.Append(ctx, bytes.Repeat([]byte{byte(i)}, 700_000)))
	}
	i := 0
	for b, err := range one.All(ctx) {
		must(t, err)
		if !bytes.Equal(b, bytes.Repeat([]byte{byte(i)}, 700_000)) {
			t.Errorf("element %d is wrong", i)
		}
		i++
	}
	if i != 5 {
		t.Errorf("%d elements", i)
	}
}

func TestTableInTransaction(t *testing.T) {
	v := openFile(t, newPath(t))
	ctx := t.Context()
	table, ids := fileTable(t, v, tiny)
	must(t, v.Update(ctx, func(tx *kvault.Tx) error {
		must(t, table.In(tx).Append(ctx, someFiles(0, 3)...))
		return ids.In(tx).Set(ctx, 0, 42)
	}))
	wantErr(t, v.Update(ctx, func(tx *kvault.Tx) error {
		must(t, table.In(tx).Append(ctx, someFiles(3, 9)...))
		return &kvault.Error{Op: "test", Err: errBoom}
	}), errBoom)
	must(t, v.View(ctx, func(tx *kvault.Tx) error {
		must(t, table.Append(ctx, someFiles(3, 4)...)) // seen by others, not by the snapshot
		n, err := table.In(tx).Len(ctx)
		if n != 3 {
			t.Errorf("%d rows in the snapshot", n)
		}
		return err
	}))
	row, err := table.Get(ctx, 0)
	must(t, err)
	if row.ID != 42 {
		t.Errorf("row %+v", row)
	}
}

func TestTableErrors(t *testing.T) {
	v, other := openFile(t, newPath(t)), openFile(t, newPath(t))
	ctx := t.Context()
	table, ids := fileTable(t, v, tiny)
	at := func(f *file) *int64 { return &f.ID }
	_, err := column.NewTable[file]()
	wantErr(t, err, kvault.ErrInvalid)
	_, err = column.NewTable(column.Bind(ids, at), column.Bind(ids, at))
	wantErr(t, err, kvault.ErrInvalid)
	_, err = column.NewTable(column.Bind(ids, at), column.Bind(create(t, other, "o", column.Int64, nil), at))
	wantErr(t, err, kvault.ErrInvalid)

	wantErr(t, table.Append(ctx, file{Name: "x"}, file{Sum: []byte("too long")}), kvault.ErrTooLarge)
	if n, err := table.Len(ctx); n != 0 || err != nil {
		t.Errorf("%d rows, %v", n, err)
	}
	must(t, table.Append(ctx, someFiles(0, 2)...))
	for _, bad := range []int64{2, -3, math.MinInt64} {
		_, err = table.Get(ctx, bad)
		wantErr(t, err, column.ErrRange)
	}
	for _, err := range table.Rows(ctx, func(yield func(int64, error) bool) { yield(5, nil) }) {
		wantErr(t, err, column.ErrRange)
	}
	for _, err := range table.Rows(ctx, func(yield func(int64, error) bool) { yield(-1, &kvault.Error{Err: errBoom}) }) {
		wantErr(t, err, errBoom)
	}

	must(t, ids.Append(ctx, 3))
	_, err = table.Len(ctx)
	wantErr(t, err, kvault.ErrInvalid)
	if !strings.Contains(err.Error(), `"ids" has 3`) {
		t.Errorf("the error does not tell the lengths: %v", err)
	}
	wantErr(t, table.Append(ctx, file{}), kvault.ErrInvalid)
	for _, err := range table.All(ctx) {
		wantErr(t, err, kvault.ErrInvalid)
	}
	must(t, column.Drop(ctx, v, "names"))
	_, err = table.Pick(ctx, []int64{0})
	wantErr(t, err, kvault.ErrNotFound)
	must(t, v.Close())
	_, err = table.Len(ctx)
	wantErr(t, err, kvault.ErrClosed)
}
