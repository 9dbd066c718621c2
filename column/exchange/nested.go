package exchange

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/internal/jsonform"
)

// appendNested appends an array of numbers in JSON: lists in one another, as many as it has
// dimensions. Numbers that JSON cannot write are strings, as in columns of numbers.
func appendNested[E column.Number](dst []byte, shape []int, data []E) []byte {
	if len(shape) == 0 {
		return appendNumber(dst, data[0])
	}
	dst = append(dst, '[')
	for i := range shape[0] {
		if i > 0 {
			dst = append(dst, ',')
		}
		width := len(data) / shape[0]
		dst = appendNested(dst, shape[1:], data[i*width:(i+1)*width])
	}
	return append(dst, ']')
}

func appendNumber[E column.Number](dst []byte, x E) []byte {
	switch x := any(x).(type) {
	case float32:
		return appendFloat(dst, float64(x), 32)
	case float64:
		return appendFloat(dst, x, 64)
	case uint64:
		return strconv.AppendUint(dst, x, 10)
	}
	return strconv.AppendInt(dst, int64(x), 10)
}

func appendFloat(dst []byte, x float64, bits int) []byte {
	if !finite(x) {
		return jsonString(dst, strconv.FormatFloat(x, 'g', -1, bits))
	}
	return jsonform.AppendFloat(dst, x, bits)
}

// parseNumber takes only what E holds.
func parseNumber[E column.Number](text string) (x E, err error) {
	bits := 8 * binary.Size(x)
	switch any(x).(type) {
	case float32, float64:
		var f float64
		f, err = strconv.ParseFloat(text, bits)
		x = E(f)
	case uint8, uint16, uint32, uint64:
		var u uint64
		u, err = strconv.ParseUint(text, 10, bits)
		x = E(u)
	default:
		var i int64
		i, err = strconv.ParseInt(text, 10, bits)
		x = E(i)
	}
	if err != nil {
		return x, malformed(text, fmt.Sprintf("a number of type %T", x))
	}
	return x, nil
}

// nested is an array of numbers that is being read.
type nested[E column.Number] struct {
	shape []int
	data  []E
}

// enter begins a list of n in the dimension at depth. All lists of one dimension are equally long.
func (x *nested[E]) enter(depth, n int) error {
	if depth == len(x.shape) && len(x.data) == 0 {
		x.shape = append(x.shape, n)
	}
	if depth >= len(x.shape) || x.shape[depth] != n {
		return fmt.Errorf("lists of different lengths: %w", kvault.ErrInvalid)
	}
	return nil
}

// number adds a number, which lies within as many lists as all others.
func (x *nested[E]) number(depth int, n E) error {
	if depth != len(x.shape) {
		return fmt.Errorf("numbers beside lists: %w", kvault.ErrInvalid)
	}
	x.data = append(x.data, n)
	return nil
}

// fromJSON reads an array as jsonform.Reader gives it.
func (x *nested[E]) fromJSON(v any, depth int) error {
	list, ok := v.([]any)
	if !ok {
		text, err := number(v)
		if err != nil {
			return err
		}
		n, err := parseNumber[E](text)
		if err != nil {
			return err
		}
		return x.number(depth, n)
	}
	if err := x.enter(depth, len(list)); err != nil {
		return err
	}
	for _, v := range list {
		if err := x.fromJSON(v, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// fromArrow reads element i of an array of lists, or of numbers.
func (x *nested[E]) fromArrow(a arrow.Array, i, depth int) error {
	a, i = plainArray(a, i)
	if a.IsNull(i) {
		return wrongType(nil, "a number")
	}
	lists, ok := a.(array.ListLike)
	if !ok {
		n, err := numberOf[E](a, i)
		if err != nil {
			return err
		}
		return x.number(depth, n)
	}
	start, end := lists.ValueOffsets(i)
	if err := x.enter(depth, int(end-start)); err != nil {
		return err
	}
	for j := start; j < end; j++ {
		if err := x.fromArrow(lists.ListValues(), int(j), depth+1); err != nil {
			return err
		}
	}
	return nil
}

// numberOf returns element i of an array of numbers, if E holds it.
func numberOf[E column.Number](a arrow.Array, i int) (x E, err error) {
	if same, ok := a.(interface{ Value(int) E }); ok {
		return same.Value(i), nil
	}
	switch any(x).(type) {
	case float32:
		return 0, wrongArrow(a, "f32")
	case float64:
		f, err := floatForm.fromArrow(a, i)
		return E(f), err
	}
	n, err := intOf(a, i)
	if err != nil {
		return 0, err
	}
	return parseNumber[E](strconv.FormatInt(n, 10))
}

// dimsOf are the dimensions in the name of a type of vectors, or nil.
func dimsOf(typ string) (dims []int) {
	parts := strings.Split(typ, ":")
	if parts[0] != "vec" {
		return nil
	}
	for _, part := range parts[2:] {
		n, _ := strconv.Atoi(part) // a codec has made the name
		dims = append(dims, n)
	}
	return dims
}

// fits says whether an array that was read is one of those dimensions, or all of its numbers in one
// list.
func fits(shape, dims []int) bool {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return slices.Equal(shape, dims) || len(shape) == 1 && shape[0] == n
}
