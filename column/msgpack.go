package column

import (
	"bytes"
	"encoding/binary"

	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"

	"github.com/kohakuvault/kvault/internal/plain"
)

// MessagePack keeps values of any form in MessagePack, type msgpack: structs, maps, slices, text,
// numbers. Fields are named by their tags msgpack or json. Wherever T has an any, what comes out is
// nil, or a bool, int64, float64, string, []byte, time.Time, []any or map[string]any, or a uint64
// if it is above all int64.
//
// The Python package reads all of this but []byte, time.Time, maps whose keys are no strings, and
// floating-point numbers that are not finite, which it takes for None. The keys of maps and the
// fields of structs are written in order, so that values that are equal are encoded alike.
//
// A value that cannot be encoded is ErrInvalid, and so is an element that does not fit T. A map
// with two keys that are one text or number when they are read, such as int8(1) and int64(1), can
// neither be encoded nor decoded. Values lie at most 1000 deep in one another.
func MessagePack[T any]() Codec[T] { return &packedCodec[T]{packed: newMsgpackFormat()} }

// FixedMessagePack keeps values as MessagePack does, but in n bytes each, filled up with zeros:
// type msgpack:n. A value whose encoded form is longer is ErrTooLarge. n must be above 0.
func FixedMessagePack[T any](n int) Codec[T] {
	return &packedCodec[T]{packed: newMsgpackFormat(), fixed: true, size: n}
}

func newMsgpackFormat() *packed {
	p := &packed{name: "msgpack", depth: 1000, marshal: marshalMsgpack, unmarshal: unmarshalMsgpack, head: msgpackHead}
	p.length = func(b []byte) (int, error) { return p.walk(b, 0, false) }
	return p
}

func marshalMsgpack(dst []byte, x any) ([]byte, error) {
	enc := msgpack.GetEncoder()
	defer msgpack.PutEncoder(enc)
	buf := bytes.NewBuffer(dst)
	enc.Reset(buf)
	enc.UseCompactInts(true)
	enc.SetCustomStructTag("json")
	err := enc.Encode(x)
	return buf.Bytes(), err
}

func unmarshalMsgpack(b []byte, p any) (err error) {
	defer plain.Unhashable(&err)
	dec := msgpack.GetDecoder()
	defer msgpack.PutDecoder(dec)
	dec.Reset(bytes.NewReader(b))
	dec.SetCustomStructTag("json")
	return dec.Decode(p)
}

func msgpackHead(b []byte) (h head, ok bool) {
	if len(b) == 0 {
		return h, false
	}
	c := b[0]
	h.size = 1
	switch {
	case msgpcode.IsFixedNum(c):
		return h, true
	case msgpcode.IsFixedString(c):
		h.payload, h.text = uint64(c&msgpcode.FixedStrMask), true
		return h, true
	case msgpcode.IsFixedArray(c):
		h.children = uint64(c & msgpcode.FixedArrayMask)
		return h, true
	case msgpcode.IsFixedMap(c):
		h.children, h.dict = 2*uint64(c&msgpcode.FixedMapMask), true
		return h, true
	}
	switch c {
	case msgpcode.Nil, msgpcode.False, msgpcode.True:
	case msgpcode.Uint8, msgpcode.Int8:
		h.payload = 1
	case msgpcode.Uint16, msgpcode.Int16:
		h.payload = 2
	case msgpcode.Uint32, msgpcode.Int32, msgpcode.Float:
		h.payload = 4
	case msgpcode.Uint64, msgpcode.Int64, msgpcode.Double:
		h.payload = 8
	case msgpcode.FixExt1, msgpcode.FixExt2, msgpcode.FixExt4, msgpcode.FixExt8, msgpcode.FixExt16:
		h.payload = 1 + 1<<(c-msgpcode.FixExt1)
	default:
		return msgpackLong(b, h)
	}
	return h, true
}

// msgpackLong reads the head of what says its length in 1, 2 or 4 bytes.
func msgpackLong(b []byte, h head) (head, bool) {
	width, isExt, isArray := 0, false, false
	switch b[0] {
	case msgpcode.Bin8, msgpcode.Str8, msgpcode.Ext8:
		width = 1
	case msgpcode.Bin16, msgpcode.Str16, msgpcode.Ext16, msgpcode.Array16, msgpcode.Map16:
		width = 2
	case msgpcode.Bin32, msgpcode.Str32, msgpcode.Ext32, msgpcode.Array32, msgpcode.Map32:
		width = 4
	}
	if width == 0 || len(b) < 1+width {
		return h, false
	}
	n := uint64(0)
	switch width {
	case 1:
		n = uint64(b[1])
	case 2:
		n = uint64(binary.BigEndian.Uint16(b[1:]))
	default:
		n = uint64(binary.BigEndian.Uint32(b[1:]))
	}
	switch h.size += width; b[0] {
	case msgpcode.Str8, msgpcode.Str16, msgpcode.Str32:
		h.text = true
	case msgpcode.Ext8, msgpcode.Ext16, msgpcode.Ext32:
		isExt = true
	case msgpcode.Map16, msgpcode.Map32:
		h.dict, n = true, 2*n
		isArray = true
	case msgpcode.Array16, msgpcode.Array32:
		isArray = true
	}
	if isArray {
		h.children = n
		return h, true
	}
	if isExt {
		n++ // its type
	}
	h.payload = n
	return h, true
}
