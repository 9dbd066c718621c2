package column

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/kohakuvault/kvault"
)

// Number is what vectors are made of.
type Number interface {
	float32 | float64 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

// elementCodes are the bytes by which an encoded vector says what it is made of.
var elementCodes = map[string]byte{"f32": 1, "f64": 2, "i32": 3, "i64": 4, "u8": 5, "u16": 6, "u32": 7, "u64": 8, "i8": 9, "i16": 10}

// elementOf is the name, the code and the size in bytes of a number.
func elementOf[E Number]() (name string, code byte, size int) {
	var x E
	switch any(x).(type) {
	case float32:
		name = "f32"
	case float64:
		name = "f64"
	case int8:
		name = "i8"
	case int16:
		name = "i16"
	case int32:
		name = "i32"
	case int64:
		name = "i64"
	case uint8:
		name = "u8"
	case uint16:
		name = "u16"
	case uint32:
		name = "u32"
	case uint64:
		name = "u64"
	}
	return name, elementCodes[name], binary.Size(x)
}

// Vector keeps vectors of one width, or arrays of one shape: type vec:f32:768, or vec:u8:28:28. The
// last dimension is the one that varies fastest. Each takes one byte more than its numbers. One of
// another length is ErrInvalid. There must be at least one dimension, each above 0. The vectors
// that come out share no memory.
//
// For vectors of differing lengths, use Tensors.
func Vector[E Number](dims ...int) Codec[[]E] {
	name, code, size := elementOf[E]()
	c := &vectorCodec[E]{dims: slices.Clone(dims), code: code, typ: (&typeName{base: "vec", elem: name, dims: dims}).String()}
	if n, ok := product(dims); ok && n <= (largestChunk-1)/size {
		c.n, c.size = n, 1+n*size
	}
	return c
}

// product is the number of elements in an array, if there can be such an array.
func product(dims []int) (int, bool) {
	n := uint64(1)
	for _, d := range dims {
		over, under := bits.Mul64(n, uint64(d))
		if n = under; d < 0 || over > 0 || n > 1<<40 {
			return 0, false
		}
	}
	return int(n), n <= math.MaxInt
}

type vectorCodec[E Number] struct {
	typ     string
	dims    []int
	code    byte
	n, size int // of numbers, and of bytes; 0 if the dimensions are none
}

func (c *vectorCodec[E]) Type() string { return c.typ }
func (c *vectorCodec[E]) Size() int    { return c.size }

func (c *vectorCodec[E]) check() error {
	if len(c.dims) == 0 || c.n == 0 {
		return invalid("vectors of dimensions %d: want at least one, each above 0, and no more than %d bytes in all", c.dims, largestChunk)
	}
	return nil
}

func (c *vectorCodec[E]) Append(dst []byte, x []E) ([]byte, error) {
	if c.n == 0 || len(c.dims) == 0 {
		return nil, c.check()
	}
	if len(x) != c.n {
		return nil, fmt.Errorf("%d numbers, the column holds %d each: %w", len(x), c.n, kvault.ErrInvalid)
	}
	return binary.Append(append(dst, c.code), binary.LittleEndian, x)
}

// placeholder is what a null leaves in the data of a nullable column: zeros.
func (c *vectorCodec[E]) placeholder() []byte {
	return append([]byte{c.code}, make([]byte, c.size-1)...)
}

func (c *vectorCodec[E]) Decode(b []byte) ([]E, error) {
	if len(b) == 0 || b[0] != c.code {
		return nil, wrongElement(b, c.code, c.typ)
	}
	return decodeNumbers[E](b[1:], c.n)
}

func wrongElement(b []byte, code byte, typ string) error {
	return fmt.Errorf("%w: an element of %s begins with % x, not %02x", kvault.ErrCorrupt, typ, b[:min(1, len(b))], code)
}

// decodeNumbers decodes n numbers, which b must be.
func decodeNumbers[E Number](b []byte, n int) ([]E, error) {
	var one E
	if size := binary.Size(one); len(b)/size != n || len(b)%size != 0 {
		return nil, fmt.Errorf("%w: %d bytes for %d numbers of %d bytes", kvault.ErrCorrupt, len(b), n, size)
	}
	xs := make([]E, n)
	if _, err := binary.Decode(b, binary.LittleEndian, xs); err != nil {
		return nil, fmt.Errorf("%w: %w", kvault.ErrCorrupt, err)
	}
	return xs, nil
}

// Tensor is an array of numbers of any shape.
type Tensor[E Number] struct {
	// Shape are the lengths of its dimensions. Nil is one dimension, as long as Data; empty but not
	// nil is none, a single number. Of what is read it is never nil.
	Shape []int
	// Data are the numbers, those of the last dimension side by side.
	Data []E
}

// Tensors keeps arrays of numbers, each with a shape of its own: type vec:f32. One whose shape does
// not fit its data, or has more than 255 dimensions, is ErrInvalid.
func Tensors[E Number]() Codec[Tensor[E]] {
	name, code, _ := elementOf[E]()
	return &tensorCodec[E]{"vec:" + name, code}
}

type tensorCodec[E Number] struct {
	typ  string
	code byte
}

func (c *tensorCodec[E]) Type() string { return c.typ }
func (c *tensorCodec[E]) Size() int    { return 0 }

func (c *tensorCodec[E]) Append(dst []byte, x Tensor[E]) ([]byte, error) {
	shape := x.Shape
	if shape == nil {
		shape = []int{len(x.Data)}
	}
	const most = 1<<8 - 1
	if n, ok := product(shape); !ok || n != len(x.Data) || len(shape) > most {
		return nil, fmt.Errorf("%d numbers in the shape %d: they do not fit, or are more than %d dimensions: %w", len(x.Data), shape, most,
			kvault.ErrInvalid)
	}
	dst = append(dst, c.code, byte(len(shape)))
	for _, d := range shape {
		if uint64(d) > 1<<32-1 {
			return nil, fmt.Errorf("a dimension of %d: %w", d, kvault.ErrTooLarge)
		}
		dst = binary.LittleEndian.AppendUint32(dst, uint32(d))
	}
	return binary.Append(dst, binary.LittleEndian, x.Data)
}

// placeholder is what a null leaves in the data of a nullable column: an array of one dimension
// that holds nothing.
func (c *tensorCodec[E]) placeholder() []byte { return []byte{c.code, 1, 0, 0, 0, 0} }

func (c *tensorCodec[E]) Decode(b []byte) (Tensor[E], error) {
	none := Tensor[E]{}
	if len(b) == 0 || b[0] != c.code {
		return none, wrongElement(b, c.code, c.typ)
	}
	if len(b) < 2 || len(b) < 2+4*int(b[1]) {
		return none, fmt.Errorf("%w: an element of %s ends within its shape", kvault.ErrCorrupt, c.typ)
	}
	shape := make([]int, b[1])
	for i := range shape {
		d := binary.LittleEndian.Uint32(b[2+4*i:])
		if uint64(d) > math.MaxInt {
			return none, fmt.Errorf("%w: an element of %s has a dimension of %d; if that is right, it is %w for this system",
				kvault.ErrCorrupt, c.typ, d, kvault.ErrTooLarge)
		}
		shape[i] = int(d)
	}
	n, ok := product(shape)
	if !ok {
		return none, fmt.Errorf("%w: an element of %s has the shape %d", kvault.ErrCorrupt, c.typ, shape)
	}
	data, err := decodeNumbers[E](b[2+4*len(shape):], n)
	return Tensor[E]{shape, data}, err
}
