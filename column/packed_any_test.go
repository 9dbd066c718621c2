package column_test

import (
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

// Integers are int64 wherever an any stands, whatever width they were given or encoded in.
func TestIntegersWithinValues(t *testing.T) {
	type part struct{ X any }
	type whole struct {
		A  any            `json:"a"`
		L  []any          `json:"l"`
		M  map[string]any `json:"m"`
		P  *part          `json:"p"`
		Ps []part         `json:"ps"`
		N  uint8          `json:"n"`
	}
	for name, codec := range map[string]column.Codec[whole]{"msgpack": column.MessagePack[whole](), "cbor": column.CBOR[whole]()} {
		for _, n := range []int64{0, 1, -1, 127, 128, 255, 256, -129, 1 << 15, 1 << 16, 1 << 31, 1 << 32, math.MaxInt64, math.MinInt64} {
			in := whole{A: n, L: []any{n, []any{n}}, M: map[string]any{"k": map[string]any{"k": n}}, P: &part{n}, Ps: []part{{n}}, N: 200}
			b, err := codec.Append(nil, in)
			if err != nil {
				t.Fatal(err)
			}
			out, err := codec.Decode(b)
			if err != nil || !reflect.DeepEqual(in, out) {
				t.Errorf("%s: %#v, %v", name, out, err)
			}
		}
		b, err := codec.Append(nil, whole{A: uint64(math.MaxUint64), L: []any{uint8(7), int16(-7), uint32(7)}})
		if err != nil {
			t.Fatal(err)
		}
		out, err := codec.Decode(b)
		if err != nil || out.A != uint64(math.MaxUint64) || !reflect.DeepEqual(out.L, []any{int64(7), int64(-7), int64(7)}) {
			t.Errorf("%s: %#v, %v", name, out, err)
		}
	}
	maps := column.MessagePack[map[string]any]()
	out, err := maps.Decode([]byte("\x83\xa1a\xcd\x00\x05\xa1b\xd3\x00\x00\x00\x00\x00\x00\x00\x05\xa1c\x05")) // 5 in 16 bits, in 64, and in the code itself
	if err != nil || !reflect.DeepEqual(out, map[string]any{"a": int64(5), "b": int64(5), "c": int64(5)}) {
		t.Errorf("%#v, %v", out, err)
	}
}

// name is text of another Go type.
type name string

// Two keys that are read as one are refused: one of the two entries would be lost.
func TestKeysThatBecomeOne(t *testing.T) {
	msgpack, cbor := column.MessagePack[map[any]any](), column.CBOR[map[any]any]()
	for _, m := range []map[any]any{
		{int8(1): "a", int64(1): "b"}, {uint8(200): 1, int64(200): 2, "x": 3}, {float32(0.5): 1, 0.5: 2}, {"a": 1, name("a"): 2},
		{"in": map[any]any{uint16(7): 1, 7: 2}}, {int8(-1): 1, int16(-1): 2},
	} {
		refuses(t, msgpack, m, kvault.ErrInvalid, "twice")
		refuses(t, cbor, m, kvault.ErrInvalid, "twice")
		refuses(t, column.Nullable(msgpack), column.Null[map[any]any]{V: m, Valid: true}, kvault.ErrInvalid, "twice")
	}
	for _, m := range []map[any]any{{}, {int64(1): "a", 1.0: "b", "1": "c", true: "d"}, {int64(-1): 1, int64(255): 2}, {"b": 1, "a": 2}} {
		for name, codec := range map[string]column.Codec[map[any]any]{"msgpack": msgpack, "cbor": cbor} {
			b, err := codec.Append(nil, m)
			must(t, err)
			if out, err := codec.Decode(b); err != nil || len(out) != len(m) {
				t.Errorf("%s: %v became %v, %v", name, m, out, err)
			}
		}
	}
	// As other programs may write them: once more the same text, and a number in two widths.
	for _, b := range []string{"\x82\xa1a\x01\xa1a\x02", "\x82\x01\x01\xcc\x01\x02", "\x82\x01\x01\xd3\x00\x00\x00\x00\x00\x00\x00\x01\x02",
		"\x82\xca\x3f\x00\x00\x00\x01\xcb\x3f\xe0\x00\x00\x00\x00\x00\x00\x02", "\x81\xa1x\x83\xa1a\x01\xa1b\x03\xa1a\x02"} {
		corrupt(t, msgpack, hex.EncodeToString([]byte(b)), kvault.ErrCorrupt)
	}
	corrupt(t, column.MessagePack[map[int]any](), "820101cc0102", kvault.ErrCorrupt)
	for _, b := range []string{"a2616101616102", "a20101180102", "a2f9380001fa3f00000002"} {
		corrupt(t, cbor, b, kvault.ErrInvalid)
	}
}

// A key that no map of Go can have is an error, too.
func TestKeysThatAreNone(t *testing.T) {
	for _, b := range []string{"819003", "818003", "81c4010203", "818190030a"} {
		corrupt(t, column.MessagePack[map[any]any](), b, kvault.ErrInvalid)
	}
}

// What kind of error it is stands at the end of a message, not amid what is wrong.
func TestKindsOfErrorsStandLast(t *testing.T) {
	_, misfit := column.MessagePack[int]().Decode([]byte("\xa1a"))
	_, refused := column.CBOR[any]().Append(nil, "\xff")
	for _, err := range []error{misfit, refused} {
		if !errors.Is(err, kvault.ErrInvalid) || !strings.HasSuffix(err.Error(), ": "+kvault.ErrInvalid.Error()) {
			t.Errorf("%v", err)
		}
	}
}
