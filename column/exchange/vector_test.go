package exchange_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/column/exchange"
)

// carried fills a column, takes it through a format into another vault, and compares.
func carried[T any](t *testing.T, f exchange.Format, codec column.Codec[T], xs ...T) {
	t.Helper()
	from, to := open(t), open(t)
	fill(t, from, "x", codec, xs...)
	var file bytes.Buffer
	_, err := exchange.Export(t.Context(), from, &file, f, []string{"x"}, nil)
	must(t, err)
	_, err = exchange.Import(t.Context(), to, bytes.NewReader(file.Bytes()), f, &exchange.ImportOptions{Columns: []string{"x"}, Types: map[string]string{"x": codec.Type()}})
	if err != nil {
		t.Fatalf("%s as %s: %v", codec.Type(), f, err)
	}
	if diff := cmp.Diff(xs, content(t, to, "x", codec)); diff != "" {
		t.Errorf("%s as %s:\n%s", codec.Type(), f, diff)
	}
}

func carriedNumbers[E column.Number](t *testing.T, f exchange.Format, low, high E) {
	t.Helper()
	carried(t, f, column.Vector[E](3), []E{0, low, high}, []E{1, 2, 3})
	carried(t, f, column.Vector[E](2, 1, 2), []E{0, low, high, 1}, []E{1, 2, 3, 4})
	carried(t, f, column.Tensors[E](), column.Tensor[E]{Shape: []int{2, 2}, Data: []E{0, low, high, 1}}, column.Tensor[E]{Shape: []int{}, Data: []E{7}},
		column.Tensor[E]{Shape: []int{1}, Data: []E{7}})
}

func TestVectorsAndValues(t *testing.T) {
	for _, f := range exchange.Formats {
		t.Run(string(f), func(t *testing.T) {
			carriedNumbers[float32](t, f, -math.MaxFloat32, math.SmallestNonzeroFloat32)
			carriedNumbers(t, f, math.Inf(-1), 0.1)
			carriedNumbers[int8](t, f, math.MinInt8, math.MaxInt8)
			carriedNumbers[int16](t, f, math.MinInt16, math.MaxInt16)
			carriedNumbers[int32](t, f, math.MinInt32, math.MaxInt32)
			carriedNumbers[int64](t, f, math.MinInt64, math.MaxInt64)
			carriedNumbers[uint8](t, f, 0, math.MaxUint8)
			carriedNumbers[uint16](t, f, 0, math.MaxUint16)
			carriedNumbers[uint32](t, f, 0, math.MaxUint32)
			carriedNumbers[uint64](t, f, 0, math.MaxUint64)
			values := []any{nil, true, int64(-5), uint64(math.MaxUint64), 1.0, 1e300, "tab\tand\nline, \"quoted\"", []any{}, map[string]any{"b": int64(1), "a": []any{nil, 0.5}}}
			carried(t, f, column.MessagePack[any](), values...)
			carried(t, f, column.FixedMessagePack[any](90), values...)
			carried(t, f, column.CBOR[any](), values...)
			carried(t, f, column.FixedCBOR[any](90), values...)
			for _, e := range []column.Encoding{column.UTF16LE, column.UTF16BE, column.Latin1} {
				carried(t, f, column.Text(e), "", "añ", "ÿ")
				carried(t, f, column.FixedText(9, e), "", "añ", "ÿ")
			}
			carried(t, f, column.Text(column.ASCII), "", "a")
		})
	}
}

