package parquet

import (
	"encoding/binary"

	"github.com/apache/arrow-go/v18/arrow"
)

func putLength(b []byte, n int) { binary.LittleEndian.PutUint32(b, uint32(n)) }

func (h *pageHeader) appendTo(b []byte) []byte {
	w := &compactWriter{b: b}
	w.begin(0)
	w.i32(1, h.kind)
	w.i32(2, h.long)
	w.i32(3, h.short)
	if h.kind == pageDictionary {
		w.begin(7)
	} else {
		w.begin(5)
	}
	w.i32(1, h.values)
	w.i32(2, h.encoding)
	if h.kind == pageData {
		w.i32(3, encodingRLE)
		w.i32(4, encodingRLE)
	}
	w.end()
	w.end()
	return w.b
}

// footer is what stands at the end of the file.
func (p *Writer) footer() []byte {
	w := &compactWriter{}
	w.begin(0)
	w.i32(1, 2)
	elements := 1
	for _, c := range p.columns {
		elements += 1 + 2*c.maxRep
	}
	w.list(2, thriftStruct, elements)
	w.begin(0)
	w.text(4, "schema")
	w.i32(5, len(p.columns))
	w.end()
	for _, c := range p.columns {
		c.appendSchema(w, c.field)
	}
	rows := int64(0)
	for _, g := range p.groups {
		rows += g.rows
	}
	w.i64(3, rows)
	w.list(4, thriftStruct, len(p.groups))
	for _, g := range p.groups {
		p.appendGroup(w, &g)
	}
	w.list(5, thriftStruct, 1)
	w.begin(0)
	w.text(1, arrowSchemaKey)
	w.text(2, encodeSchema(p.schema))
	w.end()
	w.text(6, "kvault")
	w.end()
	return w.b
}

// appendSchema appends the elements of a column: one, or a group within a group for each list.
func (c *columnWriter) appendSchema(w *compactWriter, f arrow.Field) {
	repetition := required
	if f.Nullable {
		repetition = optional
	}
	w.begin(0)
	defer func() {
		if list, ok := f.Type.(*arrow.FixedSizeListType); ok {
			c.appendSchema(w, arrow.Field{Name: "element", Type: list.Elem()})
		}
	}()
	if _, ok := f.Type.(*arrow.FixedSizeListType); ok {
		w.i32(3, repetition)
		w.text(4, f.Name)
		w.i32(5, 1)
		w.i32(6, convertedList)
		(&logicalType{kind: logicalList}).appendTo(w)
		w.end()
		w.begin(0)
		w.i32(3, repeated)
		w.text(4, "list")
		w.i32(5, 1)
		w.end()
		return
	}
	w.i32(1, c.e.physical)
	if c.e.physical == physicalFixed {
		w.i32(2, c.e.width)
	}
	w.i32(3, repetition)
	w.text(4, f.Name)
	if old := c.e.logical.converted(); old >= 0 {
		w.i32(6, old)
	}
	c.e.logical.appendTo(w)
	w.end()
}

// converted is the older form of a logical type, or -1 if it has none.
func (l *logicalType) converted() int {
	switch l.kind {
	case logicalString:
		return 0
	case logicalDate:
		return 6
	case logicalTimestamp:
		if l.utc && l.unit < 3 {
			return int(8 + l.unit)
		}
	case logicalInt:
		old := 11
		if l.signed {
			old = 15
		}
		return old + int(bitsFor(int(l.bits/8))) - 1
	}
	return -1
}

func (l *logicalType) appendTo(w *compactWriter) {
	if l.kind == 0 {
		return
	}
	w.begin(10)
	w.begin(int16(l.kind))
	switch l.kind {
	case logicalTimestamp:
		w.bool(1, l.utc)
		w.begin(2)
		w.begin(int16(l.unit))
		w.end()
		w.end()
	case logicalInt:
		w.field(1, thriftByte)
		w.b = append(w.b, byte(l.bits))
		w.bool(2, l.signed)
	}
	w.end()
	w.end()
}

func (p *Writer) appendGroup(w *compactWriter, g *writtenGroup) {
	w.begin(0)
	w.list(1, thriftStruct, len(g.chunks))
	long := int64(0)
	for i, k := range g.chunks {
		long += k.long
		w.begin(0)
		w.i64(2, 0)
		w.begin(3)
		p.columns[i].appendChunk(w, &k)
		w.end()
		w.end()
	}
	w.i64(2, long)
	w.i64(3, g.rows)
	w.end()
}

func (c *columnWriter) appendChunk(w *compactWriter, k *writtenChunk) {
	w.i32(1, c.e.physical)
	w.list(2, thriftI32, len(k.encodings)+1)
	for _, e := range append(k.encodings, encodingRLE) {
		w.b = binary.AppendVarint(w.b, int64(e))
	}
	path := []string{c.field.Name}
	for range c.maxRep {
		path = append(path, "list", "element")
	}
	w.list(3, thriftBinary, len(path))
	for _, name := range path {
		w.appendText(name)
	}
	w.i32(4, codecZstd)
	w.i64(5, k.values)
	w.i64(6, k.long)
	w.i64(7, k.short)
	w.i64(9, k.data)
	if k.dictionary > 0 {
		w.i64(11, k.dictionary)
	}
	w.begin(12)
	w.i64(3, k.nulls)
	w.end()
}
