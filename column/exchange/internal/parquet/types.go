package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/decimal256"
	"github.com/apache/arrow-go/v18/arrow/float16"
)

// leafType says how values become elements of an array in Arrow.
type leafType struct {
	typ         arrow.DataType
	unsupported string // the type, if there is no other
	add         func(b array.Builder, v []byte) error
}

func cannot(what string) leafType { return leafType{typ: arrow.Null, unsupported: what} }

// leafTypeOf prefers what the schema says of the meaning of values, and falls back on how they are
// stored.
func leafTypeOf(e *schemaElement) leafType {
	l := meaning(e)
	if l.kind == logicalNull {
		return leafType{arrow.Null, "", func(array.Builder, []byte) error { return errors.New("a value where all are null") }}
	}
	switch e.physical {
	case physicalBool:
		return leafType{arrow.FixedWidthTypes.Boolean, "", func(b array.Builder, v []byte) error {
			b.(*array.BooleanBuilder).Append(v[0] != 0)
			return nil
		}}
	case physicalInt32:
		return int32Type(l)
	case physicalInt64:
		return int64Type(l)
	case physicalInt96:
		return leafType{&arrow.TimestampType{Unit: arrow.Nanosecond}, "", addInt96}
	case physicalFloat:
		return leafType{arrow.PrimitiveTypes.Float32, "", addInt32(math.Float32frombits)}
	case physicalDouble:
		return leafType{arrow.PrimitiveTypes.Float64, "", addInt64(func(x int64) float64 { return math.Float64frombits(uint64(x)) })}
	case physicalBytes:
		return bytesType(l)
	case physicalFixed:
		return fixedType(l, e)
	}
	return cannot(fmt.Sprintf("physical type %d", e.physical))
}

// meaning is the logical type of an element, also of one that says it in the older way.
func meaning(e *schemaElement) logicalType {
	if e.logical.kind != 0 {
		return e.logical
	}
	switch c := e.converted; c {
	case 0:
		return logicalType{kind: logicalString}
	case 4:
		return logicalType{kind: logicalEnum}
	case 5:
		return logicalType{kind: logicalDecimal, scale: e.scale, precision: e.precision}
	case 6:
		return logicalType{kind: logicalDate}
	case 7, 8:
		return logicalType{kind: logicalTime, unit: int64(c - 6), utc: true}
	case 9, 10:
		return logicalType{kind: logicalTimestamp, unit: int64(c - 8), utc: true}
	case 11, 12, 13, 14:
		return logicalType{kind: logicalInt, bits: 8 << (c - 11)}
	case 15, 16, 17, 18:
		return logicalType{kind: logicalInt, bits: 8 << (c - 15), signed: true}
	case 19:
		return logicalType{kind: logicalJSON}
	case 20:
		return logicalType{kind: logicalBSON}
	case 21:
		return logicalType{kind: convertedInterval}
	}
	return logicalType{}
}

const convertedInterval = -1 // which has no logical type

var timeUnits = map[int64]arrow.TimeUnit{1: arrow.Millisecond, 2: arrow.Microsecond, 3: arrow.Nanosecond}

func int32Type(l logicalType) leafType {
	switch l.kind {
	case logicalDate:
		return leafType{arrow.FixedWidthTypes.Date32, "", addInt32(func(x uint32) arrow.Date32 { return arrow.Date32(x) })}
	case logicalTime:
		return leafType{arrow.FixedWidthTypes.Time32ms, "", addInt32(func(x uint32) arrow.Time32 { return arrow.Time32(x) })}
	case logicalDecimal:
		return decimalType(l).reversed()
	case logicalInt:
		switch {
		case l.bits == 8 && l.signed:
			return leafType{arrow.PrimitiveTypes.Int8, "", addInt32(func(x uint32) int8 { return int8(x) })}
		case l.bits == 16 && l.signed:
			return leafType{arrow.PrimitiveTypes.Int16, "", addInt32(func(x uint32) int16 { return int16(x) })}
		case l.bits == 8:
			return leafType{arrow.PrimitiveTypes.Uint8, "", addInt32(func(x uint32) uint8 { return uint8(x) })}
		case l.bits == 16:
			return leafType{arrow.PrimitiveTypes.Uint16, "", addInt32(func(x uint32) uint16 { return uint16(x) })}
		case !l.signed:
			return leafType{arrow.PrimitiveTypes.Uint32, "", addInt32(func(x uint32) uint32 { return x })}
		}
	}
	return leafType{arrow.PrimitiveTypes.Int32, "", addInt32(func(x uint32) int32 { return int32(x) })}
}

