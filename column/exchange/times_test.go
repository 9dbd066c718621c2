package exchange_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/column/exchange"
	"github.com/kohakuvault/kvault/engine/mem"
)

func at(text string) time.Time {
	x, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return x
}

var (
	dates   = []time.Time{at("2013-01-01T00:00:00Z"), at("1969-12-31T00:00:00Z"), at("0000-01-01T00:00:00Z"), at("9999-12-31T00:00:00Z")}
	seconds = []time.Time{at("2013-01-01T05:15:00Z"), at("1969-12-31T23:59:59Z"), at("1901-01-01T00:00:00Z")}
	nanos   = []time.Time{at("2013-01-01T05:15:00.000000001Z"), at("1969-12-31T23:59:59.999999999Z"), at("1677-09-21T00:12:43.145224192Z")}
)

// inMemory is a vault for tests that make many.
func inMemory(t *testing.T) *kvault.Vault {
	t.Helper()
	v, err := kvault.New(mem.New(), nil)
	must(t, err)
	t.Cleanup(func() { must(t, v.Close()) })
	return v
}

// carriedBeside is carried for nullable elements, some of them null, together with a column of
// numbers.
func carriedBeside[T any](t *testing.T, f exchange.Format, codec column.Codec[T], xs ...T) {
	t.Helper()
	nullable := column.Nullable(codec)
	var ys []column.Null[T]
	for _, x := range xs {
		ys = append(ys, column.Null[T]{}, column.Null[T]{V: x, Valid: true})
	}
	ys = append(ys, column.Null[T]{})
	from, to := inMemory(t), inMemory(t)
	numbers := make([]int64, len(ys))
	fill(t, from, "n", column.Int64, numbers...)
	fill(t, from, "x", nullable, ys...)
	fill(t, from, "plain", codec, slices.Repeat(xs, 3)[:len(ys)]...)
	var file bytes.Buffer
	_, err := exchange.Export(t.Context(), from, &file, f, []string{"n", "x", "plain"}, nil)
	must(t, err)
	_, err = exchange.Import(t.Context(), to, bytes.NewReader(file.Bytes()), f, &exchange.ImportOptions{Columns: []string{"n", "x", "plain"},
		Types: map[string]string{"n": "i64", "x": nullable.Type(), "plain": codec.Type()}})
	if err != nil {
		t.Fatalf("%s as %s: %v\n%.300s", nullable.Type(), f, err, file.Bytes())
	}
	if diff := cmp.Diff(ys, content(t, to, "x", nullable)); diff != "" {
		t.Errorf("%s as %s:\n%s", nullable.Type(), f, diff)
	}
	if diff := cmp.Diff(slices.Repeat(xs, 3)[:len(ys)], content(t, to, "plain", codec)); diff != "" {
		t.Errorf("%s as %s:\n%s", codec.Type(), f, diff)
	}
}

func TestTimesAndNulls(t *testing.T) {
	for _, f := range exchange.Formats {
		t.Run(string(f), func(t *testing.T) {
			carriedBeside(t, f, column.Bool, true, false, true)
			carriedBeside(t, f, column.Date, dates...)
			for _, unit := range []time.Duration{time.Second, time.Millisecond, time.Microsecond, time.Nanosecond} {
				carriedBeside(t, f, column.Timestamp(unit), seconds...)
				carriedBeside(t, f, column.TimestampUTC(unit), seconds...)
			}
			carriedBeside(t, f, column.Timestamp(time.Nanosecond), nanos...)
			carriedBeside(t, f, column.TimestampUTC(time.Nanosecond), nanos...)
			carriedBeside(t, f, column.Int64, 1, -1, 0)
			carriedBeside(t, f, column.Float64, 0.5, -1)
			carriedBeside(t, f, column.String, "a", "null", "NaN")
			carriedBeside(t, f, column.Bytes, []byte{0}, []byte{1, 2})
			carriedBeside(t, f, column.FixedBytes(2), []byte{0, 0}, []byte{1, 2})
			carriedBeside(t, f, column.Vector[float32](2), []float32{1, 2}, []float32{0, 0})
			carriedBeside(t, f, column.Vector[uint8](2), []byte{1, 2}, []byte{0, 0})
			carriedBeside(t, f, column.Tensors[int8](), column.Tensor[int8]{Shape: []int{2}, Data: []int8{1, 2}})
			carriedBeside[any](t, f, column.MessagePack[any](), int64(1), "x")
		})
	}
}

