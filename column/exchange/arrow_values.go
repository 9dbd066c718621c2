package exchange

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/decimal256"

	"github.com/kohakuvault/kvault"
)

// plainArray returns where element i of an array lies that stores equal elements only once, or is
// of a type that someone else has defined.
func plainArray(a arrow.Array, i int) (arrow.Array, int) {
	for a.IsValid(i) {
		switch x := a.(type) {
		case *array.Dictionary:
			a, i = x.Dictionary(), x.GetValueIndex(i)
		case *array.RunEndEncoded:
			a, i = x.Values(), x.GetPhysicalIndex(i)
		case array.ExtensionArray:
			a = x.Storage()
		default:
			return a, i
		}
	}
	return a, i
}

// isNull says whether element i of an array is a null. The library says so neither of an array of
// nulls, which has no bits for it, nor of one that stores equal elements once, if the null is among
// these.
func isNull(a arrow.Array, i int) bool {
	a, i = plainArray(a, i)
	return a.IsNull(i) || a.DataType().ID() == arrow.NULL
}

// textOf returns element i of an array of texts, in the memory of the array.
func textOf(a arrow.Array, i int) (string, bool) {
	switch a := a.(type) {
	case *array.String:
		return a.Value(i), true
	case *array.LargeString:
		return a.Value(i), true
	case *array.StringView:
		return a.Value(i), true
	}
	return "", false
}

// rawBytes returns element i of an array of bytes, in the memory of the array.
func rawBytes(a arrow.Array, i int) ([]byte, bool) {
	switch a := a.(type) {
	case *array.Binary:
		return a.Value(i), true
	case *array.LargeBinary:
		return a.Value(i), true
	case *array.BinaryView:
		return a.Value(i), true
	case *array.FixedSizeBinary:
		return a.Value(i), true
	}
	return nil, false
}

// countOf returns element i of an array whose elements are counts of a unit: of days, seconds or
// less. A decimal number counts as one if it has no fraction by its type.
func countOf(a arrow.Array, i int) (int64, error) {
	switch a := a.(type) {
	case *array.Date32:
		return int64(a.Value(i)), nil
	case *array.Date64:
		return int64(a.Value(i)), nil
	case *array.Timestamp:
		return int64(a.Value(i)), nil
	case *array.Time32:
		return int64(a.Value(i)), nil
	case *array.Time64:
		return int64(a.Value(i)), nil
	case *array.Duration:
		return int64(a.Value(i)), nil
	}
	if t, ok := a.DataType().(arrow.DecimalType); ok {
		text, ok := decimalOf(a, i)
		if ok && t.GetScale() == 0 {
			return parseInt(text)
		}
	}
	return 0, wrongArrow(a, "i64")
}

// decimalOf returns element i of an array of decimal numbers, exactly.
func decimalOf(a arrow.Array, i int) (string, bool) {
	switch a := a.(type) {
	case *array.Decimal128:
		return decimal128.Num(a.Value(i)).ToString(a.DataType().(arrow.DecimalType).GetScale()), true
	case *array.Decimal256:
		return decimal256.Num(a.Value(i)).ToString(a.DataType().(arrow.DecimalType).GetScale()), true
	case *array.Decimal32, *array.Decimal64:
		return a.ValueStr(i), true
	}
	return "", false
}

// anyOf makes a value as column.MessagePack has it of element i of an array of any type. Decimal
// numbers, dates and times are texts there.
func anyOf(a arrow.Array, i int) (any, error) {
	if isNull(a, i) {
		return nil, nil
	}
	a, i = plainArray(a, i)
	if text, ok := textOf(a, i); ok {
		return parseText(text, strings.Clone)
	}
	if x, ok := rawBytes(a, i); ok {
		return append([]byte{}, x...), nil
	}
	if text, ok := decimalOf(a, i); ok {
		return text, nil
	}
	switch a := a.(type) {
	case *array.Boolean:
		return a.Value(i), nil
	case *array.Uint64:
		return a.Value(i), nil
	case *array.Float16, *array.Float32, *array.Float64:
		return floatForm.fromArrow(a, i)
	case *array.Date32:
		return a.Value(i).ToTime().Format(time.DateOnly), nil
	case *array.Date64:
		return a.Value(i).ToTime().Format(time.DateOnly), nil
	case *array.Time32:
		return a.Value(i).ToTime(a.DataType().(*arrow.Time32Type).Unit).Format(clock), nil
	case *array.Time64:
		return a.Value(i).ToTime(a.DataType().(*arrow.Time64Type).Unit).Format(clock), nil
	case *array.Timestamp:
		return momentOf(a, i), nil
	case *array.Struct:
		return structOf(a, i)
	case *array.Map:
		return mapOf(a, i)
	case array.ListLike:
		return listOf(a, i)
	}
	x, err := intOf(a, i)
	if err != nil {
		return nil, wrongArrow(a, "msgpack or cbor")
	}
	return x, nil
}

