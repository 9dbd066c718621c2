package exchange_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/column/exchange"
	"github.com/kohakuvault/kvault/internal/race"
)

// foreignTypes are columns of the files that pyarrow wrote (testdata/types.*), the type that takes
// each, and what it holds then.
var foreignTypes = []struct{ name, typ, want string }{
	{"i8", "i64", "-1 2 3"}, {"u64", "i64", "1 2 9223372036854775807"}, {"u32", "i64", "1 2 4294967295"},
	{"f16", "f64", "0.5 1.0 2.0"}, {"f32", "f64", "0.5 1.0 2.0"}, {"ls", "str", "a b c"}, {"b", "bytes", " eA== /w=="}, {"fb", "bytes:2", "YWI= Y2Q= ZWY="},
	{"dic", "str", "x y x"}, {"bool", "bool", "true false true"}, {"d32", "date", "2020-01-01 1969-01-01 1970-01-02"}, {"t32", "i64", "1 2 3"},
	{"t64", "i64", "1 2 3"}, {"dur", "i64", "1 2 3"}, {"dec", "str", "1.50 -0.01 99999.99"}, {"dec", "f64", "1.5 -0.01 99999.99"},
	{"dec0", "i64", "1 -2 123456789"}, {"dec256", "f64", "1.5 -2.0 3.0"}, {"tns", "i64", "1 2 3"}, {"vec", "vec:f32:2", "[1.0,2.0] [3.0,4.0] [5.0,6.0]"},
	{"st", "msgpack", `{"a":1,"b":["x",null]} {"a":null,"b":[]} null`}, {"m", "msgpack", `{"k":1} {} {"a":2,"b":null}`},
	{"lt", "msgpack", `["a","b"] [] null`}, {"lb", "msgpack", "[true] [false,null] []"}, {"ll", "msgpack", "[[1],[2,3]] [] [[]]"},
	{"tsu", "timestamp:ms:utc", "1970-01-01T00:00:00.001Z 1970-01-01T00:00:00.002Z 1970-01-01T00:00:00.003Z"},
}

// lines are the elements of a column, with spaces between them.
func lines(t *testing.T, v *kvault.Vault, name string) string {
	t.Helper()
	var out strings.Builder
	_, err := exchange.Export(t.Context(), v, &out, exchange.Lines, []string{name}, nil)
	must(t, err)
	return strings.ReplaceAll(strings.TrimSuffix(out.String(), "\n"), "\n", " ")
}

func TestForeignTypes(t *testing.T) {
	for _, file := range []string{"types.parquet", "types_v2.parquet", "types.arrow"} {
		data, err := os.ReadFile(filepath.Join("testdata", file))
		must(t, err)
		f := exchange.Format(strings.TrimPrefix(filepath.Ext(file), "."))
		v := open(t)
		for _, tt := range foreignTypes {
			_, err := exchange.Import(t.Context(), v, bytes.NewReader(data), f,
				&exchange.ImportOptions{Columns: []string{tt.name}, Types: map[string]string{tt.name: tt.typ}})
			if err != nil {
				t.Errorf("%s: %s as %s: %v", file, tt.name, tt.typ, err)
				continue
			}
			if got := lines(t, v, tt.name); got != tt.want {
				t.Errorf("%s: %s as %s is %q, want %q", file, tt.name, tt.typ, got, tt.want)
			}
			must(t, column.Drop(t.Context(), v, tt.name))
		}
		_, err = exchange.Import(t.Context(), v, bytes.NewReader(data), f, &exchange.ImportOptions{Columns: []string{"t32"}})
		if err == nil || !strings.Contains(err.Error(), `"t32"`) || !strings.Contains(err.Error(), "time32[ms]") || !strings.Contains(err.Error(), "i64") {
			t.Errorf("%s: a type that no column stands for: %v", file, err)
		}
	}
}

// Files in all encodings hold what the plain one does; their lists of pages and row groups differ.
func TestEncodings(t *testing.T) {
	var want string
	for _, file := range []string{"encodings_plain", "encodings_v1", "encodings_v2"} {
		in, err := os.Open(filepath.Join("testdata", file+".parquet"))
		must(t, err)
		v := open(t)
		n, err := exchange.Import(t.Context(), v, in, exchange.Parquet, nil)
		must(t, err)
		must(t, in.Close())
		var out strings.Builder
		_, err = exchange.Export(t.Context(), v, &out, exchange.CSV, []string{"i", "j", "s", "l", "f", "b"}, nil)
		must(t, err)
		if want == "" {
			want = out.String()
		}
		if diff := cmp.Diff(want, out.String()); diff != "" || n != 700 {
			t.Errorf("%s: %d rows\n%s", file, n, diff)
		}
	}
}

// What is gathered is bounded for all columns together.
func TestManyColumns(t *testing.T) {
	// What is left for the collector would count otherwise, which is as much again and more.
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	const columns, rows = 400, 4000 / race.Slowdown
	from, to := open(t), open(t)
	var names []string
	xs := make([]int64, rows)
	for i := range xs {
		xs[i] = int64(i) * 1_000_003
	}
	for i := range columns {
		names = append(names, fmt.Sprint("c", i))
		fill(t, from, names[i], column.Int64, xs...)
	}
	for _, f := range []exchange.Format{exchange.CSV, exchange.Parquet} {
		var file bytes.Buffer
		_, err := exchange.Export(t.Context(), from, &file, f, names, &exchange.ExportOptions{TypedNames: true})
		must(t, err)
		var before, now runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		most := uint64(0)
		_, err = exchange.Import(t.Context(), to, bytes.NewReader(file.Bytes()), f, &exchange.ImportOptions{Progress: func(int64) {
			if runtime.ReadMemStats(&now); now.HeapAlloc > before.HeapAlloc {
				most = max(most, now.HeapAlloc-before.HeapAlloc)
			}
		}})
		must(t, err)
		if most > 40<<20 {
			t.Errorf("%s: %d MiB for %d columns", f, most>>20, columns)
		}
		t.Logf("%s: %d MiB", f, most>>20)
		if diff := cmp.Diff(xs, content(t, to, names[columns-1], column.Int64)); diff != "" {
			t.Error(diff)
		}
		to = open(t)
	}
}

// FuzzParquet reads all of damaged files, without a vault, which takes far longer to make: they
// must not end the program.
func FuzzParquet(f *testing.F) {
	files, err := filepath.Glob("testdata/*.parquet")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = exchange.Infer(t.Context(), bytes.NewReader(data), exchange.Parquet, &exchange.InferOptions{Rows: -1})
	})
}
