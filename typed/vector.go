package typed

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
)

// Vector is an array of numbers of any shape, as numpy has them.
type Vector struct {
	// Shape is the length of each dimension. A single number has none.
	Shape []int
	// Data holds the numbers in row-major order: []float32, []float64, []int32, []int64, []uint8,
	// []uint16, []uint32, []uint64, []int8 or []int16.
	Data any
}

// elements are the types of numbers, by the byte that names them.
var elements = [...]struct {
	name string
	of   reflect.Type
}{
	1: {"f32", reflect.TypeFor[float32]()}, 2: {"f64", reflect.TypeFor[float64]()},
	3: {"i32", reflect.TypeFor[int32]()}, 4: {"i64", reflect.TypeFor[int64]()},
	5: {"u8", reflect.TypeFor[uint8]()}, 6: {"u16", reflect.TypeFor[uint16]()},
	7: {"u32", reflect.TypeFor[uint32]()}, 8: {"u64", reflect.TypeFor[uint64]()},
	9: {"i8", reflect.TypeFor[int8]()}, 10: {"i16", reflect.TypeFor[int16]()},
}

// ElementType is the name of the type of the numbers: f32, f64, i8 to i64, u8 to u64; empty if Data
// is none of those that can be stored.
func (v Vector) ElementType() string {
	if i := v.element(); i > 0 {
		return elements[i].name
	}
	return ""
}

func (v Vector) element() int {
	t := reflect.TypeOf(v.Data)
	for i := 1; i < len(elements); i++ {
		if t != nil && t.Kind() == reflect.Slice && t.Elem() == elements[i].of {
			return i
		}
	}
	return 0
}

// newNumbers makes a slice for Vector.Data.
func newNumbers(element, n int) any {
	return reflect.MakeSlice(reflect.SliceOf(elements[element].of), n, n).Interface()
}

// maxDimensions fit in the byte that counts them, maxLength in the four bytes of each.
const (
	maxDimensions       = math.MaxUint8
	maxLength     int64 = math.MaxUint32
)

// parseVector reads type, number of dimensions, dimensions and numbers, which must be all there is.
func parseVector(b []byte) (Vector, error) {
	if len(b) < 2 || int(b[0]) >= len(elements) || b[0] == 0 {
		return Vector{}, fmt.Errorf("%d bytes that are neither a number nor an array", len(b))
	}
	element, dims, rest := int(b[0]), int(b[1]), b[2:]
	if len(rest) < 4*dims {
		return Vector{}, fmt.Errorf("array of %d dimensions ends after %d bytes", dims, len(b))
	}
	shape := make([]int, dims)
	for i := range shape {
		d := binary.LittleEndian.Uint32(rest[4*i:])
		if uint64(d) > math.MaxInt {
			return Vector{}, fmt.Errorf("array with a dimension of %d, at most %d is possible on this system", d, math.MaxInt)
		}
		shape[i] = int(d)
	}
	rest = rest[4*dims:]
	size := int(elements[element].of.Size())
	n, err := count(shape, len(rest)/size)
	if err != nil {
		return Vector{}, err
	}
	if n*size != len(rest) {
		return Vector{}, fmt.Errorf("array of shape %v and type %s has %d bytes, not %d", shape, elements[element].name, len(rest), n*size)
	}
	data := newNumbers(element, n)
	if _, err := binary.Decode(rest, binary.LittleEndian, data); err != nil {
		return Vector{}, err
	}
	return Vector{Shape: shape, Data: data}, nil
}

// count multiplies the dimensions, as long as the product stays within most.
func count(shape []int, most int) (int, error) {
	for _, d := range shape {
		if d == 0 {
			return 0, nil
		}
	}
	n := 1
	for _, d := range shape {
		if d > most/n {
			return 0, fmt.Errorf("array of shape %v has more than the %d numbers that are there", shape, most)
		}
		n *= d
	}
	return n, nil
}

// encodeVector is the reverse of parseVector.
func encodeVector(v Vector) ([]byte, error) {
	element := v.element()
	if element == 0 {
		return nil, fmt.Errorf("array of %T: want a slice of float32, float64, int8 to int64 or uint8 to uint64", v.Data)
	}
	if len(v.Shape) > maxDimensions {
		return nil, fmt.Errorf("array of %d dimensions, at most %d are possible", len(v.Shape), maxDimensions)
	}
	b := bytes.NewBuffer([]byte{byte(element), byte(len(v.Shape))})
	for _, d := range v.Shape {
		if d < 0 || int64(d) > maxLength {
			return nil, fmt.Errorf("shape %v: a dimension is from 0 to %d", v.Shape, maxLength)
		}
		b.Write(binary.LittleEndian.AppendUint32(nil, uint32(d)))
	}
	have := reflect.ValueOf(v.Data).Len()
	if n, err := count(v.Shape, have); err != nil {
		return nil, err
	} else if n != have {
		return nil, fmt.Errorf("shape %v is of %d numbers, there are %d", v.Shape, n, have)
	}
	b.Grow(binary.Size(v.Data))
	err := binary.Write(b, binary.LittleEndian, v.Data)
	return b.Bytes(), err
}
