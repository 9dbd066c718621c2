package exchange_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/column/exchange"
)

// Texts that readers of CSV change come back byte for byte, also where they are the only column,
// under every delimiter.
func TestTextsSurviveCSV(t *testing.T) {
	texts := []string{"", "a\r\nb", "\r", "\n", " a ", "\"", "\"\"", ",", "\t", ";", "NA", "\ufeff", "a\x00b", "1.0", "\n\n", "x:i64"}
	for _, o := range []struct {
		f     exchange.Format
		delim byte
		null  string
	}{{exchange.CSV, 0, ""}, {exchange.TSV, 0, ""}, {exchange.CSV, ';', "NA"}, {exchange.CSV, ' ', ""}, {exchange.CSV, '1', "0.0"}, {exchange.CSV, 'a', "x"}} {
		for _, columns := range [][]string{{"t"}, {"t", "f"}} {
			from, to := open(t), open(t)
			fill(t, from, "t", column.String, texts...)
			fill(t, from, "f", column.Float64, make([]float64, len(texts))...)
			var file bytes.Buffer
			_, err := exchange.Export(t.Context(), from, &file, o.f, columns, &exchange.ExportOptions{TypedNames: true, Delimiter: o.delim, Null: o.null})
			must(t, err)
			n, err := exchange.Import(t.Context(), to, iotest.HalfReader(&file), o.f, &exchange.ImportOptions{Delimiter: o.delim, Null: o.null})
			must(t, err)
			if diff := cmp.Diff(texts, content(t, to, "t", column.String)); diff != "" || n != int64(len(texts)) {
				t.Errorf("%s %q: %d rows; %s", o.f, o.delim, n, diff)
			}
		}
	}
}

// Readers of other programs know floats by their point.
func TestWholeFloatsKeepTheirPoint(t *testing.T) {
	v := open(t)
	fill(t, v, "f", column.Float64, 1, math.Copysign(0, -1), 1e21, 2.5)
	fill(t, v, "v", column.Vector[float32](2), []float32{1, 2}, []float32{0, 0.1}, []float32{0, 0}, []float32{0, 0})
	fill(t, v, "m", column.MessagePack[any](), any(1.0), any(int64(1)), any(map[string]any{"a": 2.0}), nil)
	for f, want := range map[exchange.Format]string{
		exchange.CSV: "\"f\",\"v\",\"m\"\n1.0,\"[1.0,2.0]\",\"1.0\"\n-0.0,\"[0.0,0.1]\",\"1\"\n1e+21,\"[0.0,0.0]\",\"{\"\"a\"\":2.0}\"\n2.5,\"[0.0,0.0]\",\"null\"\n",
		exchange.NDJSON: `{"f":1.0,"v":[1.0,2.0],"m":1.0}` + "\n" + `{"f":-0.0,"v":[0.0,0.1],"m":1}` + "\n" + `{"f":1e+21,"v":[0.0,0.0],"m":{"a":2.0}}` + "\n" +
			`{"f":2.5,"v":[0.0,0.0],"m":null}` + "\n",
		exchange.Lines: "1.0\t[1.0,2.0]\t1.0\n-0.0\t[0.0,0.1]\t1\n1e+21\t[0.0,0.0]\t{\"a\":2.0}\n2.5\t[0.0,0.0]\tnull\n",
	} {
		var out strings.Builder
		_, err := exchange.Export(t.Context(), v, &out, f, []string{"f", "v", "m"}, nil)
		must(t, err)
		if out.String() != want {
			t.Errorf("%s:\n%s\nwant\n%s", f, out.String(), want)
		}
	}
}

