package exchange_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault/column/exchange"
)

// infer describes what Infer finds: the types, and the names before them if they are told.
func infer(t *testing.T, r io.Reader, f exchange.Format, o *exchange.InferOptions) string {
	t.Helper()
	found, err := exchange.Infer(t.Context(), r, f, o)
	must(t, err)
	var list []string
	for _, c := range found {
		list = append(list, c.Name+"="+c.Type)
	}
	return strings.Join(list, " ")
}

// A type is inferred only if it takes every text and loses nothing of it.
func TestInferTexts(t *testing.T) {
	for _, tt := range []struct{ values, want string }{
		{"1 -2 0", "i64"},
		{"1 2.5 -0 +3e9", "f64"},
		{"-0 1", "f64"},
		{"1.5 NaN -inf Infinity", "f64"},
		{"NaN inf", "str"},
		{"1 007", "str"},
		{"0.5 00.5", "str"},
		{"9223372036854775807 -9223372036854775808", "i64"},
		{"9223372036854775808", "str"},
		{"1.5 9223372036854775808", "str"},
		{"1e400 1", "str"},
		{"0x1p4 1", "str"},
		{"1_000", "str"},
		{"--1", "str"},
		{"+4930123 1", "str"},
		{"+5", "str"},
		{"- +", "str"},
		{"true false", "bool"},
		{"true 1", "str"},
		{"2013-01-01 0001-12-31", "date"},
		{"2013-02-30", "str"},
		{"2013-1-1", "str"},
		{"2013-01-01T05:15:00 2013-01-01T05:15:00.123456", "timestamp:us"},
		{"2013-01-01T05:15:00.123456789", "timestamp:ns"},
		{"2013-01-01T05:15:00.1234567891", "str"},
		{"2013-01-01T05:15:00Z 2013-01-01T05:15:00+02:00", "timestamp:us:utc"},
		{"2013-01-01T05:15:00Z 2013-01-01T05:15:00", "str"},
		{"2013-01-01T05:15:00 2013-01-01", "timestamp:us"},
		{"2013-01-01T05:15:00Z 2013-01-01", "str"},
		{"0013-01-01T05:15:00.123456789", "str"},
		{"True FALSE", "bool"},
		{"x 1", "str"},
	} {
		in := "c\n" + strings.ReplaceAll(tt.values, " ", "\n") + "\n"
		if got := infer(t, strings.NewReader(in), exchange.CSV, nil); got != "c="+tt.want {
			t.Errorf("%s: %s, want %s", tt.values, got, tt.want)
		}
	}
	// A space may stand for the T of a timestamp.
	if got := infer(t, strings.NewReader("c\n2013-01-01 05:15:00\n"), exchange.CSV, nil); got != "c=timestamp:us" {
		t.Error(got)
	}
}

func TestInferJSON(t *testing.T) {
	for _, tt := range []struct{ values, want string }{
		{"1 -2", "i64"},
		{"1 2.5", "f64"},
		{"9007199254740993 2.5", "msgpack"},
		{"-0", "f64"},
		{"18446744073709551615", "msgpack"},
		{"true false", "bool"},
		{`"1" "x"`, "str"},
		{`1 "x"`, "msgpack"},
		{`{"a":1} [2]`, "msgpack"},
		{`{"a":1} null`, "msgpack"},
		{"null 1", "i64:null"},
		{"null null", "str:null"},
	} {
		var in strings.Builder
		for value := range strings.FieldsSeq(tt.values) {
			fmt.Fprintf(&in, "{\"c\":%s}\n", value)
		}
		if got := infer(t, strings.NewReader(in.String()), exchange.NDJSON, nil); got != "c="+tt.want {
			t.Errorf("%s: %s, want %s", tt.values, got, tt.want)
		}
	}
}

// The columns are those of all objects, and Import takes what Infer found.
func TestInferKeys(t *testing.T) {
	const in = `{"a":1,"b":{"x":null}}
{"a":null,"c":"t","d":[1]}
{"b":2,"c":"u"}
{"a":3,"b":null,"c":null,"d":null}
`
	o := &exchange.ImportOptions{}
	if got := infer(t, strings.NewReader(in), exchange.NDJSON, nil); got != "a=i64:null b=msgpack:null c=str:null d=msgpack:null" {
		t.Error(got)
	}
	found, err := exchange.Infer(t.Context(), strings.NewReader(in), exchange.NDJSON, nil)
	must(t, err)
	o.Types = map[string]string{}
	for _, c := range found {
		o.Types[c.Name] = c.Type
	}
	v := open(t)
	_, err = exchange.Import(t.Context(), v, strings.NewReader(in), exchange.NDJSON, o)
	must(t, err)
	var out strings.Builder
	_, err = exchange.Export(t.Context(), v, &out, exchange.NDJSON, []string{"a", "b", "c", "d"}, nil)
	must(t, err)
	const want = `{"a":1,"b":{"x":null},"c":null,"d":null}
{"a":null,"b":null,"c":"t","d":[1]}
{"a":null,"b":2,"c":"u","d":null}
{"a":3,"b":null,"c":null,"d":null}
`
	if out.String() != want {
		t.Errorf("%s", out.String())
	}
	// A key that no type was given for is still refused.
	_, err = exchange.Import(t.Context(), v, strings.NewReader(`{"a":1,"b":1,"c":"","d":1}{"a":1,"b":1,"c":"","d":1,"e":5}`), exchange.NDJSON, o)
	if err == nil || !strings.Contains(err.Error(), `"e"`) {
		t.Error(err)
	}
}

