package column_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/engine/mem"
)

func wordOf(r *rand.Rand) string { return strings.Repeat("é", r.IntN(40)) + "x" }

func numbersOf[E column.Number](n int) func(*rand.Rand) []E {
	return func(r *rand.Rand) []E {
		xs := make([]E, n)
		for i := range xs {
			xs[i] = E(r.IntN(127))
		}
		return xs
	}
}

func tensorOf[E column.Number](r *rand.Rand) column.Tensor[E] {
	shape := []int{}
	n := 1
	for range r.IntN(4) {
		shape = append(shape, r.IntN(4))
		n *= shape[len(shape)-1]
	}
	return column.Tensor[E]{Shape: shape, Data: numbersOf[E](n)(r)}
}

func valueOf(r *rand.Rand) any {
	switch r.IntN(8) {
	case 0:
		return nil
	case 1:
		return int64(r.Uint64()) >> r.IntN(64)
	case 2:
		return r.Float64()
	case 3:
		return wordOf(r)
	case 4:
		return r.IntN(2) == 0
	case 5:
		list := []any{}
		for range r.IntN(4) {
			list = append(list, valueOf(r))
		}
		return list
	case 6:
		return uint64(1)<<63 + uint64(r.IntN(100))
	}
	dict := map[string]any{}
	for range r.IntN(5) {
		dict[strings.Repeat(string(rune('a'+r.IntN(26))), r.IntN(20))] = valueOf(r)
	}
	return dict
}

type photo struct {
	Width int
	Name  string   `json:"name"`
	Tags  []string `json:"tags"`
	Ratio float64
}

func photoOf(r *rand.Rand) photo {
	return photo{r.IntN(10000), wordOf(r), []string{wordOf(r)}, r.Float64()}
}

// Every codec under random changes, in chunks so small that each change crosses some. How elements
// lie does not depend on their codec, so one engine is enough.
func TestModelOfEveryCodec(t *testing.T) {
	v := newOn(t, mem.New())
	for _, e := range []column.Encoding{column.UTF8, column.UTF16LE, column.UTF16BE, column.Latin1} {
		model(t, v, column.Text(e), wordOf)
		model(t, v, column.FixedText(2*41, e), wordOf, wide)
		model(t, v, column.FixedText(2*41+1, e), wordOf, wide)
	}
	ascii := func(r *rand.Rand) string { return strings.Repeat("x", r.IntN(40)) }
	model(t, v, column.Text(column.ASCII), ascii)
	model(t, v, column.FixedText(40, column.ASCII), ascii)
	modelOfVectors[float32](t, v)
	modelOfVectors[float64](t, v)
	modelOfVectors[int8](t, v)
	modelOfVectors[int16](t, v)
	modelOfVectors[int32](t, v)
	modelOfVectors[int64](t, v)
	modelOfVectors[uint8](t, v)
	modelOfVectors[uint16](t, v)
	modelOfVectors[uint32](t, v)
	modelOfVectors[uint64](t, v)
	model(t, v, column.MessagePack[any](), valueOf)
	model(t, v, column.CBOR[any](), valueOf)
	model(t, v, column.FixedMessagePack[photo](300), photoOf, wide)
	model(t, v, column.FixedCBOR[photo](300), photoOf, wide)
}

func modelOfVectors[E column.Number](t *testing.T, v *kvault.Vault) {
	model(t, v, column.Vector[E](3), numbersOf[E](3))
	model(t, v, column.Tensors[E](), tensorOf[E])
}

// encoded is what a codec makes of x, in hexadecimal.
func encoded[T any](t *testing.T, c column.Codec[T], x T) string {
	t.Helper()
	b, err := c.Append([]byte("before"), x)
	must(t, err)
	if !bytes.HasPrefix(b, []byte("before")) {
		t.Errorf("%s: what was there is overwritten: %q", c.Type(), b)
	}
	back, err := c.Decode(b[6:])
	must(t, err)
	if diff := cmp.Diff(x, back); diff != "" {
		t.Errorf("%s came back otherwise:\n%s", c.Type(), diff)
	}
	return hex.EncodeToString(b[6:])
}

