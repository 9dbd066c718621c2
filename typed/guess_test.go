package typed

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// The bytes of a few floats are an array of one or two small numbers as well.
func TestFloatsThatLookLikeArrays(t *testing.T) {
	for element, length := range map[uint64]uint64{5: 2, 9: 2, 6: 1, 10: 1} {
		for _, top := range []uint64{0x3FF0, 0xC05E, 0x7FE1, 0x4010} {
			f := math.Float64frombits(top<<48 | length<<16 | 1<<8 | element)
			b, err := Encode(f)
			if err != nil {
				t.Fatal(err)
			}
			v, err := Decode(b)
			if err != nil || v.Data != f {
				t.Errorf("%v came back as %v, %v", f, v.Data, err)
			}
			if b, err := EncodeAs(DataPacker, f); !errors.Is(err, ErrValue) {
				t.Errorf("%v as DataPacker: % x, %v", f, b, err)
			}
		}
	}
}

// Slices of types of their own are what their elements are.
func TestNamedSlices(t *testing.T) {
	type digest []byte
	type ids []uint64
	type samples []float32
	for _, tt := range []struct {
		in, want any
		e        Encoding
	}{
		{digest("abc"), []byte("abc"), Raw},
		{json.RawMessage(`{"a":1}`), []byte(`{"a":1}`), Raw},
		{samples{1, 2}, Vector{Shape: []int{2}, Data: []float32{1, 2}}, DataPacker},
		{ids{1, 2}, Vector{Shape: []int{2}, Data: []uint64{1, 2}}, DataPacker},
	} {
		b, err := Encode(tt.in)
		if err != nil {
			t.Errorf("%T: %v", tt.in, err)
			continue
		}
		if v, err := Decode(b); err != nil || v.Encoding != tt.e || !reflect.DeepEqual(v.Data, tt.want) {
			t.Errorf("%T came back as %#v in %v, %v", tt.in, v.Data, v.Encoding, err)
		}
	}
	if b, err := Encode(ids{1, 1 << 63}); !errors.Is(err, ErrValue) {
		t.Errorf("numbers on both sides of 2^63: % x, %v", b, err)
	}
}

// encoding/json would store another text in its place.
func TestTextInJSONIsUTF8(t *testing.T) {
	for _, v := range []any{"a\xff", map[string]any{"a": []any{"\xc3"}}, map[string]any{"\xff": 1}, struct{ S string }{"\xff"}} {
		if b, err := EncodeAs(JSON, v); !errors.Is(err, ErrValue) {
			t.Errorf("%q became %s, %v", v, b, err)
		}
	}
	for _, s := range []string{"\ufffd", `\ufffd`, `\\ufffd`, "\"\ufffd\\"} {
		b, err := EncodeAs(JSON, s)
		if err != nil {
			t.Errorf("%q: %v", s, err)
			continue
		}
		if v, err := Decode(b); err != nil || v.Data != s {
			t.Errorf("%q came back as %q, %v", s, v.Data, err)
		}
	}
}

// What stands in for NaN must not grow with the payload.
func TestManyNaNsTakeLittleMemory(t *testing.T) {
	for _, digits := range []string{strings.Repeat("1", 20_000), strings.Repeat("0", 20_000)} {
		payload := []byte("[0e" + digits + strings.Repeat(",NaN", 5_000) + "]")
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		v, err := Decode(append(AppendHeader(nil, JSON), payload...))
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Fatal(err)
		}
		list := v.Data.([]any)
		if f, ok := list[5000].(float64); !ok || !math.IsNaN(f) || list[0] != 0.0 {
			t.Errorf("%v, %v", list[0], list[5000])
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 100*uint64(len(payload)) {
			t.Errorf("it took %d bytes to decode %d", took, len(payload))
		}
	}
	if v, err := Decode(append(AppendHeader(nil, JSON), bytes.Repeat([]byte("NaN"), 1)...)); err != nil || !math.IsNaN(v.Data.(float64)) {
		t.Errorf("%v, %v", v.Data, err)
	}
}

// What encoding/json takes by replacing something, or by forgetting it, is refused with its place.
func TestStrictJSON(t *testing.T) {
	for in, says := range map[string]string{
		"{\"a\":1,\n\"a\":2}":      `line 2, byte 1: the key "a" is there twice`,
		`[{"x":{"a":1,"a":1}}]`:    `the key "a" is there twice`,
		`["\ud800"]`:               "surrogate",
		"[\"caf\xe9\"]":            "line 1, byte 6",
		`[1e999]`:                  "line 1, byte 2",
		`-NaN`:                     "line 1, byte 2",
		`[1NaN]`:                   "line 1, byte 3",
		`[NaN5]`:                   "line 1, byte 2",
		`[1Infinity]`:              "line 1, byte 3",
		`[--Infinity]`:             "line 1",
		`{NaN:1}`:                  "line 1, byte 2",
		`[+Infinity]`:              "line 1, byte 2",
		`[NaN,{"b":[-Infinity,x]}`: "line 1, byte 22",
	} {
		v, err := Decode(append(AppendHeader(nil, JSON), in...))
		if !errors.Is(err, ErrPayload) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "strconv") {
			t.Errorf("%q: %v, error %v", in, v.Data, err)
		}
	}
	v, err := Decode(append(AppendHeader(nil, JSON), `[-Infinity, NaN,Infinity ,0e0, 1e000000]`...))
	if err != nil {
		t.Fatal(err)
	}
	list := v.Data.([]any)
	if list[0] != math.Inf(-1) || !math.IsNaN(list[1].(float64)) || list[2] != math.Inf(1) || list[3] != 0.0 || list[4] != 1.0 {
		t.Errorf("%v", list)
	}
}

// MessagePack has no such integers: they would become text there.
func TestLongIntegersStayIntegers(t *testing.T) {
	v, err := Decode(append(AppendHeader(nil, JSON), `{"a":[123456789012345678901234567890]}`...))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []Encoding{MessagePack, CBOR} {
		if b, err := EncodeAs(e, v.Data); !errors.Is(err, ErrValue) || !strings.Contains(err.Error(), "64 bits") {
			t.Errorf("%v: % x, %v", e, b, err)
		}
	}
	if b, err := EncodeAs(JSON, v.Data); err != nil || string(b[HeaderSize:]) != `{"a":[123456789012345678901234567890]}` {
		t.Errorf("%q, %v", b, err)
	}
}

// An any in a caller's variable gets the integers that Data has.
func TestUnmarshalIntegers(t *testing.T) {
	for _, e := range []Encoding{MessagePack, CBOR} {
		b, err := EncodeAs(e, map[string]any{"a": []any{uint8(5), 70000, uint64(math.MaxUint64)}})
		if err != nil {
			t.Fatal(err)
		}
		v, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		var dst struct {
			A any `msgpack:"a" cbor:"a"`
		}
		if err := v.Unmarshal(&dst); err != nil || !reflect.DeepEqual(dst.A, []any{int64(5), int64(70000), uint64(math.MaxUint64)}) {
			t.Errorf("%v: %#v, %v", e, dst.A, err)
		}
	}
}