func int64Type(l logicalType) leafType {
	switch unit, known := timeUnits[l.unit]; {
	case l.kind == logicalTimestamp && known:
		t := &arrow.TimestampType{Unit: unit}
		if l.utc {
			t.TimeZone = "UTC"
		}
		return leafType{t, "", addInt64(func(x int64) arrow.Timestamp { return arrow.Timestamp(x) })}
	case l.kind == logicalTime && known && unit != arrow.Millisecond:
		return leafType{&arrow.Time64Type{Unit: unit}, "", addInt64(func(x int64) arrow.Time64 { return arrow.Time64(x) })}
	case l.kind == logicalDecimal:
		return decimalType(l).reversed()
	case l.kind == logicalInt && !l.signed:
		return leafType{arrow.PrimitiveTypes.Uint64, "", addInt64(func(x int64) uint64 { return uint64(x) })}
	}
	return leafType{arrow.PrimitiveTypes.Int64, "", addInt64(func(x int64) int64 { return x })}
}

func bytesType(l logicalType) leafType {
	switch l.kind {
	case logicalString, logicalEnum, logicalJSON:
		return leafType{arrow.BinaryTypes.String, "", func(b array.Builder, v []byte) error {
			b.(*array.StringBuilder).BinaryBuilder.Append(v)
			return nil
		}}
	case logicalDecimal:
		return decimalType(l)
	}
	return leafType{arrow.BinaryTypes.Binary, "", func(b array.Builder, v []byte) error { b.(*array.BinaryBuilder).Append(v); return nil }}
}

const longestFixed = 1 << 28

func fixedType(l logicalType, e *schemaElement) leafType {
	switch {
	case l.kind == convertedInterval:
		return cannot("interval")
	case l.kind == logicalDecimal:
		return decimalType(l)
	case l.kind == logicalFloat16 && e.length == 2:
		return leafType{arrow.FixedWidthTypes.Float16, "", func(b array.Builder, v []byte) error {
			b.(*array.Float16Builder).Append(float16.FromBits(binary.LittleEndian.Uint16(v)))
			return nil
		}}
	case e.length == 0 || e.length > longestFixed:
		return cannot(fmt.Sprintf("fixed_size_binary[%d]", e.length))
	}
	return leafType{&arrow.FixedSizeBinaryType{ByteWidth: e.length}, "", func(b array.Builder, v []byte) error {
		if len(v) != e.length {
			return fmt.Errorf("%d bytes where all are %d", len(v), e.length)
		}
		b.(*array.FixedSizeBinaryBuilder).Append(v)
		return nil
	}}
}

// addInt32 makes a function that appends what convert makes of 32 bits.
func addInt32[T any](convert func(uint32) T) func(array.Builder, []byte) error {
	return func(b array.Builder, v []byte) error {
		b.(interface{ Append(T) }).Append(convert(binary.LittleEndian.Uint32(v)))
		return nil
	}
}

func addInt64[T any](convert func(int64) T) func(array.Builder, []byte) error {
	return func(b array.Builder, v []byte) error {
		b.(interface{ Append(T) }).Append(convert(int64(binary.LittleEndian.Uint64(v))))
		return nil
	}
}

// addInt96 appends a moment as the nanoseconds of a day and the day's Julian number.
func addInt96(b array.Builder, v []byte) error {
	const day, epoch = 86400 * 1e9, 2440588
	days := int64(binary.LittleEndian.Uint32(v[8:])) - epoch
	clock := int64(binary.LittleEndian.Uint64(v))
	hi, lo := bits.Mul64(uint64(max(days, -days)), day)
	if hi > 0 || lo > math.MaxInt64-day || clock < 0 || clock > day {
		return tooLarge("a moment on day %d after 1970 does not fit 64 bits in nanoseconds", days)
	}
	b.(*array.TimestampBuilder).Append(arrow.Timestamp(days*day + clock))
	return nil
}

// reversed takes little-endian numbers for a type that takes big-endian ones.
func (l leafType) reversed() leafType {
	if add := l.add; add != nil {
		l.add = func(b array.Builder, v []byte) error {
			v = slices.Clone(v)
			slices.Reverse(v)
			return add(b, v)
		}
	}
	return l
}

// decimalType takes big-endian numbers of any length.
func decimalType(l logicalType) leafType {
	p, s := int32(l.precision), int32(l.scale)
	switch {
	case p < 1 || s > p || p > 76:
		return cannot(fmt.Sprintf("decimal(%d, %d)", p, s))
	case p <= 38:
		return leafType{&arrow.Decimal128Type{Precision: p, Scale: s}, "", func(b array.Builder, v []byte) error {
			x, err := bigDecimal(v, 127)
			if err == nil {
				b.(*array.Decimal128Builder).Append(decimal128.FromBigInt(x))
			}
			return err
		}}
	}
	return leafType{&arrow.Decimal256Type{Precision: p, Scale: s}, "", func(b array.Builder, v []byte) error {
		x, err := bigDecimal(v, 255)
		if err == nil {
			b.(*array.Decimal256Builder).Append(decimal256.FromBigInt(x))
		}
		return err
	}}
}

func bigDecimal(v []byte, most int) (*big.Int, error) {
	x := new(big.Int).SetBytes(v)
	if len(v) > 0 && v[0] >= 0x80 {
		x.Sub(x, new(big.Int).Lsh(big.NewInt(1), uint(8*len(v))))
	}
	if x.BitLen() > most {
		return nil, errors.New("a decimal number is longer than its type")
	}
	return x, nil
}