// The expected bytes are those that version 0.8.6 of the Python package writes; testdata/golden has
// whole columns of it.
func TestEncodedText(t *testing.T) {
	for _, tt := range []struct {
		codec column.Codec[string]
		typ   string
		x     string
		want  string
	}{
		{column.String, "str:utf8", "é", "c3a9"},
		{column.Text(column.UTF16LE), "str:utf16le", "aé😀\x00", "6100e9003dd800de0000"},
		{column.Text(column.UTF16BE), "str:utf16be", "aé😀\x00", "006100e9d83dde000000"},
		{column.Text(column.Latin1), "str:latin1", "aéÿ\x00", "61e9ff00"},
		{column.Text(column.ASCII), "str:ascii", "a\x00", "6100"},
		{column.FixedText(8, column.UTF8), "str:8:utf8", "é", "c3a9000000000000"},
		{column.FixedText(8, column.UTF8), "str:8:utf8", "12345678", "3132333435363738"},
		{column.FixedText(8, column.UTF8), "str:8:utf8", "", "0000000000000000"},
		{column.FixedText(8, column.UTF16LE), "str:8:utf16le", "a\x00b", "6100000062000000"},
		{column.FixedText(7, column.UTF16BE), "str:7:utf16be", "abc", "00610062006300"},
		{column.FixedText(3, column.Latin1), "str:3:latin1", "é", "e90000"},
		{column.FixedText(3, column.ASCII), "str:3:ascii", "e", "650000"},
	} {
		if got := encoded(t, tt.codec, tt.x); got != tt.want || tt.codec.Type() != tt.typ {
			t.Errorf("%s: %q is %s, want %s in %s", tt.codec.Type(), tt.x, got, tt.want, tt.typ)
		}
	}
}

