package exchange_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/column/exchange"
	"github.com/kohakuvault/kvault/internal/race"
)

// A table goes through each format under one prefix and comes back under another, in its order.
func TestPrefix(t *testing.T) {
	for _, f := range []exchange.Format{exchange.CSV, exchange.NDJSON, exchange.Arrow, exchange.Parquet} {
		v := open(t)
		fill(t, v, "a/z", column.Int64, 1, 2)
		fill(t, v, "other", column.Int64, 9)
		fill(t, v, "a/b/c", column.String, "x", "y")
		var file bytes.Buffer
		_, err := exchange.Export(t.Context(), v, &file, f, nil, &exchange.ExportOptions{Prefix: "a/"})
		must(t, err)
		if f == exchange.CSV && file.String() != "\"z\",\"b/c\"\n1,\"x\"\n2,\"y\"\n" {
			t.Errorf("%s", file.String())
		}
		o := &exchange.ImportOptions{Prefix: "n/", Types: map[string]string{"z": "i64", "b/c": "str"}}
		_, err = exchange.Import(t.Context(), v, bytes.NewReader(file.Bytes()), f, o)
		must(t, err)
		if diff := cmp.Diff([]int64{1, 2}, content(t, v, "n/z", column.Int64)) +
			cmp.Diff([]string{"x", "y"}, content(t, v, "n/b/c", column.String)); diff != "" {
			t.Errorf("%s: %s", f, diff)
		}
		file.Reset()
		_, err = exchange.Export(t.Context(), v, &file, f, []string{"b/c"}, &exchange.ExportOptions{Prefix: "n/"})
		must(t, err)
		o.Columns = []string{"b/c"}
		o.Prefix = "part/"
		_, err = exchange.Import(t.Context(), v, bytes.NewReader(file.Bytes()), f, o)
		must(t, err)
		if diff := cmp.Diff([]string{"x", "y"}, content(t, v, "part/b/c", column.String)); diff != "" {
			t.Errorf("%s: %s", f, diff)
		}
	}
}

// Errors name columns by their names in the vault.
func TestPrefixErrors(t *testing.T) {
	v := open(t)
	fill(t, v, "a/n", column.Int64, 1)
	fill(t, v, "a/m", column.Int64)
	fill(t, v, "b/n", column.Int64, 1)
	fill(t, v, "c/n", column.Int64, 1)
	fill(t, v, "c/m", column.Int64, 1)
	for _, tt := range []struct {
		name, in string
		o        exchange.ImportOptions
		want     error
		says     []string
	}{
		{"no type", "n,x\n1,2\n", exchange.ImportOptions{Prefix: "b/"}, kvault.ErrNotFound, []string{`"b/x"`}},
		{"unknown type", "n,x:i65\n1,2\n", exchange.ImportOptions{Prefix: "b/"}, kvault.ErrUnsupported, []string{`"b/x"`, "i65"}},
		{"lengths", "n,m\n1,2\n", exchange.ImportOptions{Prefix: "a/"}, kvault.ErrInvalid, []string{`"a/m"`, `"a/n"`, "one length"}},
		{"does not fit", "n\nx\n", exchange.ImportOptions{Prefix: "b/"}, kvault.ErrInvalid, []string{`"b/n"`, "row 1"}},
		{"a column left out", "n\n2\n", exchange.ImportOptions{Prefix: "c/"}, kvault.ErrInvalid, []string{`"c/m"`, "rows to append do not"}},
		{"a column not named", "n,m\n2,2\n", exchange.ImportOptions{Prefix: "c/", Columns: []string{"m"}}, kvault.ErrInvalid, []string{`"c/n"`}},
		{"other type", "n\n1\n", exchange.ImportOptions{Prefix: "b/", Types: map[string]string{"n": "f64"}}, kvault.ErrInvalid, []string{`"b/n"`, "holds i64, not f64"}},
	} {
		_, err := exchange.Import(t.Context(), v, strings.NewReader(tt.in), exchange.CSV, &tt.o)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		for _, words := range tt.says {
			if err == nil || !strings.Contains(err.Error(), words) {
				t.Errorf("%s: %v does not say %s", tt.name, err, words)
			}
		}
	}
	_, err := exchange.Export(t.Context(), v, &bytes.Buffer{}, exchange.CSV, nil, &exchange.ExportOptions{Prefix: "d/"})
	if !errors.Is(err, kvault.ErrNotFound) || !strings.Contains(err.Error(), `"d/"`) {
		t.Errorf("no such prefix: %v", err)
	}
	_, err = exchange.Import(t.Context(), v, strings.NewReader("n\n1\n"), exchange.CSV, &exchange.ImportOptions{Prefix: "b/", Types: map[string]string{"n": "i64"}})
	must(t, err) // the type that it has
}

// A table of many columns and few rows takes little space: 128 KiB for each column would be 190 MiB
// here.
func TestWideTableIsSmall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	v, err := kvault.Open(t.Context(), path, nil)
	must(t, err)
	var names, row []string
	for i := range 1500 / race.Slowdown {
		names, row = append(names, fmt.Sprintf("c%d:i64", i)), append(row, "7")
	}
	in := strings.NewReader(strings.Join(names, ",") + "\n" + strings.Join(row, ",") + "\n")
	_, err = exchange.Import(t.Context(), v, in, exchange.CSV, &exchange.ImportOptions{Prefix: "wide/"})
	must(t, err)
	must(t, v.Close())
	info, err := os.Stat(path)
	must(t, err)
	if info.Size() > 40<<20 {
		t.Errorf("%d bytes", info.Size())
	}
}
