package exchange

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

// vectorForm is the form of vectors of one shape: lists in JSON, and lists of one length in Arrow.
func vectorForm[E column.Number](typ string) *form[[]E] {
	dims := dimsOf(typ)
	checked := func(x nested[E], err error) ([]E, error) {
		if err == nil && !fits(x.shape, dims) {
			err = fmt.Errorf("an array of dimensions %d, the column holds %d: %w", x.shape, dims, kvault.ErrInvalid)
		}
		return x.data, err
	}
	f := &form[[]E]{
		json:      func(dst []byte, x []E) []byte { return appendNested(dst, dims, x) },
		quoted:    true,
		arrow:     listType[E](dims),
		build:     func(b array.Builder, xs [][]E) { buildLists(b, dims, xs) },
		fromJSON:  func(v any) ([]E, error) { return checked(nestedJSON[E](v)) },
		fromArrow: func(a arrow.Array, i int) ([]E, error) { return checked(nestedArrow[E](a, i)) },
		size:      func(x []E) int { return len(x) * binary.Size(*new(E)) },
	}
	f.text = f.json
	f.parse = parsing(f.fromJSON)
	return f
}

// tensorForm is the form of arrays of any shape: lists in JSON, and JSON in Arrow, since its lists
// do not keep shapes that have no numbers.
func tensorForm[E column.Number](string) *form[column.Tensor[E]] {
	made := func(x nested[E], err error) (column.Tensor[E], error) {
		if x.shape == nil {
			x.shape = []int{}
		}
		return column.Tensor[E]{Shape: x.shape, Data: x.data}, err
	}
	f := &form[column.Tensor[E]]{
		json:     func(dst []byte, x column.Tensor[E]) []byte { return appendNested(dst, x.Shape, x.Data) },
		quoted:   true,
		refuse:   func(x column.Tensor[E]) error { return refuseShape(x.Shape) },
		arrow:    arrow.BinaryTypes.String,
		fromJSON: func(v any) (column.Tensor[E], error) { return made(nestedJSON[E](v)) },
		size:     func(x column.Tensor[E]) int { return len(x.Data)*binary.Size(*new(E)) + 4*len(x.Shape) },
	}
	f.text = f.json
	f.build = buildJSON(f.json)
	f.parse = parsing(f.fromJSON)
	f.fromArrow = func(a arrow.Array, i int) (column.Tensor[E], error) {
		if text, ok := textOf(a, i); ok {
			return f.parse(text)
		}
		return made(nestedArrow[E](a, i))
	}
	return f
}

// refuseShape refuses an array without numbers that is a great many empty lists: its shape takes a
// few bytes, the lists any number.
func refuseShape(shape []int) error {
	const most = 1 << 20
	lists := 1
	for at, d := range shape {
		if d > most/lists {
			if slices.Contains(shape[at:], 0) {
				return fmt.Errorf("an array of the shape %d is more than %d empty lists: %w", shape, most, kvault.ErrTooLarge)
			}
			return nil
		}
		if lists *= d; lists == 0 {
			return nil
		}
	}
	return nil
}

func nestedJSON[E column.Number](v any) (x nested[E], err error) {
	err = x.fromJSON(v, 0)
	return x, err
}

func nestedArrow[E column.Number](a arrow.Array, i int) (x nested[E], err error) {
	err = x.fromArrow(a, i, 0)
	return x, err
}

// parsing makes a function that takes JSON in a text of one that takes what jsonform.Reader makes
// of it.
func parsing[T any](fromJSON func(any) (T, error)) func(string) (T, error) {
	return func(text string) (x T, err error) {
		v, err := parseJSON(text)
		if err != nil {
			return x, err
		}
		return fromJSON(v)
	}
}

func buildJSON[T any](json func([]byte, T) []byte) func(array.Builder, []T) {
	return func(b array.Builder, xs []T) {
		for _, x := range xs {
			b.(*array.StringBuilder).Append(string(json(nil, x)))
		}
	}
}

// listType is that of lists of one length in one another.
func listType[E column.Number](dims []int) arrow.DataType {
	if len(dims) == 0 {
		return numberTypes[fmt.Sprintf("%T", *new(E))]
	}
	return arrow.FixedSizeListOfNonNullable(int32(dims[0]), listType[E](dims[1:]))
}

var numberTypes = map[string]arrow.DataType{
	"float32": arrow.PrimitiveTypes.Float32, "float64": arrow.PrimitiveTypes.Float64, "int8": arrow.PrimitiveTypes.Int8,
	"int16": arrow.PrimitiveTypes.Int16, "int32": arrow.PrimitiveTypes.Int32, "int64": arrow.PrimitiveTypes.Int64,
	"uint8": arrow.PrimitiveTypes.Uint8, "uint16": arrow.PrimitiveTypes.Uint16, "uint32": arrow.PrimitiveTypes.Uint32,
	"uint64": arrow.PrimitiveTypes.Uint64,
}

func buildLists[E column.Number](b array.Builder, dims []int, xs [][]E) {
	for _, x := range xs {
		buildList(b, dims, x)
	}
}

func buildList[E column.Number](b array.Builder, dims []int, x []E) {
	if len(dims) == 0 {
		buildNumbers(b, x)
		return
	}
	lists := b.(*array.FixedSizeListBuilder)
	lists.Append(true)
	if len(dims) == 1 {
		buildNumbers(lists.ValueBuilder(), x)
		return
	}
	width := len(x) / dims[0]
	for i := range dims[0] {
		buildList(lists.ValueBuilder(), dims[1:], x[i*width:(i+1)*width])
	}
}

// buildNumbers appends numbers to a builder of their type.
func buildNumbers[E column.Number](b array.Builder, xs []E) {
	b.(interface{ AppendValues([]E, []bool) }).AppendValues(xs, nil)
}
