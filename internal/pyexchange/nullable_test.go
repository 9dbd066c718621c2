//go:build python

package pyexchange

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

func there[T any](x T) column.Null[T] { return column.Null[T]{V: x, Valid: true} }

// The data and the validity of a nullable column are two columns to the package. What it appends to
// both is a null or not, and what it appends to the data alone is there.
func TestNullableColumns(t *testing.T) {
	eachVersion(t, func(t *testing.T, v *version) {
		if v.blocks {
			return
		}
		path, d := newPath(t), v.start(t)
		vault, err := kvault.Open(t.Context(), path, &kvault.Options{Table: "kvault", PageSize: 4096})
		must(t, err)
		ints, err := column.Create(t.Context(), vault, "x", column.Nullable(column.Int64), nil)
		must(t, err)
		must(t, ints.Extend(t.Context(), []column.Null[int64]{there(int64(7)), {}}))
		must(t, vault.Close())

		d.do(t, "open", args{"path": path, "table": "kvault", "page_size": 4096}, nil)
		wantThere := func(name, typ string, want ...[]byte) {
			t.Helper()
			var got [][]byte
			d.do(t, "column", args{"name": name, "dtype": typ}, &got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s there (-want +got):\n%s", name, diff)
			}
		}
		number := func(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }
		wantThere("x", "i64", number(7), number(0))
		wantThere("x_valid", "bytes:1", []byte{1}, []byte{0})
		d.do(t, "append", args{"name": "x", "dtype": "i64", "item": number(8)}, nil)
		d.do(t, "append", args{"name": "x_valid", "dtype": "bytes:1", "item": []byte{0}}, nil)
		d.do(t, "append", args{"name": "x", "dtype": "i64", "item": number(9)}, nil)
		d.do(t, "close", nil, nil)

		want := []column.Null[int64]{there(int64(7)), {}, {}, there(int64(9))}
		vault, err = kvault.Open(t.Context(), path, &kvault.Options{Table: "kvault"})
		must(t, err)
		wantNulls(t, vault, "x", column.Int64, want)
		c, err := column.Open(t.Context(), vault, "x", column.Nullable(column.Int64))
		must(t, err)
		must(t, c.Insert(t.Context(), 0, column.Null[int64]{}))
		must(t, c.Append(t.Context(), column.Null[int64]{}))
		wantNulls(t, vault, "x", column.Int64, slices.Concat([]column.Null[int64]{{}}, want, []column.Null[int64]{{}}))
		check(t, vault, path)
		must(t, vault.Close())

		d.do(t, "open", args{"path": path, "table": "kvault", "page_size": 4096}, nil)
		wantThere("x", "i64", number(0), number(7), number(0), number(8), number(9), number(0))
		wantThere("x_valid", "bytes:1", []byte{0}, []byte{1}, []byte{0}, []byte{0}, []byte{1}, []byte{0})
		d.do(t, "close", nil, nil)
	})
}

// A null in a column of differing element size leaves what the package reads in place of it.
func TestNullsOfDifferingSize(t *testing.T) {
	eachVersion(t, func(t *testing.T, v *version) {
		if v.blocks || v.joined {
			return
		}
		path, d := newPath(t), v.start(t)
		vault, err := kvault.Open(t.Context(), path, &kvault.Options{Table: "kvault", PageSize: 4096})
		must(t, err)
		texts, err := column.Create(t.Context(), vault, "x", column.Nullable(column.String), nil)
		must(t, err)
		want := []column.Null[string]{{}, there("a"), {}, there("")}
		must(t, texts.Extend(t.Context(), want))
		must(t, vault.Close())
		d.do(t, "open", args{"path": path, "table": "kvault", "page_size": 4096}, nil)
		var got [][]byte
		d.do(t, "column", args{"name": "x", "dtype": "str:utf8"}, &got)
		if diff := cmp.Diff([][]byte{{}, []byte("a"), {}, {}}, got); diff != "" {
			t.Errorf("there (-want +got):\n%s", diff)
		}
		d.do(t, "append", args{"name": "x", "dtype": "str:utf8", "item": []byte("b")}, nil)
		d.do(t, "close", nil, nil)
		vault, err = kvault.Open(t.Context(), path, &kvault.Options{Table: "kvault"})
		must(t, err)
		wantNulls(t, vault, "x", column.String, append(want, there("b")))
		must(t, vault.Close())
	})
}

func wantNulls[T any](t *testing.T, v *kvault.Vault, name string, codec column.Codec[T], want []column.Null[T]) {
	t.Helper()
	c, err := column.Open(t.Context(), v, name, column.Nullable(codec))
	must(t, err)
	got, err := c.Slice(t.Context(), 0, 1<<40)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// What the package appends to a column of truth values that is none is told with its number, and
// the others are read.
func TestTruthValuesThatAreNone(t *testing.T) {
	eachVersion(t, func(t *testing.T, v *version) {
		if v.blocks {
			return
		}
		path, d := newPath(t), v.start(t)
		vault, err := kvault.Open(t.Context(), path, &kvault.Options{Table: "kvault", PageSize: 4096})
		must(t, err)
		flags, err := column.Create(t.Context(), vault, "x", column.Bool, nil)
		must(t, err)
		must(t, flags.Append(t.Context(), true))
		must(t, vault.Close())
		d.do(t, "open", args{"path": path, "table": "kvault", "page_size": 4096}, nil)
		d.do(t, "append", args{"name": "x", "dtype": "bytes:1:bool", "item": []byte{2}}, nil)
		d.do(t, "close", nil, nil)
		vault, err = kvault.Open(t.Context(), path, &kvault.Options{Table: "kvault"})
		must(t, err)
		defer vault.Close()
		flags, err = column.Open(t.Context(), vault, "x", column.Bool)
		must(t, err)
		if x, err := flags.Get(t.Context(), 0); !x || err != nil {
			t.Errorf("%t, %v", x, err)
		}
		_, err = flags.Slice(t.Context(), 0, 2)
		if !errors.Is(err, kvault.ErrCorrupt) || !strings.Contains(err.Error(), "element 1") {
			t.Error(err)
		}
	})
}

// Versions before 0.4 take no type that has something behind i64, and say so.
func TestTimesOf02(t *testing.T) {
	eachVersion(t, func(t *testing.T, v *version) {
		if !v.joined {
			return
		}
		path, d := newPath(t), v.start(t)
		vault, err := kvault.Open(t.Context(), path, &kvault.Options{Table: "kvault", PageSize: 4096})
		must(t, err)
		_, err = column.Create(t.Context(), vault, "x", column.Date, nil)
		must(t, err)
		must(t, vault.Close())
		d.do(t, "open", args{"path": path, "table": "kvault", "page_size": 4096}, nil)
		var got [][]byte
		if err := d.try("column", args{"name": "x", "dtype": "i64:date"}, &got); err == nil || !strings.Contains(err.Error(), "Unknown dtype: i64:date") {
			t.Errorf("%x, %v", got, err)
		}
		d.do(t, "close", nil, nil)
	})
}
