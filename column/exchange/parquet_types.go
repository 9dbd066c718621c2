package exchange

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/decimal256"
	"github.com/apache/arrow-go/v18/arrow/float16"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"github.com/kohakuvault/kvault"
)

// leafType says how values become elements of an array in Arrow.
type leafType struct {
	typ         arrow.DataType
	unsupported string // the type, if there is no other
	add         func(b array.Builder, v parquet.Value) error
}

func cannot(what string) leafType { return leafType{typ: arrow.Null, unsupported: what} }

// typed is the type of values that need no check.
func typed[T any](t arrow.DataType, convert func(parquet.Value) T) leafType {
	return leafType{t, "", func(b array.Builder, v parquet.Value) error {
		b.(interface{ Append(T) }).Append(convert(v))
		return nil
	}}
}

// leafTypeOf prefers what the schema says of the meaning of values, and falls back on how they are stored.
func leafTypeOf(e *format.SchemaElement) leafType {
	t := meaning(e)
	if d, ok := t.(*format.DecimalType); ok {
		return decimalType(d, parquet.Kind(e.Type.V))
	}
	if _, ok := t.(*format.NullType); ok {
		return leafType{arrow.Null, "", func(array.Builder, parquet.Value) error { return errors.New("a value where all are null") }}
	}
	switch parquet.Kind(e.Type.V) {
	case parquet.Boolean:
		return typed(arrow.FixedWidthTypes.Boolean, parquet.Value.Boolean)
	case parquet.Int32:
		return int32Type(t)
	case parquet.Int64:
		return int64Type(t)
	case parquet.Int96:
		return leafType{&arrow.TimestampType{Unit: arrow.Nanosecond}, "", addInt96}
	case parquet.Float:
		return typed(arrow.PrimitiveTypes.Float32, parquet.Value.Float)
	case parquet.Double:
		return typed(arrow.PrimitiveTypes.Float64, parquet.Value.Double)
	case parquet.ByteArray:
		switch t.(type) {
		case *format.StringType, *format.EnumType, *format.JsonType:
			return leafType{arrow.BinaryTypes.String, "", func(b array.Builder, v parquet.Value) error {
				b.(*array.StringBuilder).BinaryBuilder.Append(v.ByteArray())
				return nil
			}}
		}
		return typed(arrow.BinaryTypes.Binary, parquet.Value.ByteArray)
	case parquet.FixedLenByteArray:
		return fixedType(t, e)
	}
	return cannot(fmt.Sprintf("physical type %d", e.Type.V))
}

// meaning is the logical type of an element, also of one that says it in the older way.
func meaning(e *format.SchemaElement) format.LogicalTypeValue {
	if t := e.LogicalType.Value; t != nil || !e.ConvertedType.Valid {
		return t
	}
	millis, micros := format.TimeUnit{Value: &format.MilliSeconds{}}, format.TimeUnit{Value: &format.MicroSeconds{}}
	switch c := e.ConvertedType.V; c {
	case deprecated.UTF8, deprecated.Enum, deprecated.Json:
		return &format.StringType{}
	case deprecated.Decimal:
		return &format.DecimalType{Scale: e.Scale.V, Precision: e.Precision.V}
	case deprecated.Date:
		return &format.DateType{}
	case deprecated.TimeMillis:
		return &format.TimeType{Unit: millis}
	case deprecated.TimeMicros:
		return &format.TimeType{Unit: micros}
	case deprecated.TimestampMillis:
		return &format.TimestampType{IsAdjustedToUTC: true, Unit: millis}
	case deprecated.TimestampMicros:
		return &format.TimestampType{IsAdjustedToUTC: true, Unit: micros}
	case deprecated.Uint8, deprecated.Uint16, deprecated.Uint32, deprecated.Uint64:
		return &format.IntType{BitWidth: 8 << (c - deprecated.Uint8)}
	case deprecated.Int8, deprecated.Int16, deprecated.Int32, deprecated.Int64:
		return &format.IntType{BitWidth: 8 << (c - deprecated.Int8), IsSigned: true}
	}
	return nil
}

func unitOf(u format.TimeUnit) arrow.TimeUnit {
	switch u.Value.(type) {
	case *format.MilliSeconds:
		return arrow.Millisecond
	case *format.MicroSeconds:
		return arrow.Microsecond
	}
	return arrow.Nanosecond
}