func TestTimesAsText(t *testing.T) {
	v := inMemory(t)
	fill(t, v, "bool", column.Bool, true, false)
	fill(t, v, "date", column.Date, dates[:2]...)
	fill(t, v, "wall", column.Timestamp(time.Microsecond), at("2013-01-01T05:15:00Z"), at("2013-01-01T05:15:00.25Z"))
	fill(t, v, "utc", column.TimestampUTC(time.Nanosecond), nanos[:2]...)
	fill(t, v, "null", column.Nullable(column.Int64), column.Null[int64]{}, column.Null[int64]{V: 1, Valid: true})
	fill(t, v, "text", column.Nullable(column.String), column.Null[string]{}, column.Null[string]{Valid: true})
	names := []string{"bool", "date", "wall", "utc", "null", "text"}
	for f, want := range map[exchange.Format]string{
		exchange.CSV: `"bool","date","wall","utc","null","text"
true,2013-01-01,2013-01-01T05:15:00,2013-01-01T05:15:00.000000001Z,,
false,1969-12-31,2013-01-01T05:15:00.25,1969-12-31T23:59:59.999999999Z,1,""
`,
		exchange.NDJSON: `{"bool":true,"date":"2013-01-01","wall":"2013-01-01T05:15:00","utc":"2013-01-01T05:15:00.000000001Z","null":null,"text":null}
{"bool":false,"date":"1969-12-31","wall":"2013-01-01T05:15:00.25","utc":"1969-12-31T23:59:59.999999999Z","null":1,"text":""}
`,
	} {
		var got bytes.Buffer
		_, err := exchange.Export(t.Context(), v, &got, f, names, nil)
		must(t, err)
		if diff := cmp.Diff(want, got.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", f, diff)
		}
	}
}

// imported is what one field of JSON or of a line of text becomes.
func imported(t *testing.T, typ, text string) (string, error) {
	t.Helper()
	v := inMemory(t)
	_, err := exchange.Import(t.Context(), v, strings.NewReader(text), exchange.Lines, &exchange.ImportOptions{Columns: []string{"x"}, Types: map[string]string{"x": typ}})
	if err != nil {
		return "", err
	}
	var got bytes.Buffer
	_, err = exchange.Export(t.Context(), v, &got, exchange.Lines, []string{"x"}, nil)
	must(t, err)
	return strings.TrimSuffix(got.String(), "\n"), nil
}

func TestTextsOfTimes(t *testing.T) {
	for _, tt := range []struct{ typ, text, want string }{ // want is empty if the text is refused
		{"bool", "true", "true"}, {"bool", "False", "false"}, {"bool", "TRUE", "true"}, {"bool", "1", ""}, {"bool", "yes", ""},
		{"date", "2013-01-01", "2013-01-01"}, {"date", "2013-1-1", ""}, {"date", "2013-01-01T00:00:00", ""}, {"date", "2013-02-30", ""}, {"date", "13-01-01", ""},
		{"timestamp", "2013-01-01 05:15:00", "2013-01-01T05:15:00"}, {"timestamp", "2013-01-01T05:15:00.250000", "2013-01-01T05:15:00.25"},
		{"timestamp", "2013-01-01", "2013-01-01T00:00:00"}, {"timestamp", "2013-01-01T05:15:00Z", ""}, {"timestamp", "2013-01-01T05:15:00.0000001", ""},
		{"timestamp", "2013-01-01T5:15:00", ""}, {"timestamp", "2013-01-01T05:15", ""}, {"timestamp", "2013-01-01T05:15:00,5", ""},
		{"timestamp:ns", "2013-01-01T05:15:00.1234567890", "2013-01-01T05:15:00.123456789"}, {"timestamp:ns", "2013-01-01T05:15:00.1234567891", ""},
		{"timestamp:ns", "1600-01-01T00:00:00", ""}, {"timestamp:s", "2013-01-01T05:15:60", ""},
		{"timestamp:us:utc", "2013-01-01T05:15:00Z", "2013-01-01T05:15:00Z"}, {"timestamp:us:utc", "2013-01-01 05:15:00.5+02:00", "2013-01-01T03:15:00.5Z"},
		{"timestamp:us:utc", "2013-01-01T05:15:00", ""}, {"timestamp:us:utc", "2013-01-01", ""}, {"timestamp:ns:utc", "2013-01-01 05:15:00.1234567891+02:00", ""},
		{"timestamp:us:utc", "9999-12-31T23:59:59-02:00", ""},
	} {
		got, err := imported(t, tt.typ, tt.text)
		if got != tt.want || err != nil && (tt.want != "" || !strings.Contains(err.Error(), "row 1") || !strings.Contains(err.Error(), kvault.ErrInvalid.Error())) {
			t.Errorf("%q as %s: %q, %v; want %q", tt.text, tt.typ, got, err, tt.want)
		}
	}
}

