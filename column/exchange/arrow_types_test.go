package exchange_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/kohakuvault/kvault/column/exchange"
)

// What Infer finds in files of other programs, Import takes.
func TestTypesOfArrow(t *testing.T) {
	views := func(b array.Builder) {
		b.(*array.StringViewBuilder).AppendValues([]string{"a", "longer than twelve bytes", ""}, []bool{true, true, false})
	}
	byteViews := func(b array.Builder) {
		b.(*array.BinaryViewBuilder).AppendValues([][]byte{[]byte("a"), []byte("longer than twelve bytes")}, []bool{true, true})
	}
	runs := func(b array.Builder) {
		r := b.(*array.RunEndEncodedBuilder)
		r.Append(2)
		r.ValueBuilder().(*array.Int64Builder).Append(7)
		r.Append(1)
		r.ValueBuilder().AppendNull()
	}
	keys := func(b array.Builder) {
		m := b.(*array.MapBuilder)
		m.Append(true)
		m.KeyBuilder().(*array.Int32Builder).AppendValues([]int32{-1, 2}, nil)
		m.ItemBuilder().(*array.StringBuilder).AppendValues([]string{"x", ""}, []bool{true, false})
		m.AppendNull()
	}
	unsigned := func(xs ...uint64) func(array.Builder) {
		return func(b array.Builder) { b.(*array.Uint64Builder).AppendValues(xs, nil) }
	}
	lists := func(b array.Builder) {
		l := b.(*array.ListBuilder)
		l.Append(true)
		l.ValueBuilder().AppendNull()
		l.Append(true)
	}
	for name, tt := range map[string]struct {
		typ         arrow.DataType
		build       func(array.Builder)
		found, want string // want is the rows in JSON, or begins with "error: "
	}{
		"nulls":         {arrow.Null, func(b array.Builder) { b.AppendNulls(2) }, "str:null", `null null`},
		"texts":         {arrow.BinaryTypes.StringView, views, "str:null", `"a" "longer than twelve bytes" null`},
		"bytes":         {arrow.BinaryTypes.BinaryView, byteViews, "bytes", `"YQ==" "bG9uZ2VyIHRoYW4gdHdlbHZlIGJ5dGVz"`},
		"runs":          {arrow.RunEndEncodedOf(arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64), runs, "i64:null", `7 7 null`},
		"integer keys":  {arrow.MapOf(arrow.PrimitiveTypes.Int32, arrow.BinaryTypes.String), keys, "msgpack", `{"-1":"x","2":null} null`},
		"63 bits":       {arrow.PrimitiveTypes.Uint64, unsigned(0, math.MaxInt64), "i64", `0 9223372036854775807`},
		"64 bits":       {arrow.PrimitiveTypes.Uint64, unsigned(0, 1<<63), "i64", `error: import "x": row 2: 9223372036854775808 needs more than 63 bits`},
		"lists of null": {arrow.ListOf(arrow.Null), lists, "msgpack", `[null] []`},
		"date64": {arrow.FixedWidthTypes.Date64, func(b array.Builder) {
			b.(*array.Date64Builder).AppendValues([]arrow.Date64{-86400000, 0}, []bool{true, false})
		}, "date:null", `"1969-12-31" null`},
	} {
		file := arrowFile(t, tt.typ, tt.build)
		if got := infer(t, bytes.NewReader(file), exchange.Arrow, nil); got != "x="+tt.found {
			t.Errorf("%s: %s, want %s", name, got, tt.found)
		}
		if got := rowsOf(t, exchange.Arrow, file, tt.found); !strings.HasPrefix(got, tt.want) || tt.want[0] != 'e' && got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
	file := arrowFile(t, arrow.Null, func(b array.Builder) { b.AppendNulls(2) })
	for typ, want := range map[string]string{"i64:null": "null null", "msgpack": "null null", "vec:f32:2:null": "null null", "i64": `error: import "x": row 1: null`,
		"": `error: import "x": there is no such column`} {
		if got := rowsOf(t, exchange.Arrow, file, typ); !strings.HasPrefix(got, want) {
			t.Errorf("nulls as %q: %s, want %s", typ, got, want)
		}
	}
}

// A dictionary may hold a null that its indices point at.
func TestNullInADictionary(t *testing.T) {
	typ := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}
	values, indices := array.NewStringBuilder(memory.DefaultAllocator), array.NewInt8Builder(memory.DefaultAllocator)
	values.AppendValues([]string{"a", ""}, []bool{true, false})
	indices.AppendValues([]int8{0, 1}, nil)
	schema := arrow.NewSchema([]arrow.Field{{Name: "x", Type: typ, Nullable: true}}, nil)
	column := array.NewDictionaryArray(typ, indices.NewArray(), values.NewArray())
	var out bytes.Buffer
	w, err := ipc.NewFileWriter(&out, ipc.WithSchema(schema))
	must(t, err)
	must(t, w.Write(array.NewRecordBatch(schema, []arrow.Array{column}, 2)))
	must(t, w.Close())
	file := out.Bytes()
	if got := infer(t, bytes.NewReader(file), exchange.Arrow, nil); got != "x=str:null" {
		t.Error(got)
	}
	if got := rowsOf(t, exchange.Arrow, file, "str:null"); got != `"a" null` {
		t.Error(got)
	}
}

// rowsOf is the column x of a file as JSON, or the error of its import.
func rowsOf(t *testing.T, f exchange.Format, file []byte, typ string) string {
	t.Helper()
	v, o := open(t), &exchange.ImportOptions{Types: map[string]string{}}
	if typ != "" {
		o.Types["x"] = typ
	}
	if _, err := exchange.Import(t.Context(), v, bytes.NewReader(file), f, o); err != nil {
		return "error: " + err.Error()
	}
	var out bytes.Buffer
	_, err := exchange.Export(t.Context(), v, &out, exchange.NDJSON, []string{"x"}, nil)
	must(t, err)
	var rows []string
	for dec := json.NewDecoder(&out); dec.More(); {
		var row struct{ X json.RawMessage }
		must(t, dec.Decode(&row))
		rows = append(rows, string(row.X))
	}
	return strings.Join(rows, " ")
}