func int32Type(t format.LogicalTypeValue) leafType {
	switch t := t.(type) {
	case *format.DateType:
		return typed(arrow.FixedWidthTypes.Date32, func(v parquet.Value) arrow.Date32 { return arrow.Date32(v.Int32()) })
	case *format.TimeType:
		return typed(arrow.FixedWidthTypes.Time32ms, func(v parquet.Value) arrow.Time32 { return arrow.Time32(v.Int32()) })
	case *format.IntType:
		switch {
		case t.BitWidth == 8 && t.IsSigned:
			return typed(arrow.PrimitiveTypes.Int8, func(v parquet.Value) int8 { return int8(v.Int32()) })
		case t.BitWidth == 16 && t.IsSigned:
			return typed(arrow.PrimitiveTypes.Int16, func(v parquet.Value) int16 { return int16(v.Int32()) })
		case t.BitWidth == 8:
			return typed(arrow.PrimitiveTypes.Uint8, func(v parquet.Value) uint8 { return uint8(v.Uint32()) })
		case t.BitWidth == 16:
			return typed(arrow.PrimitiveTypes.Uint16, func(v parquet.Value) uint16 { return uint16(v.Uint32()) })
		case !t.IsSigned:
			return typed(arrow.PrimitiveTypes.Uint32, parquet.Value.Uint32)
		}
	}
	return typed(arrow.PrimitiveTypes.Int32, parquet.Value.Int32)
}

func int64Type(t format.LogicalTypeValue) leafType {
	switch t := t.(type) {
	case *format.TimestampType:
		typ := &arrow.TimestampType{Unit: unitOf(t.Unit)}
		if t.IsAdjustedToUTC {
			typ.TimeZone = "UTC"
		}
		return typed(typ, func(v parquet.Value) arrow.Timestamp { return arrow.Timestamp(v.Int64()) })
	case *format.TimeType:
		return typed(&arrow.Time64Type{Unit: unitOf(t.Unit)}, func(v parquet.Value) arrow.Time64 { return arrow.Time64(v.Int64()) })
	case *format.IntType:
		if !t.IsSigned {
			return typed(arrow.PrimitiveTypes.Uint64, parquet.Value.Uint64)
		}
	}
	return typed(arrow.PrimitiveTypes.Int64, parquet.Value.Int64)
}

const longestFixed = 1 << 28

func fixedType(t format.LogicalTypeValue, e *format.SchemaElement) leafType {
	length := int(e.TypeLength.V)
	_, half := t.(*format.Float16Type)
	switch {
	case e.ConvertedType.Valid && e.ConvertedType.V == deprecated.Interval:
		return cannot("interval")
	case half && length == 2:
		return typed(arrow.FixedWidthTypes.Float16, func(v parquet.Value) float16.Num {
			b := v.ByteArray()
			return float16.FromBits(uint16(b[0]) | uint16(b[1])<<8)
		})
	case length <= 0 || length > longestFixed:
		return cannot(fmt.Sprintf("fixed_size_binary[%d]", length))
	}
	return leafType{&arrow.FixedSizeBinaryType{ByteWidth: length}, "", func(b array.Builder, v parquet.Value) error {
		x := v.ByteArray()
		if len(x) != length {
			return fmt.Errorf("%d bytes where all are %d", len(x), length)
		}
		b.(*array.FixedSizeBinaryBuilder).Append(x)
		return nil
	}}
}

// addInt96 appends a moment as the nanoseconds of a day and the day's Julian number.
func addInt96(b array.Builder, v parquet.Value) error {
	const day, epoch = 86400 * 1e9, 2440588
	x := v.Int96()
	days := int64(x[2]) - epoch
	clock := int64(x[0]) | int64(x[1])<<32
	hi, lo := bits.Mul64(uint64(max(days, -days)), day)
	if hi > 0 || lo > math.MaxInt64-day || clock < 0 || clock > day {
		return fmt.Errorf("a moment on day %d after 1970 does not fit 64 bits in nanoseconds: %w", days, kvault.ErrTooLarge)
	}
	b.(*array.TimestampBuilder).Append(arrow.Timestamp(days*day + clock))
	return nil
}

// decimalType takes integers, and big-endian numbers of any length.
func decimalType(d *format.DecimalType, kind parquet.Kind) leafType {
	p, s := d.Precision, d.Scale
	switch {
	case p < 1 || s > p || p > 76:
		return cannot(fmt.Sprintf("decimal(%d, %d)", p, s))
	case p <= 38:
		return leafType{&arrow.Decimal128Type{Precision: p, Scale: s}, "", func(b array.Builder, v parquet.Value) error {
			x, err := bigDecimal(v, kind, 127)
			if err == nil {
				b.(*array.Decimal128Builder).Append(decimal128.FromBigInt(x))
			}
			return err
		}}
	}
	return leafType{&arrow.Decimal256Type{Precision: p, Scale: s}, "", func(b array.Builder, v parquet.Value) error {
		x, err := bigDecimal(v, kind, 255)
		if err == nil {
			b.(*array.Decimal256Builder).Append(decimal256.FromBigInt(x))
		}
		return err
	}}
}

func bigDecimal(v parquet.Value, kind parquet.Kind, most int) (*big.Int, error) {
	switch kind {
	case parquet.Int32:
		return big.NewInt(int64(v.Int32())), nil
	case parquet.Int64:
		return big.NewInt(v.Int64()), nil
	}
	b := v.ByteArray()
	x := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		x.Sub(x, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	if x.BitLen() > most {
		return nil, errors.New("a decimal number is longer than its type")
	}
	return x, nil
}
