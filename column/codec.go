package column

import (
	"encoding/binary"
	"math"
	"strconv"
	"unsafe"
)

// Codec turns elements into bytes and back. It is safe for concurrent use.
type Codec[T any] interface {
	// Type is what the file calls the type of the elements: 1 to 255 bytes of printable text. A
	// column can be opened by a codec of its type only.
	Type() string
	// Size is the length of every encoded element in bytes, or 0 if they differ.
	Size() int
	// Append appends the encoded x, of at most MaxElement bytes, to dst and returns the extended
	// slice.
	Append(dst []byte, x T) ([]byte, error)
	// Decode returns the element that b encodes. It does not keep b.
	Decode(b []byte) (T, error)
}

// The codecs of the types that every version of the file format knows.
var (
	// Int64 keeps integers in 8 bytes, type i64.
	Int64 Codec[int64] = int64Codec{}
	// Float64 keeps floating-point numbers in 8 bytes, type f64. All bits are kept, those of a NaN
	// too.
	Float64 Codec[float64] = float64Codec{}
	// Bytes keeps byte strings of any length, type bytes. Those that come out are never nil.
	Bytes Codec[[]byte] = bytesCodec{}
)

// FixedBytes keeps byte strings in n bytes each, type bytes:n. A longer one is ErrTooLarge; a
// shorter one is filled up with zeros, which are still there when it is read. n must be above 0.
func FixedBytes(n int) Codec[[]byte] { return fixedBytes(n) }

// words is a codec of elements of 8 bytes that lie in the memory of a little-endian machine as they
// are encoded. Many of them are copied, or read to where they stay.
type words interface{ words() }

func (int64Codec) words()   {}
func (float64Codec) words() {}

var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// memory returns the memory of n words.
func memory(words unsafe.Pointer, n int) []byte { return unsafe.Slice((*byte)(words), 8*n) }

// turnWords turns the bytes of each word around, unless this machine has them as they are encoded.
func turnWords(b []byte) {
	for ; !littleEndian && len(b) >= 8; b = b[8:] {
		binary.LittleEndian.PutUint64(b, binary.BigEndian.Uint64(b))
	}
}

type int64Codec struct{}

func (int64Codec) Type() string { return "i64" }
func (int64Codec) Size() int    { return 8 }

func (int64Codec) Append(dst []byte, x int64) ([]byte, error) {
	return binary.LittleEndian.AppendUint64(dst, uint64(x)), nil
}

func (int64Codec) Decode(b []byte) (int64, error) { return int64(binary.LittleEndian.Uint64(b)), nil }

type float64Codec struct{}

func (float64Codec) Type() string { return "f64" }
func (float64Codec) Size() int    { return 8 }

func (float64Codec) Append(dst []byte, x float64) ([]byte, error) {
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(x)), nil
}

func (float64Codec) Decode(b []byte) (float64, error) {
	return math.Float64frombits(binary.LittleEndian.Uint64(b)), nil
}

type fixedBytes int

func (n fixedBytes) Type() string { return "bytes:" + strconv.Itoa(int(n)) }
func (n fixedBytes) Size() int    { return int(n) }
func (n fixedBytes) check() error { return checkSize(true, int(n)) }

func (n fixedBytes) Append(dst, x []byte) ([]byte, error) {
	if err := n.check(); err != nil {
		return nil, err
	}
	return pad(append(dst, x...), len(dst), int(n))
}

func (fixedBytes) Decode(b []byte) ([]byte, error) { return append([]byte{}, b...), nil }

type bytesCodec struct{}

func (bytesCodec) Type() string { return "bytes" }
func (bytesCodec) Size() int    { return 0 }

func (bytesCodec) Append(dst, x []byte) ([]byte, error) { return append(dst, x...), nil }
func (bytesCodec) Decode(b []byte) ([]byte, error)      { return append([]byte{}, b...), nil }