func TestEncodedVectors(t *testing.T) {
	for want, got := range map[string]string{
		"010000803f00002040":                encoded(t, column.Vector[float32](2), []float32{1, 2.5}),
		"02000000000000f03f":                encoded(t, column.Vector[float64](1), []float64{1}),
		"0901ff":                            encoded(t, column.Vector[int8](2), []int8{1, -1}),
		"0a01000200030004000500faff":        encoded(t, column.Vector[int16](2, 3), []int16{1, 2, 3, 4, 5, -6}),
		"0301000000feffffff":                encoded(t, column.Vector[int32](2), []int32{1, -2}),
		"040100000000000000":                encoded(t, column.Vector[int64](1), []int64{1}),
		"050102":                            encoded(t, column.Vector[uint8](2), []uint8{1, 2}),
		"060102":                            encoded(t, column.Vector[uint16](1), []uint16{0x201}),
		"0701020304":                        encoded(t, column.Vector[uint32](1), []uint32{0x4030201}),
		"08ffffffffffffffff":                encoded(t, column.Vector[uint64](1), []uint64{math.MaxUint64}),
		"0101020000000000803f00002040":      encoded(t, column.Tensors[float32](), column.Tensor[float32]{[]int{2}, []float32{1, 2.5}}),
		"050202000000020000000102" + "0304": encoded(t, column.Tensors[uint8](), column.Tensor[uint8]{[]int{2, 2}, []uint8{1, 2, 3, 4}}),
		"050007":                            encoded(t, column.Tensors[uint8](), column.Tensor[uint8]{[]int{}, []uint8{7}}),
		"01020000000003000000":              encoded(t, column.Tensors[float32](), column.Tensor[float32]{[]int{0, 3}, []float32{}}),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if typ := column.Vector[int16](2, 3).Type(); typ != "vec:i16:2:3" {
		t.Error(typ)
	}
	b, err := column.Tensors[uint8]().Append(nil, column.Tensor[uint8]{Data: []uint8{5, 6}})
	must(t, err)
	x, err := column.Tensors[uint8]().Decode(b)
	must(t, err)
	if diff := cmp.Diff(column.Tensor[uint8]{[]int{2}, []uint8{5, 6}}, x); diff != "" {
		t.Errorf("a tensor without shape: %s", diff)
	}
}

func TestEncodedValues(t *testing.T) {
	for _, tt := range []struct {
		x             any
		msgpack, cbor string
	}{
		{nil, "c0", "f6"}, {true, "c3", "f5"}, {false, "c2", "f4"}, {int64(127), "7f", "187f"}, {int64(128), "cc80", "1880"}, {int64(65535), "cdffff", "19ffff"},
		{int64(1 << 32), "cf0000000100000000", "1b0000000100000000"}, {uint64(1 << 63), "cf8000000000000000", "1b8000000000000000"},
		{int64(-32), "e0", "381f"}, {int64(-33), "d0df", "3820"}, {int64(-129), "d1ff7f", "3880"}, {int64(-32769), "d2ffff7fff", "398000"},
		{int64(math.MinInt64), "d38000000000000000", "3b7fffffffffffffff"}, {1.5, "cb3ff8000000000000", "f93e00"}, {0.1, "cb3fb999999999999a", "fb3fb999999999999a"},
		{"a", "a161", "6161"}, {strings.Repeat("é", 20), "d928" + strings.Repeat("c3a9", 20), "7828" + strings.Repeat("c3a9", 20)},
		{[]any{int64(1), []any{int64(2), []any{}}}, "9201920290", "8201820280"}, {map[string]any{}, "80", "a0"},
		{map[string]any{"b": int64(1), "aa": map[string]any{"z": nil, "yy": []any{1.5}}}, "82a2616182a2797991cb3ff8000000000000a17ac0a16201",
			"a2626161a262797981f93e00617af6616201"},
	} {
		if got := encoded(t, column.MessagePack[any](), tt.x); got != tt.msgpack {
			t.Errorf("%v in MessagePack is %s, want %s", tt.x, got, tt.msgpack)
		}
		if got := encoded(t, column.CBOR[any](), tt.x); got != tt.cbor {
			t.Errorf("%v in CBOR is %s, want %s", tt.x, got, tt.cbor)
		}
		if got := encoded(t, column.FixedMessagePack[any](90), tt.x); got != tt.msgpack+strings.Repeat("00", 90-len(tt.msgpack)/2) {
			t.Errorf("%v in 90 bytes of MessagePack is %s", tt.x, got)
		}
		if got := encoded(t, column.FixedCBOR[any](90), tt.x); got != tt.cbor+strings.Repeat("00", 90-len(tt.cbor)/2) {
			t.Errorf("%v in 90 bytes of CBOR is %s", tt.x, got)
		}
	}
	// A struct is encoded as the map that it amounts to, so that one finds the other.
	p := photo{1, "a", []string{"b"}, 0.5}
	asMap := map[string]any{"Width": int64(1), "name": "a", "tags": []any{"b"}, "Ratio": 0.5}
	if a, b := encoded(t, column.MessagePack[photo](), p), encoded(t, column.MessagePack[any](), any(asMap)); a != b {
		t.Errorf("in MessagePack a struct is\n%s, and the map\n%s", a, b)
	}
	if a, b := encoded(t, column.CBOR[photo](), p), encoded(t, column.CBOR[any](), any(asMap)); a != b {
		t.Errorf("in CBOR a struct is\n%s, and the map\n%s", a, b)
	}
	// What is no JSON comes back too.
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	encoded(t, column.MessagePack[any](), any([]byte("\x00\xff")))
	encoded(t, column.CBOR[any](), any([]byte("\x00\xff")))
	encoded(t, column.MessagePack[map[int]float32](), map[int]float32{300: 1.5, 2: 2, -1: 0})
	encoded(t, column.CBOR[map[int]float32](), map[int]float32{300: 1.5, 2: 2, -1: 0})
	encoded(t, column.MessagePack[*time.Time](), &now)
	encoded(t, column.CBOR[*time.Time](), &now)
	if x, err := column.MessagePack[any]().Decode([]byte{0x92, 0xca, 0x3f, 0x80, 0, 0, 0xd0, 5}); err != nil || !reflect.DeepEqual(x, []any{1.0, int64(5)}) {
		t.Errorf("shorter numbers: %#v, %v", x, err)
	}
	if x, err := column.CBOR[any]().Decode([]byte{0x9f, 1, 0x7f, 0x61, 'a', 0xff, 0xff}); err != nil || !reflect.DeepEqual(x, []any{int64(1), "a"}) {
		t.Errorf("indefinite lengths: %#v, %v", x, err)
	}
}

// deep is n lists in one another.
func deep(n int) any {
	x := any("end")
	for range n {
		x = []any{x}
	}
	return x
}

func TestDepth(t *testing.T) {
	for _, tt := range []struct {
		codec column.Codec[any]
		most  int
	}{{column.MessagePack[any](), 1000}, {column.CBOR[any](), 256}} {
		b, err := tt.codec.Append(nil, deep(tt.most))
		must(t, err)
		if _, err := tt.codec.Decode(b); err != nil {
			t.Errorf("%s: %d lists in one another: %v", tt.codec.Type(), tt.most, err)
		}
		if _, err := tt.codec.Append(nil, deep(tt.most+1)); !errors.Is(err, kvault.ErrInvalid) {
			t.Errorf("%s: one more: %v", tt.codec.Type(), err)
		}
	}
	for b, codec := range map[byte]column.Codec[any]{0x91: column.MessagePack[any](), 0x81: column.CBOR[any]()} {
		if _, err := codec.Decode(bytes.Repeat([]byte{b}, 10<<20)); !errors.Is(err, kvault.ErrCorrupt) {
			t.Errorf("%s: ten million lists in one another: %v", codec.Type(), err)
		}
	}
}

func refuses[T any](t *testing.T, c column.Codec[T], x T, want error, says string) {
	t.Helper()
	_, err := c.Append(nil, x)
	if !errors.Is(err, want) || !strings.Contains(fmt.Sprint(err), says) {
		t.Errorf("%s: %v, want %v that says %q", c.Type(), err, want, says)
	}
}

func TestRefused(t *testing.T) {
	refuses(t, column.Text(column.ASCII), "é", kvault.ErrInvalid, `'é'`)
	refuses(t, column.Text(column.Latin1), "aĀ", kvault.ErrInvalid, "latin1 lacks")
	for _, e := range []column.Encoding{column.UTF8, column.UTF16LE, column.UTF16BE, column.ASCII, column.Latin1} {
		refuses(t, column.Text(e), "a\xff", kvault.ErrInvalid, "not valid UTF-8")
		refuses(t, column.FixedText(9, e), "a\x00", kvault.ErrInvalid, "ends in a NUL")
		refuses(t, column.FixedText(9, e), "1234567890", kvault.ErrTooLarge, "holds 9 each")
	}
	refuses(t, column.FixedText(3, column.UTF16LE), "😀", kvault.ErrTooLarge, "4 bytes")
	refuses(t, column.Text(column.ASCII), strings.Repeat("x", 999)+"é", kvault.ErrInvalid, "…")
	refuses(t, column.Vector[float32](3), []float32{1}, kvault.ErrInvalid, "1 numbers, the column holds 3")
	refuses(t, column.Tensors[int8](), column.Tensor[int8]{[]int{2, 2}, []int8{1}}, kvault.ErrInvalid, "[2 2]")
	refuses(t, column.Tensors[int8](), column.Tensor[int8]{[]int{-1, -1}, []int8{1}}, kvault.ErrInvalid, "[-1 -1]")
	refuses(t, column.Tensors[int8](), column.Tensor[int8]{make([]int, 256), nil}, kvault.ErrInvalid, "255 dimensions")
	refuses(t, column.Tensors[int8](), column.Tensor[int8]{[]int{1 << 16, 1 << 16}, nil}, kvault.ErrInvalid, "[65536 65536]")
	if math.MaxInt > math.MaxUint32 {
		refuses(t, column.Tensors[int8](), column.Tensor[int8]{[]int{0, math.MaxInt}, nil}, kvault.ErrTooLarge, "dimension")
	}
	for _, c := range []column.Codec[any]{column.MessagePack[any](), column.CBOR[any]()} {
		refuses(t, c, any(make(chan int)), kvault.ErrInvalid, c.Type())
		refuses(t, c, any("\xff"), kvault.ErrInvalid, "UTF-8")
		refuses(t, c, any(map[string]any{"a": []any{"\xff"}}), kvault.ErrInvalid, "UTF-8")
	}
	refuses(t, column.FixedMessagePack[any](3), any("abc"), kvault.ErrTooLarge, "4 bytes")
	refuses(t, column.FixedCBOR[any](3), any("abc"), kvault.ErrTooLarge, "4 bytes")
}

func corrupt[T any](t *testing.T, c column.Codec[T], hexed string, want error) {
	t.Helper()
	b, err := hex.DecodeString(hexed)
	must(t, err)
	if x, err := c.Decode(b); !errors.Is(err, want) {
		t.Errorf("%s: %s gives %v, %v; want %v", c.Type(), hexed, x, err, want)
	}
}

func TestDamagedElements(t *testing.T) {
	corrupt(t, column.Text(column.UTF8), "ff", kvault.ErrCorrupt)
	corrupt(t, column.Text(column.ASCII), "80", kvault.ErrCorrupt)
	for _, c := range []column.Codec[string]{column.Text(column.UTF16LE), column.FixedText(4, column.UTF16LE)} {
		for _, b := range []string{"00dc0000", "3dd86100", "3dd83dd8", "00003dd8"} { // halves of surrogate pairs
			corrupt(t, c, b, kvault.ErrCorrupt)
		}
	}
	corrupt(t, column.Text(column.UTF16BE), "006100", kvault.ErrCorrupt)
	corrupt(t, column.Vector[float32](1), "020000803f", kvault.ErrCorrupt)
	corrupt(t, column.Vector[float32](1), "", kvault.ErrCorrupt)
	corrupt(t, column.Vector[float32](1), "0100", kvault.ErrCorrupt)
	for _, b := range []string{"", "02", "01", "0101", "010100", "010101000000", "0102ffffffffffffffff", "0101ffffffff", "01010000000000", "0101010000000000803f00"} {
		corrupt(t, column.Tensors[float32](), b, kvault.ErrCorrupt)
	}
	for _, b := range []string{"", "c1", "cc", "a2", "a1ff", "d9", "92", "9201", "dfffffffff", "ddffffffff", "c6ffffffff", "0102", "c000"} {
		corrupt(t, column.MessagePack[any](), b, kvault.ErrCorrupt)
	}
	corrupt(t, column.FixedMessagePack[any](3), "c00001", kvault.ErrCorrupt)
	corrupt(t, column.FixedCBOR[any](3), "f60001", kvault.ErrCorrupt)
	for _, b := range []string{"", "18", "61", "82", "9bffffffffffffffff", "bbffffffffffffffff", "5bffffffffffffffff", "9f01", "0102", "1c", "ff"} {
		corrupt(t, column.CBOR[any](), b, kvault.ErrCorrupt)
	}
	// Sound, but not what was asked for.
	corrupt(t, column.MessagePack[int](), "a161", kvault.ErrInvalid)
	corrupt(t, column.MessagePack[any](), "810102", kvault.ErrInvalid)
	corrupt(t, column.MessagePack[any](), "d40501", kvault.ErrInvalid)
	corrupt(t, column.CBOR[int](), "6161", kvault.ErrInvalid)
	corrupt(t, column.CBOR[any](), "a10102", kvault.ErrInvalid)
}

// A codec that was made of nonsense is told so when it is used.
func TestCodecsOfNonsense(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		nonsense(t, v, column.Text("latin9"), `"latin9"`)
		nonsense(t, v, column.FixedText(0, column.UTF8), "0 bytes")
		nonsense(t, v, column.FixedText(-1, column.UTF8), "-1 bytes")
		nonsense(t, v, column.FixedBytes(0), "0 bytes")
		nonsense(t, v, column.FixedMessagePack[int](0), "0 bytes")
		nonsense(t, v, column.FixedCBOR[int](-5), "-5 bytes")
		nonsense(t, v, column.Vector[float32](), "at least one")
		nonsense(t, v, column.Vector[float32](2, 0), "[2 0]")
		nonsense(t, v, column.Vector[float32](-2, -2), "[-2 -2]")
		nonsense(t, v, column.Vector[float32](1<<30, 1<<30, 1<<30), "bytes in all")
		nonsense(t, v, column.Vector[float32](1<<28), "bytes in all")
		for _, unit := range []time.Duration{0, 7, -1, time.Hour} {
			nonsense(t, v, column.Timestamp(unit), unit.String())
			nonsense(t, v, column.TimestampUTC(unit), unit.String())
		}
		nonsense[int64](t, v, nil, "no codec")
		nonsense(t, v, column.Nullable[int64](nil), "no codec")
		nonsense(t, v, column.Nullable(column.Nullable(column.Int64)), "nullable once")
	})
}