// How they look in the formats that are text.
func TestVectorsAsText(t *testing.T) {
	v := open(t)
	fill(t, v, "v", column.Vector[float32](2), []float32{1, 0.1}, []float32{float32(math.NaN()), float32(math.Inf(1))})
	fill(t, v, "a", column.Vector[uint8](2, 2), []uint8{1, 2, 3, 4}, []uint8{5, 6, 7, 8})
	fill(t, v, "m", column.MessagePack[any](), any(map[string]any{"b": 1, "a": []byte("x")}), any(math.Inf(1)))
	for f, want := range map[exchange.Format]string{
		exchange.CSV: "\"v:vec:f32:2\",\"a:vec:u8:2:2\",\"m:msgpack\"\n\"[1.0,0.1]\",\"[[1,2],[3,4]]\",\"{\"\"a\"\":\"\"eA==\"\",\"\"b\"\":1}\"\n" +
			"\"[\"\"NaN\"\",\"\"+Inf\"\"]\",\"[[5,6],[7,8]]\",\"null\"\n",
		exchange.NDJSON: "{\"v\":[1.0,0.1],\"a\":[[1,2],[3,4]],\"m\":{\"a\":\"eA==\",\"b\":1}}\n{\"v\":[\"NaN\",\"+Inf\"],\"a\":[[5,6],[7,8]],\"m\":null}\n",
		exchange.Lines:  "[1.0,0.1]\t[[1,2],[3,4]]\t{\"a\":\"eA==\",\"b\":1}\n[\"NaN\",\"+Inf\"]\t[[5,6],[7,8]]\tnull\n",
	} {
		var out strings.Builder
		_, err := exchange.Export(t.Context(), v, &out, f, []string{"v", "a", "m"}, &exchange.ExportOptions{TypedNames: true})
		must(t, err)
		if out.String() != want {
			t.Errorf("%s:\n%s\nwant:\n%s", f, out.String(), want)
		}
	}
	var file bytes.Buffer
	_, err := exchange.Export(t.Context(), v, &file, exchange.Arrow, []string{"v", "a", "m"}, nil)
	must(t, err)
	r, err := ipc.NewFileReader(bytes.NewReader(file.Bytes()))
	must(t, err)
	defer r.Close()
	const want = "fixed_size_list<item: float32>[2] fixed_size_list<item: fixed_size_list<item: uint8>[2]>[2] utf8"
	var types []string
	for _, f := range r.Schema().Fields() {
		types = append(types, f.Type.String())
	}
	if got := strings.Join(types, " "); got != want {
		t.Errorf("in Arrow they are\n%s, want\n%s", got, want)
	}
}

func TestVectorErrors(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		f        exchange.Format
		want     error
		says     []string
	}{
		{"too short", `{"v":[1,2]}`, exchange.NDJSON, kvault.ErrInvalid, []string{"row 1", `"v"`, "[2], the column holds [2 2]"}},
		{"other shape", `{"v":[[1,2,3,4]]}`, exchange.NDJSON, kvault.ErrInvalid, []string{"[1 4]"}},
		{"ragged", `{"v":[[1,2],[3]]}`, exchange.NDJSON, kvault.ErrInvalid, []string{"different lengths"}},
		{"mixed", `{"v":[[1,2],3]}`, exchange.NDJSON, kvault.ErrInvalid, []string{"numbers beside lists"}},
		{"mixed otherwise", `{"v":[1,[2,3]]}`, exchange.NDJSON, kvault.ErrInvalid, []string{"different lengths"}},
		{"empty and not", `{"v":[[],[1]]}`, exchange.NDJSON, kvault.ErrInvalid, []string{"different lengths"}},
		{"out of range", `{"v":[1,2,3,128]}`, exchange.NDJSON, kvault.ErrInvalid, []string{`"128" is not a number of type int8`}},
		{"fraction", `{"v":[1,2,3,1.5]}`, exchange.NDJSON, kvault.ErrInvalid, []string{"1.5"}},
		{"null", `{"v":[1,2,3,null]}`, exchange.NDJSON, kvault.ErrInvalid, []string{"null"}},
		{"object", `{"v":{}}`, exchange.NDJSON, kvault.ErrInvalid, nil},
		{"no JSON", "v\n[1\n", exchange.CSV, kvault.ErrInvalid, []string{"row 1", "JSON"}},
		{"more than JSON", "v\n[1] 2\n", exchange.CSV, kvault.ErrInvalid, []string{"JSON"}},
		{"large number", `{"m":18446744073709551616}`, exchange.NDJSON, kvault.ErrTooLarge, []string{"64 bits"}},
		{"large number within", `{"m":{"a":[1e999]}}`, exchange.NDJSON, kvault.ErrInvalid, []string{"1e999"}},
		{"too long", `{"m":1}{"m":"` + strings.Repeat("x", 99) + `"}`, exchange.NDJSON, kvault.ErrTooLarge, []string{"row 2", "holds 20 each"}},
		{"no such character", "t\nok\nnö\n", exchange.CSV, kvault.ErrInvalid, []string{"row 2", `'ö'`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := open(t)
			for name, typ := range map[string]string{"v": "vec:i8:2:2", "m": "msgpack:20", "t": "str:ascii"} {
				_, err := column.CreateAny(t.Context(), v, name, typ, nil)
				must(t, err)
			}
			_, err := exchange.Import(t.Context(), v, strings.NewReader(tt.in), tt.f, nil)
			if !errors.Is(err, tt.want) {
				t.Fatalf("error %v, want %v", err, tt.want)
			}
			for _, words := range tt.says {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("%q does not say %q", err, words)
				}
			}
		})
	}
}

