package exchange_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/column/exchange"
)

// A table whose delimiter is another one is refused with it, and taken as it is with the one that
// was given.
func TestOtherDelimiters(t *testing.T) {
	const taken = ""
	for _, tt := range []struct {
		name, in string
		f        exchange.Format
		want     string
	}{
		{"tabs", "a\tb\n1\t2\n3\t4\n", exchange.CSV, "--delimiter tab"},
		{"semicolons", "a;b;c\n1,5;2;x\n", exchange.CSV, "--delimiter ';'"},
		{"quotes", "\"a\";\"b\"\n\"1;2\";\"\"\n", exchange.CSV, "--delimiter ';'"},
		{"bars", "a|b\n1|2", exchange.CSV, "--delimiter '|'"},
		{"commas", "a,b\n1,2\n", exchange.TSV, "--delimiter ','"},
		{"long", "a;b\n" + strings.Repeat("12345;67890\n", 20_000), exchange.CSV, "--delimiter ';'"},
		{"ragged", "a;b\n1;2\n3\n", exchange.CSV, taken},
		{"a name in quotes", "\"a;b\"\n1\n", exchange.CSV, taken},
		{"values", "a\n1;2\n3;4\n", exchange.CSV, taken},
		{"one column", "a\n1\n", exchange.CSV, taken},
		{"two columns", "a;b,c\n1;2,3\n", exchange.CSV, taken},
	} {
		found, err := exchange.Infer(t.Context(), strings.NewReader(tt.in), tt.f, nil)
		if tt.want == taken {
			if err != nil || len(found) == 0 {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, %v", tt.name, found, err)
		}
		delim := byte(',')
		if tt.f == exchange.TSV {
			delim = '\t'
		}
		o := &exchange.InferOptions{ImportOptions: exchange.ImportOptions{Delimiter: delim}, Rows: 0}
		if tt.name != "semicolons" && tt.name != "quotes" { // which it does not fit
			_, err = exchange.Infer(t.Context(), strings.NewReader(tt.in), tt.f, o)
			must(t, err)
		}
	}
}

// A first column without a name is one with the name that is given.
func TestIndex(t *testing.T) {
	o := &exchange.InferOptions{ImportOptions: exchange.ImportOptions{Index: "row"}}
	if got := infer(t, strings.NewReader("\"\",\"a\"\n\"Mazda\",1\n"), exchange.CSV, o); got != "row=str a=i64" {
		t.Error(got)
	}
	for _, tt := range []struct {
		in   string
		f    exchange.Format
		want string
	}{
		{"a,b\n1,2\n", exchange.CSV, `"a"`},
		{",row\n1,2\n", exchange.CSV, "twice"},
		{"a,\n1,2\n", exchange.CSV, `"a"`},
		{`{"a":1}`, exchange.NDJSON, "not for ndjson"},
	} {
		if _, err := exchange.Infer(t.Context(), strings.NewReader(tt.in), tt.f, o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v", tt.in, err)
		}
	}
	_, err := exchange.Infer(t.Context(), strings.NewReader(",a\n1,2\n"), exchange.CSV, nil)
	if err == nil || !strings.Contains(err.Error(), "--index row") {
		t.Error(err)
	}
}

// Spaces around a number are no part of it, and make nothing else of text.
func TestPaddedNumbers(t *testing.T) {
	const in = "i,f,t,word,z\n   1,  8.04, a,  1,007\n  12,-0.5  ,b , x,  1\n"
	if got := infer(t, strings.NewReader(in), exchange.CSV, nil); got != "i=i64 f=f64 t=str word=str z=str" {
		t.Error(got)
	}
	v := open(t)
	_, err := exchange.Import(t.Context(), v, strings.NewReader(in), exchange.CSV,
		&exchange.ImportOptions{Types: map[string]string{"i": "i64", "f": "f64:null", "t": "str", "word": "str", "z": "str"}})
	must(t, err)
	there := func(x float64) column.Null[float64] { return column.Null[float64]{V: x, Valid: true} }
	if diff := cmp.Diff([]int64{1, 12}, content(t, v, "i", column.Int64)) +
		cmp.Diff([]column.Null[float64]{there(8.04), there(-0.5)}, content(t, v, "f", column.Nullable(column.Float64))) +
		cmp.Diff([]string{" a", "b "}, content(t, v, "t", column.String)); diff != "" {
		t.Error(diff)
	}
	if _, err := imported(t, "i64", "  "); err == nil {
		t.Error("spaces are taken for a number")
	}
	if _, err := imported(t, "i64", "1 2"); err == nil {
		t.Error("two numbers are taken for one")
	}
}

// An error says once what failed, in which row and line, and of which column.
func TestPlaceOfErrors(t *testing.T) {
	arrow, parquet := nulls(t, exchange.Arrow), nulls(t, exchange.Parquet)
	for _, tt := range []struct {
		f        exchange.Format
		in, want string
	}{
		{exchange.CSV, "b:i64,c:str\n1,\"x\ny\"\nz,y\n", `import "t/b": row 2, line 4: "z" is not an integer of 64 bits: invalid argument`},
		{exchange.NDJSON, "{\"b\":1}\n\n{\"b\":\"z\"}\n", `import "t/b": row 2, line 3: "z" is not an integer of 64 bits: invalid argument`},
		{exchange.NDJSON, "{\"b\":1}\n{}\n", `import "b": row 2, line 2: it is missing from the object: invalid argument`},
		{exchange.NDJSON, "{\"b\":1}\n{\"c\":1}\n", `import "c": row 2, line 2: it is missing from the first object: `},
		{exchange.CSV, "b:i64,c:str\n1\n", `import: row 1: line 2: 1 field, but the first line has 2: invalid argument`},
		{exchange.Arrow, arrow, `import "t/b": row 2: null, want a value: `},
		{exchange.Parquet, parquet, `import "t/b": row 2: null, want a value: `},
	} {
		_, err := exchange.Import(t.Context(), open(t), strings.NewReader(tt.in), tt.f,
			&exchange.ImportOptions{Prefix: "t/", Types: map[string]string{"b": "i64"}})
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.f, err, tt.want)
		}
	}
}

// nulls is a file with a column b whose second value is null.
func nulls(t *testing.T, f exchange.Format) string {
	t.Helper()
	v := open(t)
	_, err := exchange.Import(t.Context(), v, strings.NewReader("b:i64:null,c:str\n1,x\n,x\n"), exchange.CSV, nil)
	must(t, err)
	var file bytes.Buffer
	_, err = exchange.Export(t.Context(), v, &file, f, []string{"b"}, nil)
	must(t, err)
	return file.String()
}

// A column that is made is of a table with a name.
func TestTablesHaveNames(t *testing.T) {
	for prefix, in := range map[string]string{"/": "a:i64\n1\n", "//": "a:i64\n1\n", "": "/a:i64\n1\n"} {
		v := open(t)
		_, err := exchange.Import(t.Context(), v, strings.NewReader(in), exchange.CSV, &exchange.ImportOptions{Prefix: prefix})
		if err == nil || !strings.Contains(err.Error(), "a table without a name") {
			t.Errorf("%q: %v", prefix, err)
		}
	}
	v := open(t)
	fill(t, v, "/a", column.Int64, 1) // as the Python package may make it
	_, err := exchange.Import(t.Context(), v, strings.NewReader("/a,b/c\n1,2\n"), exchange.CSV, &exchange.ImportOptions{Columns: []string{"/a"}})
	must(t, err)
}