func nonsense[T any](t *testing.T, v *kvault.Vault, c column.Codec[T], says string) {
	t.Helper()
	for call, run := range map[string]func() error{
		"Create": func() error { _, err := column.Create(t.Context(), v, "c", c, nil); return err },
		"Open":   func() error { _, err := column.Open(t.Context(), v, "c", c); return err },
		"Ensure": func() error { _, err := column.Ensure(t.Context(), v, "c", c, nil); return err },
	} {
		err := run()
		wantErr(t, err, kvault.ErrInvalid)
		if !strings.Contains(fmt.Sprint(err), says) {
			t.Errorf("%s: %v, want %q", call, err, says)
		}
	}
	if c == nil {
		return
	}
	var zero T
	if b, err := c.Append(nil, zero); !errors.Is(err, kvault.ErrInvalid) || !strings.Contains(err.Error(), says) {
		t.Errorf("%s, without a column: %x, %v", c.Type(), b, err)
	}
	if _, err := column.Nullable(c).Append(nil, column.Null[T]{}); !errors.Is(err, kvault.ErrInvalid) {
		t.Errorf("nullable %s, without a column: %v", c.Type(), err)
	}
	_, _ = c.Decode(make([]byte, 8))
	_, _ = column.Nullable(c).Decode(make([]byte, 8))
}