func TestInferNulls(t *testing.T) {
	const in = "a,b,c,d,e:i64\n1,,x,NA,1\n,,,\"\",\n"
	if got := infer(t, strings.NewReader(in), exchange.CSV, nil); got != "a=i64:null b=str:null c=str:null d=str e=i64:null" {
		t.Error(got)
	}
	o := &exchange.InferOptions{ImportOptions: exchange.ImportOptions{Null: "NA"}}
	if got := infer(t, strings.NewReader("a,b\n1,NA\nNA,2.5\n"), exchange.CSV, o); got != "a=i64:null b=f64:null" {
		t.Error(got)
	}
}

// A word that is used for null is told where it makes text of numbers.
func TestInferWords(t *testing.T) {
	const in = "n,s,both,d,all,f\n1,x,1,2013-01-01,NA,1.5\nNA,NA,NA,NA,NA,NaN\n2,y,-,2013-01-02,NA,2\n"
	found, err := exchange.Infer(t.Context(), strings.NewReader(in), exchange.CSV, nil)
	must(t, err)
	var words []string
	for _, c := range found {
		words = append(words, c.Name+"="+c.Type+":"+c.Null)
	}
	if got := strings.Join(words, " "); got != "n=str:NA s=str: both=str: d=str:NA all=str: f=f64:" {
		t.Error(got)
	}
}

func TestInferHeadings(t *testing.T) {
	for in, want := range map[string]string{"a,a\n1,2\n": "twice", ",a\n1,2\n": "no name"} {
		if _, err := exchange.Infer(t.Context(), strings.NewReader(in), exchange.CSV, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// The sample is bounded, unless all rows are asked for.
func TestInferRows(t *testing.T) {
	var in strings.Builder
	in.WriteString("a,b\n")
	for i := range 50_000 {
		fmt.Fprintf(&in, "%d,%d\n", i, i)
	}
	in.WriteString("x,0.5\n")
	for _, tt := range []struct {
		rows int64
		want string
	}{{0, "a=i64 b=i64"}, {5, "a=i64 b=i64"}, {-1, "a=str b=f64"}, {60_000, "a=str b=f64"}} {
		if got := infer(t, strings.NewReader(in.String()), exchange.CSV, &exchange.InferOptions{Rows: tt.rows}); got != tt.want {
			t.Errorf("%d rows: %s, want %s", tt.rows, got, tt.want)
		}
	}
}

func TestInferOptions(t *testing.T) {
	in := "a,b,c:f64\n1,x,2\n"
	o := &exchange.InferOptions{}
	if got := infer(t, strings.NewReader(in), exchange.CSV, o); got != "a=i64 b=str c=f64" {
		t.Error(got)
	}
	o.Types = map[string]string{"a": "str"}
	if got := infer(t, strings.NewReader(in), exchange.CSV, o); got != "a=str b=str c=f64" {
		t.Error(got)
	}
	o.Columns = []string{"b"}
	if got := infer(t, strings.NewReader(in), exchange.CSV, o); got != "b=str" {
		t.Error(got)
	}
	o.Columns = []string{"d"}
	if _, err := exchange.Infer(t.Context(), strings.NewReader(in), exchange.CSV, o); err == nil || !strings.Contains(err.Error(), "no such column") {
		t.Error(err)
	}
	o.Columns = []string{"p", "q"}
	if got := infer(t, strings.NewReader("1\ttrue\n2\tfalse\n"), exchange.Lines, o); got != "p=i64 q=bool" {
		t.Error(got)
	}
}

// Arrow and Parquet say their types; a column can be null if a value is, and not because the schema
// would allow it.
func TestInferSchema(t *testing.T) {
	v := open(t)
	in := "n:i64,f:f64:null,t:timestamp:ms:utc,s:str:null,b:bool:null\n" + strings.Repeat("1,0.5,2013-01-01T00:00:00Z,x,true\n", 20_000) +
		"2,,2013-01-01T00:00:00Z,x,\n"
	_, err := exchange.Import(t.Context(), v, strings.NewReader(in), exchange.CSV, nil)
	must(t, err)
	for _, f := range []exchange.Format{exchange.Arrow, exchange.Parquet} {
		var file bytes.Buffer
		_, err := exchange.Export(t.Context(), v, &file, f, []string{"n", "f", "t", "s", "b"}, nil)
		must(t, err)
		want := "n=i64 f=f64:null t=timestamp:ms:utc s=str b=bool:null"
		if got := infer(t, bytes.NewReader(file.Bytes()), f, nil); got != want {
			t.Errorf("%s: %s, want %s", f, got, want)
		}
	}
}
