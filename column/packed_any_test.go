package column_test

import (
	"math"
	"reflect"
	"testing"

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
