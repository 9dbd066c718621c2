package typed

import (
	"bytes"
	"errors"
	"math"
	"math/big"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

func headed(e Encoding, payload string) []byte { return append(AppendHeader(nil, e), payload...) }

func TestParseHeader(t *testing.T) {
	for _, c := range []struct {
		in     string
		e      Encoding
		headed bool
		err    string
	}{
		{in: ""},
		{in: "\x89K"},
		{in: "\x89K\x01\x04\x00\x00\x00\x00V"},
		{in: "\x89PNG\r\n\x1a\n__"},
		{in: "\x89K\x01\x04\x00\x00\x00\x00VK", e: MessagePack, headed: true},
		{in: "\x89K\x01\x00\x00\x00\x00\x00VK", e: Raw, headed: true},
		{in: "\x89K\x01\x06\x00\x00\x00\x00VKx", e: Text, headed: true},
		{in: "\x89K\x01\x04\x00\x00\x00\x00Vk", err: "56 4b"},
		{in: "\x89K\x02\x04\x00\x00\x00\x00VK", err: "version 2"},
		{in: "\x89K\x01\x04\x01\x00\x00\x00VK", err: "flags 01"},
		{in: "\x89K\x01\x04\x00\x00\x07\x00VK", err: "000700"},
		{in: "\x89K\x01\x07\x00\x00\x00\x00VK", err: "encoding 07"},
		{in: "\x89K\x01\xff\x00\x00\x00\x00VK", err: "encoding ff"},
	} {
		e, headed, err := ParseHeader([]byte(c.in))
		if e != c.e || headed != c.headed || (err != nil) != (c.err != "") {
			t.Errorf("%q: %v, %v, %v", c.in, e, headed, err)
		}
		if c.err != "" && (!errors.Is(err, ErrHeader) || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%q: %v does not say %q", c.in, err, c.err)
		}
		if _, decodeErr := Decode([]byte(c.in)); c.err != "" && !errors.Is(decodeErr, ErrHeader) {
			t.Errorf("Decode %q: %v", c.in, decodeErr)
		}
	}
}

func TestDecodeDamaged(t *testing.T) {
	deep := strings.Repeat("\x91", 1e6)
	for name, c := range map[string]struct {
		e       Encoding
		payload string
	}{
		"msgpack nothing":         {MessagePack, ""},
		"msgpack cut off":         {MessagePack, "\x92\x01"},
		"msgpack followed":        {MessagePack, "\x01\x01"},
		"msgpack list length":     {MessagePack, "\xdd\xff\xff\xff\xff\x01"},
		"msgpack map length":      {MessagePack, "\xdf\xff\xff\xff\xff\xa1a\x01"},
		"msgpack text length":     {MessagePack, "\xdb\xff\xff\xff\xffabc"},
		"msgpack bytes length":    {MessagePack, "\xc6\xff\xff\xff\xffabc"},
		"msgpack lists of lists":  {MessagePack, strings.Repeat("\xdd\x00\x00\x10\x00", 1500)},
		"msgpack deep":            {MessagePack, deep},
		"msgpack deep maps":       {MessagePack, strings.Repeat("\x81\xa1a", 1e5)},
		"msgpack key":             {MessagePack, "\x81\x01\x01"},
		"msgpack extension":       {MessagePack, "\xd6\xff\x00\x00\x00\x00"},
		"msgpack unused code":     {MessagePack, "\xc1"},
		"msgpack not UTF-8":       {MessagePack, "\xa1\xff"},
		"cbor nothing":            {CBOR, ""},
		"cbor cut off":            {CBOR, "\x82\x01"},
		"cbor followed":           {CBOR, "\x01\x01"},
		"cbor list length":        {CBOR, "\x9a\xff\xff\xff\xff\x01"},
		"cbor longer list length": {CBOR, "\x9b\xff\xff\xff\xff\xff\xff\xff\xff"},
		"cbor text length":        {CBOR, "\x7b\x7f\xff\xff\xff\xff\xff\xff\xffabc"},
		"cbor deep":               {CBOR, strings.Repeat("\x81", 1e6)},
		"cbor tag":                {CBOR, "\xc1\x01"},
		"cbor simple":             {CBOR, "\xf0"},
		"cbor simple in list":     {CBOR, "\x81\xf0"},
		"cbor simple in map":      {CBOR, "\xa1\x61a\xf0"},
		"cbor key":                {CBOR, "\xa1\x01\x01"},
		"msgpack key twice":       {MessagePack, "\x82\xa1a\x01\xa1a\x02"},
		"cbor key twice":          {CBOR, "\xa2\x61a\x01\x61a\x02"},
		"cbor not UTF-8":          {CBOR, "\x61\xff"},
		"json nothing":            {JSON, ""},
		"json cut off":            {JSON, `{"a":`},
		"json followed":           {JSON, `1 2`},
		"json not UTF-8":          {JSON, "\"\xff\""},
		"json deep":               {JSON, strings.Repeat("[", 1e6)},
		"json deep but whole":     {JSON, strings.Repeat("[", 5000) + strings.Repeat("]", 5000)},
		"json deep maps":          {JSON, strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000)},
		"json digits":             {JSON, strings.Repeat("9", 1e6)},
		"json words":              {JSON, `NaNNaN`},
		"json half a string":      {JSON, `["NaN\`},
		"text not UTF-8":          {Text, "a\xff"},
		"packed nothing":          {DataPacker, ""},
		"packed short":            {DataPacker, "\x01\x01\x00"},
		"packed type":             {DataPacker, "\x0b\x01\x01\x00\x00\x00\x00\x00\x00\x00"},
		"packed type zero":        {DataPacker, "\x00\x01\x01\x00\x00\x00\x00\x00\x00\x00"},
		"packed cut off":          {DataPacker, "\x01\x01\x03\x00\x00\x00\x00\x00\x80\x3f"},
		"packed too long":         {DataPacker, "\x05\x01\x02\x00\x00\x00abc"},
		"packed huge":             {DataPacker, "\x08\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"},
		"packed dimensions":       {DataPacker, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"},
	} {
		v, err := Decode(headed(c.e, c.payload))
		var typed *Error
		if !errors.Is(err, ErrPayload) || !errors.As(err, &typed) || typed.Encoding != c.e {
			t.Errorf("%s: %v, %v", name, v.Data, err)
		}
	}
}

// A thousand levels are no damage.
func TestDecodeDeep(t *testing.T) {
	for e, level := range map[Encoding][2]string{MessagePack: {"\x91", ""}, CBOR: {"\x81", ""}, JSON: {"[", "]"}} {
		payload := strings.Repeat(level[0], 1000) + "0" + strings.Repeat(level[1], 1000)
		if e != JSON {
			payload = strings.Repeat(level[0], 1000) + "\x00"
		}
		if _, err := Decode(headed(e, payload)); err != nil {
			t.Errorf("%v: %.200v", e, err)
		}
	}
}

func TestDecodeTakesNoMoreMemoryThanThePayload(t *testing.T) {
	for name, b := range map[string][]byte{
		"lists": headed(MessagePack, strings.Repeat("\xdd\x00\x0f\x00\x00", 1000)+strings.Repeat("\x00", 1<<20)),
		"text":  headed(MessagePack, "\xdb\xff\xff\xff\xf0"),
		"bytes": headed(MessagePack, "\xc6\xff\xff\xff\xf0"),
		"map":   headed(MessagePack, "\xdf\xff\xff\xff\xf0"),
		"cbor":  headed(CBOR, strings.Repeat("\x9a\x00\x0f\x00\x00", 1000)+strings.Repeat("\x00", 1<<20)),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Decode(b)
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; err == nil || got > 200<<20 {
			t.Errorf("%s: %d bytes allocated, %v", name, got, err)
		}
	}
}

func TestEncodeThenDecode(t *testing.T) {
	type point struct{ X, Y int }
	for _, c := range []struct {
		in, out any
		e       Encoding
	}{
		{[]byte("raw"), []byte("raw"), Raw},
		{[]byte{}, []byte{}, Raw},
		{headed(MessagePack, "x"), headed(MessagePack, "x"), Raw},
		{[]byte("\x89K and more than that"), []byte("\x89K and more than that"), Raw},
		{"text", "text", Text},
		{Pickled("x"), Pickled("x"), Pickle},
		{nil, nil, MessagePack},
		{true, true, MessagePack},
		{5, int64(5), DataPacker},
		{uint8(5), int64(5), DataPacker},
		{int64(1e12), int64(1e12), MessagePack},
		{int64(math.MinInt64), int64(math.MinInt64), MessagePack},
		{uint64(math.MaxUint64), uint64(math.MaxUint64), MessagePack},
		{uint64(1 << 63), uint64(1 << 63), MessagePack},
		{1.5, 1.5, DataPacker},
		{float32(1.5), 1.5, DataPacker},
		{0.0, 0.0, MessagePack},
		{math.Copysign(0, -1), math.Copysign(0, -1), MessagePack},
		{5e-324, 5e-324, MessagePack},
		{math.Inf(-1), math.Inf(-1), DataPacker},
		{[]float32{1, 2}, Vector{[]int{2}, []float32{1, 2}}, DataPacker},
		{Vector{[]int{2, 2}, []int32{1, 2, 3, 4}}, Vector{[]int{2, 2}, []int32{1, 2, 3, 4}}, DataPacker},
		{[]any{1, "a"}, []any{int64(1), "a"}, MessagePack},
		{map[string]any{"a": nil}, map[string]any{"a": nil}, MessagePack},
		{point{1, 2}, map[string]any{"X": int64(1), "Y": int64(2)}, MessagePack},
		{&point{1, 2}, map[string]any{"X": int64(1), "Y": int64(2)}, MessagePack},
	} {
		b, err := Encode(c.in)
		if err != nil {
			t.Errorf("%T %v: %v", c.in, c.in, err)
			continue
		}
		v, err := Decode(b)
		if err != nil || v.Encoding != c.e || !reflect.DeepEqual(v.Data, c.out) {
			t.Errorf("%T %v: %v %T %v, %v", c.in, c.in, v.Encoding, v.Data, v.Data, err)
		}
	}
	if b, err := Encode(math.NaN()); err != nil || !bytes.Equal(b, headed(DataPacker, "\x00\x00\x00\x00\x00\x00\xf8\x7f")) {
		t.Errorf("NaN: %x, %v", b, err)
	}
}

func TestEncodeAs(t *testing.T) {
	big := new(big.Int).Lsh(big.NewInt(1), 70)
	for _, c := range []struct {
		e  Encoding
		in any
		as any
	}{
		{JSON, map[string]any{"a": "<&>"}, map[string]any{"a": "<&>"}},
		{JSON, []any{big, uint64(1 << 63), 1.5, true, nil}, []any{big, uint64(1 << 63), 1.5, true, nil}},
		{CBOR, []any{-1, uint64(1 << 63), 1.5, true, nil, "x"}, []any{int64(-1), uint64(1 << 63), 1.5, true, nil, "x"}},
		{CBOR, map[string]int{"b": 1, "a": 2}, map[string]any{"b": int64(1), "a": int64(2)}},
		{MessagePack, "x", "x"},
		{Pickle, []byte("x"), Pickled("x")},
		{DataPacker, 0.0, int64(0)},
		{DataPacker, []uint64{1<<63 + 1, 1 << 63}, Vector{[]int{2}, []uint64{1<<63 + 1, 1 << 63}}},
		{DataPacker, []int64{1}, Vector{[]int{1}, []int64{1}}},
	} {
		b, err := EncodeAs(c.e, c.in)
		if err != nil {
			t.Errorf("%v %v: %v", c.e, c.in, err)
			continue
		}
		if v, err := Decode(b); err != nil || v.Encoding != c.e || !reflect.DeepEqual(v.Data, c.as) {
			t.Errorf("%v %v: %v %T, %v", c.e, c.in, v.Data, v.Data, err)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	deep := any(1)
	for range sharedDepth + 1 {
		deep = []any{deep}
	}
	for _, c := range []struct {
		e   Encoding
		in  any
		why string
	}{
		{Raw, "text", "string is not bytes"},
		{Pickle, 5, "not the bytes of a pickle"},
		{Text, 5, "int is not text"},
		{Text, "\xff", "not UTF-8"},
		{DataPacker, "5", "neither a number"},
		{DataPacker, nil, "neither a number"},
		{DataPacker, int64(1e12), "as MessagePack"},
		{DataPacker, uint64(math.MaxUint64), "as MessagePack"},
		{DataPacker, math.Copysign(0, -1), "as MessagePack"},
		{DataPacker, []int8{1, 2}, "as a list"},
		{DataPacker, []float32{}, "as a list"},
		{DataPacker, []uint64{1, 1 << 63}, "rounded"},
		{DataPacker, Vector{nil, []float64{1}}, "without dimensions"},
		{DataPacker, Vector{[]int{2}, []float64{1}}, "shape [2]"},
		{DataPacker, Vector{[]int{1}, []float64{1, 2}}, "shape [1]"},
		{DataPacker, Vector{[]int{0, 3}, []float64{1}}, "shape [0 3]"},
		{DataPacker, Vector{[]int{-1}, []float64{1}}, "a dimension is"},
		{DataPacker, Vector{make([]int, 256), []float64{}}, "256 dimensions"},
		{DataPacker, Vector{[]int{1}, []string{"a"}}, "want a slice"},
		{DataPacker, Vector{[]int{1}, nil}, "want a slice"},
		{JSON, []byte("x"), "use Encode"},
		{CBOR, Vector{[]int{1}, []float64{1}}, "use Encode"},
		{MessagePack, Pickled("x"), "use Encode"},
		{MessagePack, []any{[]byte("x")}, "bytes inside"},
		{MessagePack, map[string]any{"a": []byte("x")}, "bytes inside"},
		{MessagePack, map[int]int{1: 2}, "key"},
		{MessagePack, []any{math.NaN()}, "NaN"},
		{MessagePack, []any{"\xff"}, "UTF-8"},
		{MessagePack, func() {}, ""},
		{MessagePack, deep, "deeper"},
		{CBOR, deep, "deeper"},
		{CBOR, map[string]any{"a": deep}, "deeper"},
		{CBOR, []any{math.Inf(1)}, "Inf"},
		{CBOR, make(chan int), ""},
		{JSON, math.NaN(), "NaN"},
		{JSON, make(chan int), ""},
		{Encoding(7), 5, "no such encoding"},
	} {
		b, err := EncodeAs(c.e, c.in)
		if !errors.Is(err, ErrValue) || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%v %T: %x, %v", c.e, c.in, b, err)
		}
	}
	if _, err := Encode([]int16{}); !errors.Is(err, ErrValue) {
		t.Errorf("short array: %v", err)
	}
}

func TestUnmarshal(t *testing.T) {
	type point struct {
		X int `json:"x" msgpack:"x" cbor:"x"`
	}
	for _, e := range []Encoding{JSON, MessagePack, CBOR} {
		b, err := EncodeAs(e, point{5})
		if err != nil {
			t.Fatal(err)
		}
		v, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		var p point
		if err := v.Unmarshal(&p); err != nil || p.X != 5 {
			t.Errorf("%v: %v, %v", e, p, err)
		}
		var n int
		if err := v.Unmarshal(&n); !errors.Is(err, ErrPayload) || !strings.Contains(err.Error(), "*int") {
			t.Errorf("%v into an int: %v", e, err)
		}
	}
	v, err := Decode([]byte("raw"))
	if err := errors.Join(err, v.Unmarshal(new(string))); !errors.Is(err, ErrValue) {
		t.Error(err)
	}
}

func TestKind(t *testing.T) {
	for in, want := range map[any]string{"x": "text", 5: "i64", 1.5: "f64", true: "msgpack"} {
		b, _ := Encode(in)
		if v, err := Decode(b); err != nil || v.Kind() != want {
			t.Errorf("%v: %s, %v", in, v.Kind(), err)
		}
	}
	if v, err := Decode(headed(DataPacker, "\x01\x01\x01\x00\x00\x00\x00\x00\x80\x3f")); err != nil || v.Kind() != "vec:f32" {
		t.Errorf("%s, %v", v.Kind(), err)
	}
	if s := Encoding(9).String(); s != "encoding 09" {
		t.Error(s)
	}
	if s := (Vector{}).ElementType(); s != "" {
		t.Error(s)
	}
}

// A payload that did not come from Decode may have any keys: none panics, and no entry is lost.
func TestUnmarshalOfOtherKeys(t *testing.T) {
	for _, payload := range []string{"\x82\x01\x01\xcc\x01\x02", "\x81\x90\x03", "\x81\xc4\x01\x02\x03"} {
		var m map[any]any
		err := Value{Encoding: MessagePack, Payload: []byte(payload)}.Unmarshal(&m)
		if !errors.Is(err, ErrPayload) {
			t.Errorf("% x: %v, %v", payload, m, err)
		}
	}
	for _, e := range []Encoding{MessagePack, CBOR, JSON} {
		type name string
		if b, err := EncodeAs(e, map[any]any{"a": 1, name("a"): 2}); err == nil {
			t.Errorf("%s: two keys became one: % x", e, b)
		}
	}
}