// arrowFile is one column of an Arrow file.
func arrowFile(t *testing.T, typ arrow.DataType, build func(b array.Builder)) []byte {
	t.Helper()
	var file bytes.Buffer
	schema := arrow.NewSchema([]arrow.Field{{Name: "x", Type: typ, Nullable: true}}, nil)
	w, err := ipc.NewFileWriter(&file, ipc.WithSchema(schema))
	must(t, err)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	build(b.Field(0))
	must(t, w.Write(b.NewRecordBatch()))
	must(t, w.Close())
	return file.Bytes()
}

func TestTimesFromArrow(t *testing.T) {
	date64 := func(xs ...arrow.Date64) []byte {
		return arrowFile(t, arrow.FixedWidthTypes.Date64, func(b array.Builder) { b.(*array.Date64Builder).AppendValues(xs, nil) })
	}
	date32 := func(xs ...arrow.Date32) []byte {
		return arrowFile(t, arrow.FixedWidthTypes.Date32, func(b array.Builder) { b.(*array.Date32Builder).AppendValues(xs, nil) })
	}
	stamps := func(unit arrow.TimeUnit, zone string, xs ...arrow.Timestamp) []byte {
		return arrowFile(t, &arrow.TimestampType{Unit: unit, TimeZone: zone}, func(b array.Builder) { b.(*array.TimestampBuilder).AppendValues(xs, nil) })
	}
	const day = 24 * 60 * 60
	for name, tt := range map[string]struct {
		file      []byte
		typ, want string // want is the text, or begins with "error: "
	}{
		"date64":                    {date64(-day*1000, day*1000), "", "1969-12-31 1970-01-02"},
		"date64 with time":          {date64(0, 1), "date", "error: row 2"},
		"date32":                    {date32(-1, 1), "", "1969-12-31 1970-01-02"},
		"date32 to timestamp":       {date32(1), "timestamp:s", "1970-01-02T00:00:00"},
		"date32 to instants":        {date32(1), "timestamp:s:utc", "error: row 1"},
		"date32 beyond the years":   {date32(1 << 30), "date", "error: row 1"},
		"seconds":                   {stamps(arrow.Second, "", -1), "", "1969-12-31T23:59:59"},
		"nanoseconds":               {stamps(arrow.Nanosecond, "", -1), "", "1969-12-31T23:59:59.999999999"},
		"nanoseconds to us":         {stamps(arrow.Nanosecond, "", -1000), "timestamp:us", "1969-12-31T23:59:59.999999"},
		"nanoseconds lost":          {stamps(arrow.Nanosecond, "", 1000, 1), "timestamp:us", "error: row 2"},
		"seconds to ns":             {stamps(arrow.Second, "", 1), "timestamp:ns", "1970-01-01T00:00:01"},
		"seconds beyond ns":         {stamps(arrow.Second, "", 1e11), "timestamp:ns", "error: row 1"},
		"seconds beyond everything": {stamps(arrow.Second, "", 1<<62), "timestamp:s", "error: row 1"},
		"midnight":                  {stamps(arrow.Millisecond, "", day*1000), "date", "1970-01-02"},
		"not midnight":              {stamps(arrow.Millisecond, "", day*1000+1), "date", "error: row 1"},
		"UTC":                       {stamps(arrow.Microsecond, "UTC", 1), "", "1970-01-01T00:00:00.000001Z"},
		"another zone":              {stamps(arrow.Microsecond, "Europe/Berlin", 1), "", "1970-01-01T00:00:00.000001Z"},
		"zone lost":                 {stamps(arrow.Microsecond, "UTC", 1), "timestamp", "error: row 1"},
		"zone made up":              {stamps(arrow.Microsecond, "", 1), "timestamp:us:utc", "error: row 1"},
	} {
		t.Run(name, func(t *testing.T) {
			v := inMemory(t)
			o := &exchange.ImportOptions{}
			if tt.typ != "" {
				o.Types = map[string]string{"x": tt.typ}
			}
			_, err := exchange.Import(t.Context(), v, bytes.NewReader(tt.file), exchange.Arrow, o)
			if want, failed := strings.CutPrefix(tt.want, "error: "); failed {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%v, want %s", err, want)
				}
				return
			}
			must(t, err)
			var got bytes.Buffer
			_, err = exchange.Export(t.Context(), v, &got, exchange.Lines, []string{"x"}, nil)
			must(t, err)
			if text := strings.Join(strings.Fields(got.String()), " "); text != tt.want {
				t.Errorf("%s, want %s", text, tt.want)
			}
		})
	}
}