// A column and a table that nobody opened say so.
func TestZeroValues(t *testing.T) {
	ctx := t.Context()
	var c column.Column[int64]
	_, length := c.Len(ctx)
	_, get := c.Get(ctx, 0)
	_, index := c.Index(ctx, 1)
	_, count := c.Count(ctx, func(int64) bool { return true })
	for call, err := range map[string]error{"Len": length, "Get": get, "Index": index, "Count": count,
		"Append": c.Append(ctx, 1), "Extend": c.Extend(ctx, nil),
		"Set": c.Set(ctx, 0, 1), "Insert": c.Insert(ctx, 0, 1), "Clear": c.Clear(ctx)} {
		if !errors.Is(err, kvault.ErrInvalid) || !strings.Contains(err.Error(), "Open, Create or Ensure") {
			t.Errorf("%s of a zero column: %v", call, err)
		}
	}
	if c.Type() != "" || c.Name() != "" {
		t.Errorf("%q of type %q", c.Name(), c.Type())
	}
	var table column.Table[int64]
	_, rows := table.Len(ctx)
	_, none := column.NewTable[int64](nil)
	for call, err := range map[string]error{"Len": rows, "Append": table.Append(ctx, 1), "NewTable": none} {
		if !errors.Is(err, kvault.ErrInvalid) || !strings.Contains(err.Error(), "no columns") {
			t.Errorf("%s of a zero table: %v", call, err)
		}
	}
}