// Tables of other programs: their lists say the type of the column.
func TestForeignLists(t *testing.T) {
	for _, tt := range []struct {
		typ  arrow.DataType
		json string
		want string // type of the column, or the error
	}{
		{arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Float32), `[[1.0,2.0],[3.0,4.0]]`, "vec:f32:2"},
		{arrow.FixedSizeListOf(1, arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Int16)), `[[[1,2]],[[3,4]]]`, "vec:i16:1:2"},
		{arrow.ListOf(arrow.PrimitiveTypes.Float64), `[[1.0,2.0],[3.0]]`, "vec:f64"},
		{arrow.LargeListOf(arrow.ListOf(arrow.PrimitiveTypes.Uint8)), `[[[1,2]],[]]`, "vec:u8"},
		{arrow.ListOf(arrow.BinaryTypes.String), `[["a"]]`, "no type to make it of"},
		{arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Float32), `[[1,null]]`, "null"},
		{arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Float32), `[null]`, "null"},
		{arrow.ListOf(arrow.ListOf(arrow.PrimitiveTypes.Int64)), `[[[1,2],[3]]]`, "different lengths"},
	} {
		a, _, err := array.FromJSON(memory.DefaultAllocator, tt.typ, strings.NewReader(tt.json))
		must(t, err)
		schema := arrow.NewSchema([]arrow.Field{{Name: "x", Type: tt.typ, Nullable: true}}, nil)
		var file bytes.Buffer
		w, err := ipc.NewFileWriter(&file, ipc.WithSchema(schema))
		must(t, err)
		must(t, w.Write(array.NewRecordBatch(schema, []arrow.Array{a}, int64(a.Len()))))
		must(t, w.Close())
		v := open(t)
		_, err = exchange.Import(t.Context(), v, bytes.NewReader(file.Bytes()), exchange.Arrow, nil)
		if err != nil {
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %v, want %q", tt.typ, err, tt.want)
			}
			continue
		}
		d, err := column.OpenAny(t.Context(), v, "x")
		must(t, err)
		var out strings.Builder
		_, err = exchange.Export(t.Context(), v, &out, exchange.Lines, []string{"x"}, nil)
		must(t, err)
		if got := "[" + strings.ReplaceAll(strings.TrimSpace(out.String()), "\n", ",") + "]"; d.Type() != tt.want || got != tt.json {
			t.Errorf("%s %s became %s %s, want %s", tt.typ, tt.json, d.Type(), got, tt.want)
		}
	}
}

// Numbers go into vectors of another width if they fit.
func TestNarrowVectors(t *testing.T) {
	from := open(t)
	fill(t, from, "x", column.Vector[int64](2), []int64{1, 200})
	fill(t, from, "f", column.Vector[float32](1), []float32{0.5})
	var file bytes.Buffer
	_, err := exchange.Export(t.Context(), from, &file, exchange.Arrow, []string{"x", "f"}, nil)
	must(t, err)
	for typ, want := range map[string]string{"vec:u8:2": "", "vec:i8:2": `"200" is not a number of type int8`, "vec:f64:2": "do not fit", "vec:f32:2": "do not fit"} {
		_, err := exchange.Import(t.Context(), open(t), bytes.NewReader(file.Bytes()), exchange.Arrow,
			&exchange.ImportOptions{Columns: []string{"x"}, Types: map[string]string{"x": typ}})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", typ, err, want)
		}
	}
	to := open(t)
	_, err = exchange.Import(t.Context(), to, bytes.NewReader(file.Bytes()), exchange.Arrow, &exchange.ImportOptions{Columns: []string{"f"}, Types: map[string]string{"f": "vec:f64:1"}})
	must(t, err)
	if got := content(t, to, "f", column.Vector[float64](1)); got[0][0] != 0.5 {
		t.Errorf("%v", got)
	}
}