const clock = "15:04:05.999999999"

func momentOf(a *array.Timestamp, i int) string {
	t := a.DataType().(*arrow.TimestampType)
	text := a.Value(i).ToTime(t.Unit).Format("2006-01-02T" + clock)
	if t.TimeZone != "" {
		text += "Z"
	}
	return text
}

func structOf(a *array.Struct, i int) (any, error) {
	t := a.DataType().(*arrow.StructType)
	m := make(map[string]any, t.NumFields())
	for j, f := range t.Fields() {
		if _, twice := m[f.Name]; twice {
			return nil, fmt.Errorf("two fields of a struct are called %q: %w", f.Name, kvault.ErrInvalid)
		}
		x, err := anyOf(a.Field(j), i)
		if err != nil {
			return nil, fmt.Errorf("field %q: %w", f.Name, err)
		}
		m[f.Name] = x
	}
	return m, nil
}

// mapOf makes texts of keys that are integers.
func mapOf(a *array.Map, i int) (any, error) {
	start, end := a.ValueOffsets(i)
	m := make(map[string]any, end-start)
	for j := int(start); j < int(end); j++ {
		key, err := anyOf(a.Keys(), j)
		if err != nil {
			return nil, err
		}
		var name string
		switch key := key.(type) {
		case string:
			name = key
		case int64:
			name = strconv.FormatInt(key, 10)
		case uint64:
			name = strconv.FormatUint(key, 10)
		default:
			return nil, fmt.Errorf("a map has keys of type %s, where texts and integers are possible: %w", a.Keys().DataType(), kvault.ErrUnsupported)
		}
		if _, twice := m[name]; twice {
			return nil, fmt.Errorf("a map has the key %q twice: %w", name, kvault.ErrInvalid)
		}
		if m[name], err = anyOf(a.Items(), j); err != nil {
			return nil, fmt.Errorf("key %q: %w", name, err)
		}
	}
	return m, nil
}

func listOf(a array.ListLike, i int) (any, error) {
	start, end := a.ValueOffsets(i)
	list := make([]any, 0, end-start)
	for j := start; j < end; j++ {
		x, err := anyOf(a.ListValues(), int(j))
		if err != nil {
			return nil, err
		}
		list = append(list, x)
	}
	return list, nil
}

// keptAs is the type of a column that keeps values of a type in Arrow which no type of columns
// stands for, or empty.
func keptAs(t arrow.DataType) string {
	switch t := t.(type) {
	case *arrow.DictionaryType:
		return keptAs(t.ValueType)
	case *arrow.RunEndEncodedType:
		return keptAs(t.Encoded())
	case arrow.ExtensionType:
		return keptAs(t.StorageType())
	case arrow.DecimalType:
		return "str"
	case *arrow.NullType:
		return "str" // as for a column of text that is empty
	case *arrow.Time32Type, *arrow.Time64Type, *arrow.DurationType:
		return "i64"
	case arrow.NestedType:
		return anyForm
	}
	return ""
}

// wayOut says what to do about values of a type in Arrow that no type of columns stands for.
func wayOut(typ string) string {
	name, _, _ := strings.Cut(typ, "[")
	name, _, _ = strings.Cut(name, "(")
	switch name {
	case "null":
		return "give it a nullable type, such as str:null, or name the columns to read"
	case "date32", "date64", "timestamp", "time32", "time64", "duration":
		return "give it the type i64 for their count of units, msgpack for texts, or name the columns to read"
	case "decimal", "decimal32", "decimal64", "decimal128", "decimal256":
		return "give it the type str to keep them exactly, f64 to round them, i64 if they have no fraction, or name the columns to read"
	case "bool", "struct<", "map<", "list<", "large_list<", "struct", "map", "list":
		return "give it the type msgpack, which takes values of any form, or name the columns to read"
	}
	return "give it the type msgpack if that takes them, or name the columns to read"
}
