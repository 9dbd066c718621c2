package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// footer is what the end of a Parquet file says of it, as far as it is needed.
type footer struct {
	schema []schemaElement // depth first
	groups []rowGroup
	arrow  string // the schema in Arrow, in base64, if the writer left one
}

// schemaElement is a column, or a group of them.
type schemaElement struct {
	name       string
	physical   int // or -1 for a group
	length     int // of each value, where all are equally long
	repetition int
	children   int
	converted  int // the older form of logical, or -1
	logical    logicalType
	scale      int
	precision  int
}

// logicalType is a union: kind is the number of its member, or 0.
type logicalType struct {
	kind             int64
	scale, precision int
	unit, bits       int64
	utc, signed      bool
}

// Physical types.
const (
	physicalBool = iota
	physicalInt32
	physicalInt64
	physicalInt96
	physicalFloat
	physicalDouble
	physicalBytes
	physicalFixed
)

// Repetitions.
const (
	required = iota
	optional
	repeated
)

// Members of the union of logical types.
const (
	logicalString = iota + 1
	logicalMap
	logicalList
	logicalEnum
	logicalDecimal
	logicalDate
	logicalTime
	logicalTimestamp
	_
	logicalInt
	logicalNull
	logicalJSON
	logicalBSON
	logicalUUID
	logicalFloat16
)

type rowGroup struct {
	rows   int64
	chunks []columnChunk
}

// columnChunk says where the pages of a column are.
type columnChunk struct {
	physical   int
	codec      int
	values     int64
	start, end int64
	elsewhere  bool // in another file
	encrypted  bool
	nulls      int64 // if counted
	counted    bool
}

const parquetMagic = "PAR1"

// readFooter reads the end of a file of that size.
func readFooter(r io.ReaderAt, size int64) (*footer, error) {
	const least = int64(len(parquetMagic) + 4 + len(parquetMagic))
	if size < least {
		return nil, fmt.Errorf("%d bytes are too few", size)
	}
	end := make([]byte, 8)
	if _, err := r.ReadAt(end, size-8); err != nil {
		return nil, err
	}
	if string(end[4:]) == "PARE" {
		return nil, errors.New("the file is encrypted: write it without encryption")
	}
	if string(end[4:]) != parquetMagic {
		return nil, fmt.Errorf("it does not end in %s: it is of another format, or cut off", parquetMagic)
	}
	n := int64(binary.LittleEndian.Uint32(end))
	if n > size-least {
		return nil, fmt.Errorf("a footer of %d bytes in a file of %d", n, size)
	}
	b := make([]byte, n)
	if _, err := r.ReadAt(b, size-8-n); err != nil {
		return nil, err
	}
	c, f := &compact{b: b}, new(footer)
	f.read(c)
	if c.err == nil && len(f.schema) == 0 {
		return nil, errors.New("there is no schema")
	}
	return f, c.err
}

func (f *footer) read(c *compact) {
	c.fields(thriftStruct, func(id int64, t byte) bool {
		switch id {
		case 2:
			c.list(t, func(t byte) { f.schema = append(f.schema, readElement(c, t)) })
		case 4:
			c.list(t, func(t byte) { f.groups = append(f.groups, readGroup(c, t)) })
		case 5:
			c.list(t, func(t byte) { f.readMetadata(c, t) })
		default:
			return false
		}
		return true
	})
}

func (f *footer) readMetadata(c *compact, t byte) {
	var key, value string
	c.fields(t, func(id int64, t byte) bool {
		switch id {
		case 1:
			key = string(c.bytes(t))
		case 2:
			value = string(c.bytes(t))
		default:
			return false
		}
		return true
	})
	if key == arrowSchemaKey {
		f.arrow = value
	}
}

func readElement(c *compact, t byte) schemaElement {
	e := schemaElement{physical: -1, converted: -1}
	ints := map[int64]*int{1: &e.physical, 2: &e.length, 3: &e.repetition, 5: &e.children, 6: &e.converted, 7: &e.scale, 8: &e.precision}
	c.ints(t, ints, func(id int64, t byte) bool {
		switch id {
		case 4:
			e.name = string(c.bytes(t))
		case 10:
			c.fields(t, func(kind int64, t byte) bool {
				e.logical.kind = kind
				e.logical.read(c, t)
				return true
			})
		default:
			return false
		}
		return true
	})
	return e
}

func (l *logicalType) read(c *compact, t byte) {
	c.fields(t, func(id int64, t byte) bool {
		switch {
		case l.kind == logicalDecimal && id == 1:
			l.scale = c.int32(t)
		case l.kind == logicalDecimal && id == 2:
			l.precision = c.int32(t)
		case l.kind == logicalInt && id == 1:
			l.bits = c.int(t)
		case l.kind == logicalInt && id == 2:
			l.signed = t == thriftTrue
		case (l.kind == logicalTime || l.kind == logicalTimestamp) && id == 1:
			l.utc = t == thriftTrue
		case (l.kind == logicalTime || l.kind == logicalTimestamp) && id == 2:
			c.fields(t, func(unit int64, t byte) bool { l.unit = unit; return false })
		default:
			return false
		}
		return true
	})
}

func readGroup(c *compact, t byte) (g rowGroup) {
	c.fields(t, func(id int64, t byte) bool {
		switch id {
		case 1:
			c.list(t, func(t byte) { g.chunks = append(g.chunks, readChunk(c, t)) })
		case 3:
			g.rows = c.int(t)
		default:
			return false
		}
		return true
	})
	return g
}

func readChunk(c *compact, t byte) (k columnChunk) {
	c.fields(t, func(id int64, t byte) bool {
		switch id {
		case 1:
			k.elsewhere = len(c.bytes(t)) > 0
		case 3:
			k.read(c, t)
		case 8:
			k.encrypted = true
			return false
		default:
			return false
		}
		return true
	})
	return k
}

func (k *columnChunk) readStatistics(c *compact, t byte) {
	c.fields(t, func(id int64, t byte) bool {
		if id != 3 {
			return false
		}
		k.nulls, k.counted = c.int(t), true
		return true
	})
}

func (k *columnChunk) read(c *compact, t byte) {
	var data, dictionary, size int64
	c.ints(t, map[int64]*int{1: &k.physical, 4: &k.codec}, func(id int64, t byte) bool {
		switch id {
		case 5:
			k.values = c.int(t)
		case 7:
			size = c.int(t)
		case 9:
			data = c.int(t)
		case 11:
			dictionary = c.int(t)
		case 12:
			k.readStatistics(c, t)
		default:
			return false
		}
		return true
	})
	k.start = data
	if dictionary > 0 && dictionary < data {
		k.start = dictionary
	}
	k.end = k.start + size
}
