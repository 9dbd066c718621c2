package exchange_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/column/exchange"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T) *kvault.Vault {
	t.Helper()
	v, err := kvault.Open(t.Context(), ":memory:", nil) // SQLite's, too, without the syncs of a file
	must(t, err)
	t.Cleanup(func() { must(t, v.Close()) })
	return v
}

func fill[T any](t *testing.T, v *kvault.Vault, name string, codec column.Codec[T], xs ...T) {
	t.Helper()
	c, err := column.Ensure(t.Context(), v, name, codec, nil)
	must(t, err)
	must(t, c.Extend(t.Context(), xs))
}

func content[T any](t *testing.T, v *kvault.Vault, name string, codec column.Codec[T]) []T {
	t.Helper()
	c, err := column.Open(t.Context(), v, name, codec)
	must(t, err)
	xs, err := c.Slice(t.Context(), 0, math.MaxInt64)
	must(t, err)
	return xs
}

var (
	ints   = []int64{0, -1, math.MaxInt64, math.MinInt64, 42}
	floats = []float64{0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), 0.1}
	texts  = []string{"", "a,b\"c\"", "two\nlines", "ünï\x00\t", " spaced "}
	blobs  = [][]byte{{}, {0}, []byte("\x00\xff"), bytes.Repeat([]byte("x"), 3000), []byte("\n")}
	sums   = [][]byte{[]byte("aaaa"), []byte("\x00\x00\x00\x00"), []byte("\xff\xff\xff\xff"), []byte("ab\x00\x00"), []byte("zzzz")}
	names  = []string{"i", "f", "text, with \"quotes\"", "b", "s"}
)

func sample(t *testing.T) *kvault.Vault {
	v := open(t)
	fill(t, v, names[0], column.Int64, ints...)
	fill(t, v, names[1], column.Float64, floats...)
	fill(t, v, names[2], column.String, texts...)
	fill(t, v, names[3], column.Bytes, blobs...)
	fill(t, v, names[4], column.FixedBytes(4), sums...)
	return v
}

var types = map[string]string{"i": "i64", "f": "f64", names[2]: "str", "b": "bytes", "s": "bytes:4"}

// What goes out comes back as it was, into columns that are made for it, in every format.
func TestRoundTrip(t *testing.T) {
	for _, f := range []exchange.Format{exchange.CSV, exchange.NDJSON, exchange.Arrow, exchange.Parquet} {
		t.Run(string(f), func(t *testing.T) {
			from, to := sample(t), open(t)
			var file bytes.Buffer
			n, err := exchange.Export(t.Context(), from, &file, f, names, nil)
			must(t, err)
			if n != 5 {
				t.Errorf("%d rows", n)
			}
			for range 2 { // into new columns, and behind what is there
				n, err = exchange.Import(t.Context(), to, bytes.NewReader(file.Bytes()), f, &exchange.ImportOptions{Types: types})
				must(t, err)
				if n != 5 {
					t.Errorf("%d rows", n)
				}
			}
			for _, diff := range []string{
				cmp.Diff(append(ints, ints...), content(t, to, "i", column.Int64)),
				cmp.Diff(append(texts, texts...), content(t, to, names[2], column.String)),
				cmp.Diff(append(blobs, blobs...), content(t, to, "b", column.Bytes)),
				cmp.Diff(append(sums, sums...), content(t, to, "s", column.FixedBytes(4))),
			} {
				if diff != "" {
					t.Error(diff)
				}
			}
			for i, x := range content(t, to, "f", column.Float64) {
				if math.Float64bits(x) != math.Float64bits(floats[i%5]) {
					t.Errorf("float %d is %v", i, x)
				}
			}
		})
	}
}

func TestNotANumber(t *testing.T) {
	for _, f := range []exchange.Format{exchange.CSV, exchange.NDJSON, exchange.Arrow, exchange.Parquet} {
		from, to := open(t), open(t)
		fill(t, from, "f", column.Float64, math.NaN())
		var file bytes.Buffer
		_, err := exchange.Export(t.Context(), from, &file, f, []string{"f"}, nil)
		must(t, err)
		_, err = exchange.Import(t.Context(), to, bytes.NewReader(file.Bytes()), f, &exchange.ImportOptions{Types: types})
		must(t, err)
		if got := content(t, to, "f", column.Float64); len(got) != 1 || !math.IsNaN(got[0]) {
			t.Errorf("%s: %v", f, got)
		}
	}
}