// What is refused says the line, and what it is.
func TestTextErrors(t *testing.T) {
	types := map[string]string{"s": "str", "n": "i64", "m": "msgpack", "c": "cbor", "b": "bytes"}
	utf16 := string([]byte{0xff, 0xfe, 's', 0, '\n', 0, 'x', 0})
	for _, tt := range []struct {
		name string
		f    exchange.Format
		in   string
		says []string
	}{
		{"not UTF-8", exchange.NDJSON, "{\"s\":\"a\"}\n{\"s\":\"caf\xe9\"}\n", []string{"row 2", "line 2, byte 10", "UTF-8"}},
		{"half a surrogate pair", exchange.NDJSON, `{"s":"\ud800"}`, []string{"row 1", "surrogate"}},
		{"key twice", exchange.NDJSON, `{"s":"a","s":"b"}`, []string{"row 1", "line 1, byte 10", `"s" is there twice`}},
		{"key twice below", exchange.NDJSON, `{"m":[{"a":1,"a":2}]}`, []string{`"a" is there twice`, `"/m/0"`}},
		{"NaN", exchange.NDJSON, `{"m":-NaN}`, []string{"row 1", "line 1"}},
		{"no such float", exchange.NDJSON, "{\"m\":1}\n\n{\"m\":1e999}", []string{"row 2", "line 3", `"m"`, "1e999"}},
		{"no such integer", exchange.NDJSON, `{"m":99999999999999999999}`, []string{"row 1", "99999999999999999999"}},
		{"key twice in a field", exchange.CSV, "m\n\"{\"\"a\"\":1,\"\"a\"\":2}\"\n", []string{"row 1", `"a" is there twice`}},
		{"not UTF-8 in a field", exchange.CSV, "c\n\"\"\"\xff\"\"\"\n", []string{"row 1", "UTF-8"}},
		{"a name in Latin-1", exchange.CSV, "s,caf\xe9\nx,1\n", []string{"column 2", "UTF-8", "iconv -f LATIN1 -t UTF-8"}},
		{"Latin-1", exchange.CSV, "s\nx\ncaf\xe9\n", []string{"row 2, line 3", "UTF-8", "iconv -f LATIN1 -t UTF-8"}},
		{"ragged", exchange.CSV, "s,n\nx,1\n\"a\nb\",2,3\n", []string{"row 2", "line 3: 3 fields, but the first line has 2"}},
		{"open quote", exchange.CSV, "s\nx\n\"y\n", []string{"row 2", "line 3", "quote"}},
		{"unnamed index", exchange.CSV, ",s\n0,x\n", []string{"column 1", "no name", "pandas", "name the columns to read"}},
		{"heading twice", exchange.CSV, "s,s\nx,y\n", []string{`"s"`, "twice"}},
		{"empty number", exchange.CSV, "s,n\nx,\n", []string{"row 1", `"n"`, "null"}},
		{"UTF-16", exchange.CSV, utf16, []string{"UTF-16", "iconv"}},
		{"UTF-16 without a mark", exchange.NDJSON, "{\x00\"\x00s\x00\"\x00", []string{"UTF-16"}},
		{"UTF-16, big end first", exchange.CSV, "\x00s\x00,\x00t\x00\n", []string{"UTF-16"}},
		{"UTF-16 in lines", exchange.Lines, utf16, []string{"UTF-16"}},
		{"a list", exchange.NDJSON, " \n" + `[{"s":"a"}]`, []string{"one array of JSON", "jq"}},
		{"base64 with more bits", exchange.CSV, "b\nYWF=\n", []string{"row 1", "base64"}},
		{"Parquet", exchange.CSV, "PAR1\x15\x04", []string{"Parquet file", "format parquet"}},
		{"Arrow", exchange.CSV, "ARROW1\x00\x00", []string{"Arrow file", "format arrow"}},
		{"Arrow stream", exchange.Arrow, "\xff\xff\xff\xff\x10\x00\x00\x00", []string{"Arrow stream", "format arrows"}},
		{"workbook", exchange.CSV, "PK\x03\x04....", []string{"Excel", "CSV"}},
		{"zstd", exchange.NDJSON, "\x28\xb5\x2f\xfd", []string{"zstd"}},
		{"damaged gzip", exchange.CSV, zipped("s\nx\n")[:20], []string{"gzip", "cut off"}},
		{"changed gzip", exchange.CSV, strings.Replace(zipped("s\nx\n"), zipped("s\nx\n")[len(zipped("s\nx\n"))-8:], "abcdefgh", 1), []string{"gzip", "damaged"}},
		{"gzip of gzip", exchange.CSV, zipped(zipped("s\nx\n")), []string{"twice"}},
		{"gzip of Parquet", exchange.Parquet, zipped("PAR1"), []string{"gzip"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := open(t)
			o := &exchange.ImportOptions{Types: types}
			if tt.f == exchange.Lines {
				o.Columns = []string{"s"}
			}
			_, err := exchange.Import(t.Context(), v, strings.NewReader(tt.in), tt.f, o)
			if !errors.Is(err, kvault.ErrInvalid) && !errors.Is(err, kvault.ErrTooLarge) {
				t.Fatalf("error %v", err)
			}
			for _, words := range tt.says {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("%q does not say %q", err, words)
				}
			}
			for _, words := range []string{"strconv", "jsontext", "encoding/", "parse error"} {
				if strings.Contains(err.Error(), words) {
					t.Errorf("%q says %q", err, words)
				}
			}
		})
	}
}

func zipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, text)
	_ = z.Close()
	return b.String()
}

// A byte order mark and gzip are taken off every format that is text, in this order.
func TestMarksAndGzip(t *testing.T) {
	for f, in := range map[exchange.Format]string{exchange.CSV: "n\n1\n", exchange.TSV: "n\n1\n", exchange.NDJSON: "{\"n\":1}\n", exchange.Lines: "1\n"} {
		for _, in := range []string{in, "\ufeff" + in, zipped(in), zipped("\ufeff" + in), zipped("\ufeff") + zipped(in)} {
			v := open(t)
			_, err := exchange.Import(t.Context(), v, iotest.OneByteReader(strings.NewReader(in)), f, &exchange.ImportOptions{Columns: []string{"n"}, Types: map[string]string{"n": "i64"}})
			must(t, err)
			if got := content(t, v, "n", column.Int64); !slices.Equal(got, []int64{1}) {
				t.Errorf("%s: %d", f, got)
			}
		}
	}
	boom := errors.New("boom")
	in := zipped("n\n" + strings.Repeat("1\n", 1<<16))
	_, err := exchange.Import(t.Context(), open(t), io.MultiReader(strings.NewReader(in[:60]), iotest.ErrReader(boom)), exchange.CSV, &exchange.ImportOptions{Types: map[string]string{"n": "i64"}})
	if !errors.Is(err, boom) {
		t.Errorf("a source that fails: %v", err)
	}
}

