package column

import (
	"bytes"
	"encoding/binary"
	"math"
	"reflect"

	"github.com/fxamacker/cbor/v2"
)

// CBOR keeps values of any form in CBOR, type cbor, as MessagePack does in MessagePack. Fields are
// named by their tags cbor or json. A time.Time is written as text (RFC 3339), and comes out of an
// any as such. Values lie at most 256 deep in one another.
func CBOR[T any]() Codec[T] { return &packedCodec[T]{packed: newCBORFormat()} }

// FixedCBOR keeps values as CBOR does, but in n bytes each, filled up with zeros: type cbor:n. A
// value whose encoded form is longer is ErrTooLarge. n must be above 0.
func FixedCBOR[T any](n int) Codec[T] {
	return &packedCodec[T]{packed: newCBORFormat(), fixed: true, size: n}
}

func newCBORFormat() *packed {
	const depth = 256
	enc, err := cbor.EncOptions{ShortestFloat: cbor.ShortestFloat16, NaNConvert: cbor.NaNConvert7e00, InfConvert: cbor.InfConvertFloat16,
		Time: cbor.TimeRFC3339Nano, IndefLength: cbor.IndefLengthForbidden}.UserBufferEncMode()
	if err != nil {
		panic(err) // the options are constants
	}
	dec, err := cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF, MaxNestedLevels: depth, MaxArrayElements: math.MaxInt32, MaxMapPairs: math.MaxInt32,
		DefaultMapType: reflect.TypeFor[map[string]any](), TimeTagToAny: cbor.TimeTagToRFC3339Nano}.DecMode()
	if err != nil {
		panic(err)
	}
	return &packed{name: "cbor", depth: depth, head: cborHead,
		marshal: func(dst []byte, x any) ([]byte, error) {
			buf := bytes.NewBuffer(dst)
			err := enc.MarshalToBuffer(x, buf)
			return buf.Bytes(), err
		},
		length: func(b []byte) (int, error) {
			var whole cbor.RawMessage
			rest, err := dec.UnmarshalFirst(b, &whole)
			return len(b) - len(rest), err
		},
		unmarshal: dec.Unmarshal,
	}
}

// cborHead knows no value of indefinite length, since none is written.
func cborHead(b []byte) (h head, ok bool) {
	if len(b) == 0 {
		return h, false
	}
	major, n := b[0]>>5, uint64(b[0]&0x1f)
	h.size = 1
	switch width := 1 << (n - 24); {
	case n < 24:
	case n > 27 || len(b) < 1+width:
		return h, false
	default:
		var arg [8]byte
		copy(arg[8-width:], b[1:1+width])
		n = binary.BigEndian.Uint64(arg[:])
		h.size += width
	}
	switch major {
	case 2, 3: // bytes, text
		h.payload, h.text = n, major == 3
	case 4: // array
		h.children = n
	case 5: // map
		h.children, h.dict = 2*n, true
		ok = n < math.MaxUint32 // twice as many might not fit
		return h, ok
	case 6: // tag
		h.children = 1
	}
	return h, true
}
