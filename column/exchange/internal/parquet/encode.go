package parquet

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// column types in Parquet, and how elements are written in the encoding PLAIN.
type encoding struct {
	physical int
	width    int // bytes of each value, or 0 if they differ
	logical  logicalType
	coded    bool // a dictionary may be worth it
	// plain appends element i, which is not null.
	plain func(dst []byte, a arrow.Array, i int) []byte
	// all, if not nil, returns all elements of an array, little-endian, and anything for nulls.
	all func(a arrow.Array) []byte
}

func encodingOf(t arrow.DataType) (*encoding, error) {
	switch t := t.(type) {
	case *arrow.FixedSizeBinaryType:
		return &encoding{physical: physicalFixed, width: t.ByteWidth, coded: true, plain: func(dst []byte, a arrow.Array, i int) []byte {
			return append(dst, a.(*array.FixedSizeBinary).Value(i)...)
		}}, nil
	case *arrow.TimestampType:
		return timestampEncoding(t), nil
	}
	if e, ok := encodings[t.ID()]; ok {
		return e, nil
	}
	return nil, unsupported("elements of type %s", t)
}

// timestampEncoding makes milliseconds of seconds, which Parquet does not have.
func timestampEncoding(t *arrow.TimestampType) *encoding {
	factor, unit := int64(1), int64(1)
	for u, other := range timeUnits {
		if other == t.Unit {
			unit = u
		}
	}
	if t.Unit == arrow.Second {
		factor = 1000
	}
	return &encoding{physical: physicalInt64, width: 8, coded: true, logical: logicalType{kind: logicalTimestamp, unit: unit, utc: t.TimeZone != ""},
		plain: func(dst []byte, a arrow.Array, i int) []byte {
			return binary.LittleEndian.AppendUint64(dst, uint64(int64(a.(*array.Timestamp).Value(i))*factor))
		}}
}

var encodings = map[arrow.Type]*encoding{
	arrow.INT8:    intEncoding(8, true, func(x int8) uint32 { return uint32(x) }),
	arrow.INT16:   intEncoding(16, true, func(x int16) uint32 { return uint32(x) }),
	arrow.INT32:   intEncoding(32, true, func(x int32) uint32 { return uint32(x) }),
	arrow.UINT8:   intEncoding(8, false, func(x uint8) uint32 { return uint32(x) }),
	arrow.UINT16:  intEncoding(16, false, func(x uint16) uint32 { return uint32(x) }),
	arrow.UINT32:  intEncoding(32, false, func(x uint32) uint32 { return x }),
	arrow.FLOAT32: {physical: physicalFloat, width: 4, plain: plain32(math.Float32bits)},
	arrow.DATE32:  {physical: physicalInt32, width: 4, coded: true, logical: logicalType{kind: logicalDate}, plain: plain32(func(x arrow.Date32) uint32 { return uint32(x) })},
	arrow.UINT64:  {physical: physicalInt64, width: 8, logical: logicalType{kind: logicalInt, bits: 64}, plain: plain64(func(x uint64) uint64 { return x })},
	arrow.INT64: {physical: physicalInt64, width: 8, coded: true, plain: plain64(func(x int64) uint64 { return uint64(x) }),
		all: func(a arrow.Array) []byte { return arrow.Int64Traits.CastToBytes(a.(*array.Int64).Int64Values()) }},
	arrow.FLOAT64: {physical: physicalDouble, width: 8, coded: true, plain: plain64(math.Float64bits),
		all: func(a arrow.Array) []byte { return arrow.Float64Traits.CastToBytes(a.(*array.Float64).Float64Values()) }},
	arrow.BOOL: {physical: physicalBool, width: 1, plain: func(dst []byte, a arrow.Array, i int) []byte {
		return append(dst, boolByte(a.(*array.Boolean).Value(i)))
	}},
	arrow.STRING: {physical: physicalBytes, coded: true, logical: logicalType{kind: logicalString}, plain: func(dst []byte, a arrow.Array, i int) []byte {
		x := a.(*array.String).Value(i)
		return append(binary.LittleEndian.AppendUint32(dst, uint32(len(x))), x...)
	}},
	arrow.BINARY: {physical: physicalBytes, plain: func(dst []byte, a arrow.Array, i int) []byte {
		x := a.(*array.Binary).Value(i)
		return append(binary.LittleEndian.AppendUint32(dst, uint32(len(x))), x...)
	}},
}

func boolByte(x bool) byte {
	if x {
		return 1
	}
	return 0
}

func intEncoding[T any](bits int64, signed bool, convert func(T) uint32) *encoding {
	return &encoding{physical: physicalInt32, width: 4, logical: logicalType{kind: logicalInt, bits: bits, signed: signed}, plain: plain32(convert)}
}

func plain32[T any](convert func(T) uint32) func([]byte, arrow.Array, int) []byte {
	return func(dst []byte, a arrow.Array, i int) []byte {
		return binary.LittleEndian.AppendUint32(dst, convert(a.(interface{ Value(int) T }).Value(i)))
	}
}

func plain64[T any](convert func(T) uint64) func([]byte, arrow.Array, int) []byte {
	return func(dst []byte, a arrow.Array, i int) []byte {
		return binary.LittleEndian.AppendUint64(dst, convert(a.(interface{ Value(int) T }).Value(i)))
	}
}

// levels are those of a page that is being written, and its values in the encoding PLAIN, but for
// truth values, which take a byte each.
type levels struct {
	reps, defs []uint32
	plain      []byte
	values     int // that are not null
}

