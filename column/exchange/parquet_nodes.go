package exchange

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/parquet-go/parquet-go"
)

// tableNode is a group of fields that keep their order.
type tableNode struct {
	parquet.Group
	fields []parquet.Field
}

func (t tableNode) Fields() []parquet.Field { return t.fields }

// parquetNode is the type in Parquet for a type in Arrow, and how a value is made of an element.
func parquetNode(t arrow.DataType) (parquet.Node, func(a arrow.Array, i int) parquet.Value, error) {
	switch t := t.(type) {
	case *arrow.FixedSizeListType:
		n, leaf, err := parquetNode(t.Elem())
		if err != nil {
			return nil, nil, err
		}
		return parquet.List(n), leaf, nil
	case *arrow.FixedSizeBinaryType:
		return parquet.Leaf(parquet.FixedLenByteArrayType(t.ByteWidth)),
			func(a arrow.Array, i int) parquet.Value {
				return parquet.FixedLenByteArrayValue(a.(*array.FixedSizeBinary).Value(i))
			}, nil
	case *arrow.TimestampType:
		units := map[arrow.TimeUnit]parquet.TimeUnit{arrow.Millisecond: parquet.Millisecond, arrow.Microsecond: parquet.Microsecond, arrow.Nanosecond: parquet.Nanosecond}
		unit, factor := units[t.Unit], int64(1)
		if unit == nil { // Parquet has no seconds
			unit, factor = parquet.Millisecond, 1000
		}
		return parquet.TimestampAdjusted(unit, t.TimeZone != ""),
			func(a arrow.Array, i int) parquet.Value {
				return parquet.Int64Value(int64(a.(*array.Timestamp).Value(i)) * factor)
			}, nil
	}
	if n, ok := simpleNodes[t.ID()]; ok {
		return n.node, n.leaf, nil
	}
	return nil, nil, unsupported("", t.String())
}

type simpleNode struct {
	node parquet.Node
	leaf func(a arrow.Array, i int) parquet.Value
}

var simpleNodes = map[arrow.Type]simpleNode{
	arrow.INT8:    simple(parquet.Int(8), func(x int8) parquet.Value { return parquet.Int32Value(int32(x)) }),
	arrow.INT16:   simple(parquet.Int(16), func(x int16) parquet.Value { return parquet.Int32Value(int32(x)) }),
	arrow.INT32:   simple(parquet.Int(32), parquet.Int32Value),
	arrow.INT64:   simple(parquet.Leaf(parquet.Int64Type), parquet.Int64Value),
	arrow.UINT8:   simple(parquet.Uint(8), func(x uint8) parquet.Value { return parquet.Int32Value(int32(x)) }),
	arrow.UINT16:  simple(parquet.Uint(16), func(x uint16) parquet.Value { return parquet.Int32Value(int32(x)) }),
	arrow.UINT32:  simple(parquet.Uint(32), func(x uint32) parquet.Value { return parquet.Int32Value(int32(x)) }),
	arrow.UINT64:  simple(parquet.Uint(64), func(x uint64) parquet.Value { return parquet.Int64Value(int64(x)) }),
	arrow.FLOAT32: simple(parquet.Leaf(parquet.FloatType), parquet.FloatValue),
	arrow.FLOAT64: simple(parquet.Leaf(parquet.DoubleType), parquet.DoubleValue),
	arrow.BOOL:    simple(parquet.Leaf(parquet.BooleanType), parquet.BooleanValue),
	arrow.DATE32:  simple(parquet.Date(), func(x arrow.Date32) parquet.Value { return parquet.Int32Value(int32(x)) }),
	arrow.STRING:  simple(parquet.String(), func(x string) parquet.Value { return parquet.ByteArrayValue([]byte(x)) }),
	arrow.BINARY:  simple(parquet.Leaf(parquet.ByteArrayType), parquet.ByteArrayValue),
}

func simple[T any](n parquet.Node, convert func(T) parquet.Value) simpleNode {
	return simpleNode{n, func(a arrow.Array, i int) parquet.Value { return convert(a.(interface{ Value(int) T }).Value(i)) }}
}