// More than what is held in memory at a time, and columns whose pages end at different rows.
func TestManyRows(t *testing.T) {
	for _, f := range []exchange.Format{exchange.CSV, exchange.Arrow, exchange.Parquet} {
		from, to := open(t), open(t)
		var is []int64
		var ts []string
		for i := range int64(30_000) {
			is, ts = append(is, i), append(ts, strings.Repeat("x", int(i%90)))
		}
		fill(t, from, "i", column.Int64, is...)
		fill(t, from, "t", column.String, ts...)
		fill(t, from, "b", column.Bytes, make([][]byte, 30_000)...)
		var file bytes.Buffer
		var last int64
		_, err := exchange.Export(t.Context(), from, &file, f, []string{"t", "i", "b"}, &exchange.ExportOptions{TypedNames: true,
			Progress: func(done, total int64) {
				if done <= last || total != 30_000 {
					t.Errorf("progress %d of %d after %d", done, total, last)
				}
				last = done
			}})
		must(t, err)
		n, err := exchange.Import(t.Context(), to, bytes.NewReader(file.Bytes()), f, &exchange.ImportOptions{Columns: []string{"t", "i"}})
		must(t, err)
		if n != 30_000 || last != n {
			t.Errorf("%s: %d rows, progress up to %d", f, n, last)
		}
		if diff := cmp.Diff(is, content(t, to, "i", column.Int64)) + cmp.Diff(ts, content(t, to, "t", column.String)); diff != "" {
			t.Errorf("%s: %s", f, diff)
		}
		if _, err := column.OpenAny(t.Context(), to, "b"); !errors.Is(err, kvault.ErrNotFound) {
			t.Errorf("a column that was left out: %v", err)
		}
	}
}

func TestTexts(t *testing.T) {
	v := open(t)
	fill(t, v, "n", column.Int64, 1, 2, 3, 4)
	fill(t, v, "t", column.String, "a", "", "c\"", "d")
	for _, tt := range []struct {
		f    exchange.Format
		o    *exchange.ExportOptions
		want string
	}{
		{exchange.CSV, nil, "\"n\",\"t\"\n1,\"a\"\n2,\"\"\n3,\"c\"\"\"\n4,\"d\"\n"},
		{exchange.CSV, &exchange.ExportOptions{TypedNames: true, From: 3}, "\"n:i64\",\"t:str:utf8\"\n4,\"d\"\n"},
		{exchange.NDJSON, &exchange.ExportOptions{From: -2, To: -1}, "{\"n\":3,\"t\":\"c\\\"\"}\n"},
		{exchange.Lines, &exchange.ExportOptions{To: 2}, "1\ta\n2\t\n"},
		{exchange.Lines, &exchange.ExportOptions{From: 9}, ""},
		{exchange.Lines, &exchange.ExportOptions{From: 3, To: 1}, ""},
	} {
		var out strings.Builder
		_, err := exchange.Export(t.Context(), v, &out, tt.f, []string{"n", "t"}, tt.o)
		must(t, err)
		if out.String() != tt.want {
			t.Errorf("%s: %q, want %q", tt.f, out.String(), tt.want)
		}
	}
}

func TestImportTexts(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		f        exchange.Format
		o        *exchange.ImportOptions
	}{
		{"typed names", "n:i64,t:str:utf8\n1,a\n-2,\n", exchange.CSV, nil},
		{"byte order mark and CR LF", "\ufeffn:i64,t:str\r\n1,a\r\n-2,\r\n", exchange.CSV, nil},
		{"given types", "n,t\n1,a\n-2,\n", exchange.CSV, &exchange.ImportOptions{Types: map[string]string{"n": "i64", "t": "str"}}},
		{"objects", `{"t":"a","n":1}{"n":"-2","t":"","more":null}`, exchange.NDJSON,
			&exchange.ImportOptions{Columns: []string{"n", "t"}, Types: map[string]string{"n": "i64", "t": "str"}}},
		{"lines", "1\ta\n-2\t", exchange.Lines, &exchange.ImportOptions{Columns: []string{"n", "t"}, Types: map[string]string{"n": "i64", "t": "str"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := open(t)
			n, err := exchange.Import(t.Context(), v, iotest.OneByteReader(strings.NewReader(tt.in)), tt.f, tt.o)
			must(t, err)
			if diff := cmp.Diff([]int64{1, -2}, content(t, v, "n", column.Int64)) + cmp.Diff([]string{"a", ""}, content(t, v, "t", column.String)); diff != "" || n != 2 {
				t.Errorf("%d rows; %s", n, diff)
			}
		})
	}
}