// addFlat adds all elements of an array without lists.
func (l *levels) addFlat(e *encoding, a arrow.Array, maxDef int) {
	l.values = a.Len() - a.NullN()
	var all []byte
	if e.all != nil {
		all = e.all(a)
	}
	if l.values == a.Len() && all != nil {
		l.plain = append(l.plain, all...)
	}
	for i := range a.Len() {
		if maxDef > 0 && a.IsNull(i) {
			l.defs = append(l.defs, 0)
			continue
		}
		if maxDef > 0 {
			l.defs = append(l.defs, 1)
		}
		switch {
		case all == nil:
			l.plain = e.plain(l.plain, a, i)
		case l.values < a.Len():
			l.plain = append(l.plain, all[i*e.width:(i+1)*e.width]...)
		}
	}
}

// add adds element i of an array, or the elements of a list. def is the definition level of one
// that is not null.
func (l *levels) add(e *encoding, a arrow.Array, i int, rep, depth, def uint32) {
	if a.IsNull(i) {
		l.reps, l.defs = append(l.reps, rep), append(l.defs, def-1)
		return
	}
	list, ok := a.(*array.FixedSizeList)
	if !ok {
		l.reps, l.defs = append(l.reps, rep), append(l.defs, def)
		l.plain = e.plain(l.plain, a, i)
		l.values++
		return
	}
	start, end := list.ValueOffsets(i)
	if start == end {
		l.reps, l.defs = append(l.reps, rep), append(l.defs, def)
	}
	for j := start; j < end; j++ {
		l.add(e, list.ListValues(), int(j), rep, depth+1, def+1)
		rep = depth + 1
	}
}

// appendHybrid appends numbers of width bits as the type hybrid reads them.
func appendHybrid(dst []byte, xs []uint32, width uint) []byte {
	packed := 0 // first number that is still to be packed
	for at := 0; at < len(xs); {
		end := at + 1
		for end < len(xs) && xs[end] == xs[at] {
			end++
		}
		// Packed numbers come in groups of eight, so they may take some of the run.
		first := at + (8-(at-packed)%8)%8
		if end-first < 8 {
			at = end
			continue
		}
		dst = appendPacked(dst, xs[packed:first], width)
		dst = binary.AppendUvarint(dst, uint64(end-first)<<1)
		for shift := uint(0); shift < width; shift += 8 {
			dst = append(dst, byte(xs[at]>>shift))
		}
		at, packed = end, end
	}
	return appendPacked(dst, xs[packed:], width)
}

func appendPacked(dst []byte, xs []uint32, width uint) []byte {
	if len(xs) == 0 {
		return dst
	}
	groups := (len(xs) + 7) / 8
	dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
	start := len(dst)
	var bits uint64
	var n uint
	for _, x := range xs {
		bits |= uint64(x) << n
		for n += width; n >= 8; n -= 8 {
			dst = append(dst, byte(bits))
			bits >>= 8
		}
	}
	if n > 0 {
		dst = append(dst, byte(bits))
	}
	return append(dst, make([]byte, groups*int(width)-(len(dst)-start))...)
}

// dictionary numbers the values of a column, as long as they are few.
type dictionary struct {
	plain   []byte
	n       int
	numbers map[uint64]uint32 // of values of 4 or 8 bytes
	texts   map[string]uint32
	indexes []uint32
	total   int // values that have been numbered
}

// Bounds of a dictionary.
const (
	mostEntries    = 1 << 16
	mostDictionary = 1 << 20
)

func newDictionary() *dictionary {
	return &dictionary{numbers: map[uint64]uint32{}, texts: map[string]uint32{}}
}

// encode returns the indexes of n values in the encoding PLAIN, or false if the dictionary is not
// worth it.
func (d *dictionary) encode(e *encoding, plain []byte, n int) ([]uint32, bool) {
	const few = 1024
	d.indexes = d.indexes[:0]
	for at := 0; at < len(plain); {
		size := e.width
		if size == 0 {
			size = 4 + int(binary.LittleEndian.Uint32(plain[at:]))
		}
		d.indexes = append(d.indexes, d.index(plain[at:at+size]))
		at += size
		if d.n > mostEntries || len(d.plain) > mostDictionary || d.n > few && d.n == len(d.indexes) {
			return nil, false
		}
	}
	d.total += n
	return d.indexes, d.n <= few || d.n <= d.total/2
}

func (d *dictionary) index(value []byte) uint32 {
	var key uint64
	switch len(value) {
	case 8:
		key = binary.LittleEndian.Uint64(value)
	case 4:
		key = uint64(binary.LittleEndian.Uint32(value))
	default:
		return d.indexOfText(value)
	}
	i, ok := d.numbers[key]
	if !ok {
		i = d.add(value)
		d.numbers[key] = i
	}
	return i
}

func (d *dictionary) indexOfText(value []byte) uint32 {
	i, ok := d.texts[string(value)]
	if !ok {
		i = d.add(value)
		d.texts[string(value)] = i
	}
	return i
}

func (d *dictionary) add(value []byte) uint32 {
	d.plain = append(d.plain, value...)
	d.n++
	return uint32(d.n - 1)
}

// packBools makes bits of bytes.
func packBools(plain []byte) []byte {
	bits := make([]byte, (len(plain)+7)/8)
	for i, x := range plain {
		bits[i/8] |= x << (i % 8)
	}
	return bits
}

func tooLong(n int) error {
	return fmt.Errorf("a page of %d bytes, at most %d are possible", n, math.MaxInt32)
}