// Names of columns that begin as other formats do.
func TestHeadingsLikeMagic(t *testing.T) {
	for _, name := range []string{"PAR1", "ARROW1", "BZh9", "PK", "SQLite format 3"} {
		v := open(t)
		_, err := exchange.Import(t.Context(), v, strings.NewReader(name+",n\n1,2\n"), exchange.CSV, &exchange.ImportOptions{Types: map[string]string{name: "i64", "n": "i64"}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestExportGzip(t *testing.T) {
	v := open(t)
	fill(t, v, "n", column.Int64, 1, 2)
	var out bytes.Buffer
	_, err := exchange.Export(t.Context(), v, &out, exchange.CSV, []string{"n"}, &exchange.ExportOptions{Gzip: true})
	must(t, err)
	z, err := gzip.NewReader(&out)
	must(t, err)
	if text, err := io.ReadAll(z); err != nil || string(text) != "\"n\"\n1\n2\n" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := exchange.Export(t.Context(), v, &out, exchange.Parquet, []string{"n"}, &exchange.ExportOptions{Gzip: true}); !errors.Is(err, kvault.ErrInvalid) {
		t.Errorf("Parquet in gzip: %v", err)
	}
	if _, err := exchange.Export(t.Context(), v, &brokenWriter{3}, exchange.CSV, []string{"n"}, &exchange.ExportOptions{Gzip: true}); !errors.Is(err, errFull) {
		t.Errorf("no room: %v", err)
	}
}

// An empty line is an element where there is one column.
func TestEmptyLines(t *testing.T) {
	for in, want := range map[string][]string{"s\nx\n\ny\n": {"x", "", "y"}, "s\n\n": {""}, "\n\ns\r\nx\r\n\r\n": {"x", ""}, "s\n\"\"": {""}} {
		v := open(t)
		_, err := exchange.Import(t.Context(), v, strings.NewReader(in), exchange.CSV, &exchange.ImportOptions{Types: map[string]string{"s": "str"}})
		must(t, err)
		if got := content(t, v, "s", column.String); !slices.Equal(got, want) {
			t.Errorf("%q: %q", in, got)
		}
	}
	v := open(t)
	n, err := exchange.Import(t.Context(), v, strings.NewReader("s,n\n\nx,1\n\n"), exchange.CSV, &exchange.ImportOptions{Types: map[string]string{"s": "str", "n": "i64"}})
	if err != nil || n != 1 {
		t.Errorf("%d rows, %v", n, err)
	}
}

// A name that looks like name:type comes back as a name, whether types are written or not, and a
// heading can be claimed as a name.
func TestNamesThatLookTyped(t *testing.T) {
	for _, typed := range []bool{false, true} {
		from, to := open(t), open(t)
		fill(t, from, "x:i64", column.Float64, 1.5)
		fill(t, from, "x", column.Int64, 1)
		fill(t, to, "x", column.Int64)
		fill(t, to, "x:i64", column.Float64)
		var file bytes.Buffer
		_, err := exchange.Export(t.Context(), from, &file, exchange.CSV, []string{"x:i64", "x"}, &exchange.ExportOptions{TypedNames: typed})
		must(t, err)
		_, err = exchange.Import(t.Context(), to, &file, exchange.CSV, nil)
		must(t, err)
		if a, b := content(t, to, "x:i64", column.Float64), content(t, to, "x", column.Int64); !slices.Equal(a, []float64{1.5}) || !slices.Equal(b, []int64{1}) {
			t.Errorf("typed %v: %v, %v", typed, a, b)
		}
	}
	v := open(t)
	_, err := exchange.Import(t.Context(), v, strings.NewReader("x:i64\n1.5\n"), exchange.CSV, &exchange.ImportOptions{Types: map[string]string{"x:i64": "f64"}})
	must(t, err)
	if got := content(t, v, "x:i64", column.Float64); !slices.Equal(got, []float64{1.5}) {
		t.Errorf("%v", got)
	}
}

func TestDelimiters(t *testing.T) {
	for _, f := range []exchange.Format{exchange.CSV, exchange.TSV, exchange.Lines} {
		for _, delim := range []byte{'"', '\n', '\r', 0xc3} {
			_, err := exchange.Import(t.Context(), open(t), strings.NewReader("n\n"), f, &exchange.ImportOptions{Delimiter: delim, Columns: []string{"n"}})
			if !errors.Is(err, kvault.ErrInvalid) || !strings.Contains(err.Error(), "separate") {
				t.Errorf("%s %q: %v", f, delim, err)
			}
			v := open(t)
			fill(t, v, "n", column.Int64, 1)
			if _, err := exchange.Export(t.Context(), v, io.Discard, f, []string{"n"}, &exchange.ExportOptions{Delimiter: delim}); !errors.Is(err, kvault.ErrInvalid) {
				t.Errorf("export of %s %q: %v", f, delim, err)
			}
		}
		for _, null := range []string{"a\"", "a\n", "a;b", "\r"} {
			_, err := exchange.Import(t.Context(), open(t), strings.NewReader("n\n"), f, &exchange.ImportOptions{Delimiter: ';', Null: null, Columns: []string{"n"}})
			if !errors.Is(err, kvault.ErrInvalid) || !strings.Contains(err.Error(), "stand for null") {
				t.Errorf("%s with %q for null: %v", f, null, err)
			}
		}
	}
}