// What does not fit is told with its row and column, and nothing is written.
func TestImportErrors(t *testing.T) {
	boom := errors.New("boom")
	n, both := &exchange.ImportOptions{Columns: []string{"n"}}, &exchange.ImportOptions{Columns: []string{"n", "t"}}
	for _, tt := range []struct {
		name string
		f    exchange.Format
		in   io.Reader
		o    *exchange.ImportOptions
		want error
		says []string
	}{
		{"no integer", exchange.CSV, strings.NewReader("n,t\n1,a\nx,b\n"), nil, kvault.ErrInvalid, []string{"row 2", `"n"`, `"x" is not an integer`}},
		{"too large", exchange.CSV, strings.NewReader("n,t\n9223372036854775808,a\n"), nil, kvault.ErrInvalid, []string{"row 1", "n"}},
		{"fields missing", exchange.CSV, strings.NewReader("n,t\n1,a\n2\n"), nil, kvault.ErrInvalid, []string{"row 2", "line 3"}},
		{"bad quotes", exchange.CSV, strings.NewReader("n,t\n\"1,a\n"), nil, kvault.ErrInvalid, []string{"row 1"}},
		{"not UTF-8", exchange.CSV, strings.NewReader("n,t\n1,\xff\n"), nil, kvault.ErrInvalid, []string{"row 1", `"t"`}},
		{"no names", exchange.CSV, strings.NewReader(""), nil, kvault.ErrInvalid, []string{"first line"}},
		{"bad names", exchange.CSV, strings.NewReader("\"n"), nil, kvault.ErrInvalid, nil},
		{"a name twice", exchange.CSV, strings.NewReader("n,n\n1,1\n"), nil, kvault.ErrInvalid, []string{"twice"}},
		{"unknown column", exchange.CSV, strings.NewReader("n,new\n1,1\n"), nil, kvault.ErrNotFound, []string{`"new"`, "type"}},
		{"unknown type", exchange.CSV, strings.NewReader("n,new:i65\n1,1\n"), nil, kvault.ErrUnsupported, []string{`"new"`, "i65"}},
		{"other lengths", exchange.CSV, strings.NewReader("n,new:i64\n1,1\n"), nil, kvault.ErrInvalid, []string{`"new"`, "one length"}},
		{"absent column", exchange.CSV, strings.NewReader("t\n1\n"), n, kvault.ErrInvalid, []string{`"n"`}},
		{"source fails", exchange.CSV, io.MultiReader(strings.NewReader("n,t\n1,a\n"), iotest.ErrReader(boom)), nil, boom, []string{"row 2"}},
		{"source fails at once", exchange.CSV, iotest.ErrReader(boom), nil, boom, nil},
		{"long bytes", exchange.CSV, strings.NewReader("s\nYWFhYWE=\n"), nil, kvault.ErrTooLarge, []string{"row 1", "5 bytes"}},
		{"no base64", exchange.CSV, strings.NewReader("s\n$$\n"), nil, kvault.ErrInvalid, []string{"row 1", "base64"}},
		{"null", exchange.NDJSON, strings.NewReader(`{"n":1,"t":"a"}{"n":null,"t":"b"}`), nil, kvault.ErrInvalid, []string{"row 2", `"n"`, "null"}},
		{"wrong type", exchange.NDJSON, strings.NewReader(`{"n":1,"t":5}`), nil, kvault.ErrInvalid, []string{"row 1", `"t"`}},
		{"fraction", exchange.NDJSON, strings.NewReader(`{"n":1.5,"t":""}`), nil, kvault.ErrInvalid, []string{"1.5"}},
		{"object", exchange.NDJSON, strings.NewReader(`{"n":{},"t":""}`), nil, kvault.ErrInvalid, nil},
		{"missing", exchange.NDJSON, strings.NewReader(`{"n":1,"t":"a"}{"n":1}`), nil, kvault.ErrInvalid, []string{"row 2", `"t"`, "missing"}},
		{"no object", exchange.NDJSON, strings.NewReader(`{"n":1,"t":"a"}[1]`), nil, kvault.ErrInvalid, []string{"row 2"}},
		{"null object", exchange.NDJSON, strings.NewReader(`null`), nil, kvault.ErrInvalid, []string{"row 1"}},
		{"cut off", exchange.NDJSON, strings.NewReader(`{"n":1`), both, kvault.ErrInvalid, []string{"row 1"}},
		{"no rows", exchange.NDJSON, strings.NewReader(``), nil, kvault.ErrInvalid, []string{"empty"}},
		{"JSON source fails", exchange.NDJSON, iotest.ErrReader(boom), both, boom, nil},
		{"fields", exchange.Lines, strings.NewReader("1\ta\n1\n"), both, kvault.ErrInvalid, []string{"row 2", "1 field,"}},
		{"no columns", exchange.Lines, strings.NewReader("1"), nil, kvault.ErrInvalid, []string{"name them"}},
		{"line source fails", exchange.Lines, io.MultiReader(strings.NewReader("1"), iotest.ErrReader(boom)), n, boom, nil},
		{"no Arrow", exchange.Arrow, strings.NewReader("nonsense"), nil, kvault.ErrInvalid, []string{"arrow"}},
		{"no Parquet", exchange.Parquet, strings.NewReader("nonsense"), nil, kvault.ErrInvalid, []string{"parquet"}},
		{"empty Parquet", exchange.Parquet, strings.NewReader(""), nil, kvault.ErrInvalid, nil},
		{"a stream", exchange.Parquet, io.MultiReader(), nil, kvault.ErrInvalid, []string{"not a stream"}},
		{"no format", "xlsx", strings.NewReader(""), nil, kvault.ErrInvalid, []string{"xlsx", "parquet"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := open(t)
			fill(t, v, "n", column.Int64, 7)
			fill(t, v, "t", column.String, "old")
			fill(t, v, "s", column.FixedBytes(4), []byte("aaaa"))
			_, err := exchange.Import(t.Context(), v, tt.in, tt.f, tt.o)
			if !errors.Is(err, tt.want) {
				t.Fatalf("error %v, want %v", err, tt.want)
			}
			if ke := (*kvault.Error)(nil); !errors.As(err, &ke) {
				t.Errorf("a %T: %v", err, err)
			}
			for _, words := range tt.says {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("%q does not say %q", err, words)
				}
			}
			if diff := cmp.Diff([]int64{7}, content(t, v, "n", column.Int64)) + cmp.Diff([]string{"old"}, content(t, v, "t", column.String)); diff != "" {
				t.Error(diff)
			}
			list, err := column.List(t.Context(), v)
			must(t, err)
			if len(list) != 3 {
				t.Errorf("columns %v", list)
			}
		})
	}
}

type brokenWriter struct{ left int }

var errFull = errors.New("full")

func (w *brokenWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestExportErrors(t *testing.T) {
	v := sample(t)
	fill(t, v, "longer", column.Int64, 1, 2, 3, 4, 5, 6)
	for names, want := range map[string]error{"": kvault.ErrInvalid, "i i": kvault.ErrInvalid, "i longer": kvault.ErrInvalid, "nothing": kvault.ErrNotFound} {
		_, err := exchange.Export(t.Context(), v, io.Discard, exchange.CSV, strings.Fields(names), nil)
		if !errors.Is(err, want) {
			t.Errorf("%q: %v", names, err)
		}
	}
	if _, err := exchange.Export(t.Context(), v, io.Discard, "xlsx", names, nil); !errors.Is(err, kvault.ErrInvalid) {
		t.Errorf("an unknown format: %v", err)
	}
	for _, f := range exchange.Formats {
		for _, left := range []int{0, 100} {
			if _, err := exchange.Export(t.Context(), v, &brokenWriter{left}, f, names, nil); !errors.Is(err, errFull) {
				t.Errorf("%s with room for %d bytes: %v", f, left, err)
			}
		}
	}
}

func TestFormatOf(t *testing.T) {
	for path, want := range map[string]exchange.Format{"a.CSV": exchange.CSV, "b/c.parquet": exchange.Parquet, "x.jsonl": exchange.NDJSON,
		"x.feather": exchange.Arrow, "x.txt": exchange.Lines, "csv": "", "x.xlsx": "", "x.TSV": exchange.TSV, "x.csv.gz": exchange.CSV, "a/x.ndjson.GZ": exchange.NDJSON,
		"x.txt.gz": exchange.Lines, "x.arrows": exchange.Arrows, "x.parquet.gz": "", "x.gz": "", "": "", ".csv": exchange.CSV} {
		if got, ok := exchange.FormatOf(path); got != want || ok != (want != "") {
			t.Errorf("%s: %q", path, got)
		}
	}
}

func Example() {
	fmt.Println(exchange.FormatOf("sizes.parquet"))
	// Output: parquet true
}
