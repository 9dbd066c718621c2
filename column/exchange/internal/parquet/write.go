package parquet

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/klauspost/compress/zstd"
)

// Writer writes row groups column by column. Only a page of one column is in memory, and indexes of
// a column's dictionary. It is for one goroutine at a time, and of no use after an error.
type Writer struct {
	w       io.Writer
	schema  *arrow.Schema
	columns []*columnWriter
	column  int // that is being written
	zstd    *zstd.Encoder
	at      int64 // bytes written
	group   writtenGroup
	groups  []writtenGroup
	scratch
}

// scratch is memory that the columns use one after the other.
type scratch struct {
	levels         levels
	page, squeezed []byte
}

type writtenGroup struct {
	rows   int64
	chunks []writtenChunk
}

// writtenChunk is what the footer says of a column in a row group.
type writtenChunk struct {
	rows             int64
	values, nulls    int64
	dictionary, data int64 // where they begin
	long, short      int64 // bytes
	encodings        []int
}

// columnWriter writes the pages of a column.
type columnWriter struct {
	p       *Writer
	e       *encoding
	field   arrow.Field
	maxRep  int
	maxDef  int
	dict    *dictionary // nil if it is not worth it
	waiting [][]byte    // pages that refer to the dictionary, which is written before them
	chunk   writtenChunk
}

// NewWriter begins a file. Its columns may be of the types that have an encoding here, and lists of
// one length of those.
func NewWriter(w io.Writer, schema *arrow.Schema) (*Writer, error) {
	p := &Writer{w: w, schema: schema}
	var err error
	// One encoder for all columns: it takes some megabytes.
	p.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, err
	}
	for _, f := range schema.Fields() {
		c := &columnWriter{p: p, field: f}
		if f.Nullable {
			c.maxDef++
		}
		t := f.Type
		for list, ok := t.(*arrow.FixedSizeListType); ok; list, ok = t.(*arrow.FixedSizeListType) {
			t = list.Elem()
			c.maxRep++
			c.maxDef++
		}
		if c.e, err = encodingOf(t); err != nil {
			return nil, fmt.Errorf("column %q: %w", f.Name, err)
		}
		p.columns = append(p.columns, c)
	}
	if err := p.put([]byte(parquetMagic)); err != nil {
		return nil, err
	}
	if len(p.columns) > 0 {
		p.columns[0].begin()
	}
	return p, nil
}

func (p *Writer) put(b []byte) error {
	n, err := p.w.Write(b)
	p.at += int64(n)
	return err
}

// Write writes the next rows of the column as a page.
func (p *Writer) Write(a arrow.Array) error {
	return p.columns[p.column].writePage(a)
}

// EndColumn ends the column in this row group, and the row group if it is the last. The next page
// is of the next column, or of the first in the next row group.
func (p *Writer) EndColumn() error {
	c := p.columns[p.column]
	if err := c.writeDictionary(); err != nil {
		return err
	}
	if p.column == 0 {
		p.group = writtenGroup{rows: c.chunk.rows}
	}
	if c.chunk.rows != p.group.rows {
		return fmt.Errorf("%d rows of column %q in a row group of %d", c.chunk.rows, c.field.Name, p.group.rows)
	}
	p.group.chunks = append(p.group.chunks, c.chunk)
	if p.column++; p.column == len(p.columns) {
		p.column = 0
		p.groups = append(p.groups, p.group)
	}
	p.columns[p.column].begin()
	return nil
}

func (c *columnWriter) begin() {
	c.chunk, c.dict, c.waiting = writtenChunk{data: c.p.at}, nil, nil
	if c.e.coded && c.maxRep == 0 {
		c.dict = newDictionary()
	}
}

func (c *columnWriter) writePage(a arrow.Array) error {
	l := &c.p.levels
	l.reps, l.defs, l.plain, l.values = l.reps[:0], l.defs[:0], l.plain[:0], 0
	if c.maxRep == 0 {
		l.addFlat(c.e, a, c.maxDef)
	} else {
		def := uint32(c.maxDef - c.maxRep)
		for i := range a.Len() {
			l.add(c.e, a, i, 0, 0, def)
		}
	}
	c.chunk.rows += int64(a.Len())
	values := max(l.values, len(l.defs))
	c.chunk.values += int64(values)
	c.chunk.nulls += int64(values - l.values)
	if c.dict != nil {
		if indexes, ok := c.dict.encode(c.e, l.plain, l.values); ok {
			width := max(1, bitsFor(c.dict.n-1))
			c.p.page = appendHybrid(append(c.appendLevels(c.p.page[:0]), byte(width)), indexes, width)
			page, err := c.seal(pageData, encodingDictionary, values)
			c.waiting = append(c.waiting, slices.Clone(page))
			return err
		}
		if err := c.writeDictionary(); err != nil {
			return err
		}
	}
	if c.e.physical == physicalBool {
		l.plain = packBools(l.plain)
	}
	c.p.page = append(c.appendLevels(c.p.page[:0]), l.plain...)
	page, err := c.seal(pageData, encodingPlain, values)
	if err != nil {
		return err
	}
	return c.p.put(page)
}

// writeDictionary writes the dictionary and the pages that refer to it. Later pages do without.
func (c *columnWriter) writeDictionary() error {
	if c.dict == nil {
		return nil
	}
	d := c.dict
	if c.dict = nil; len(c.waiting) == 0 {
		return nil
	}
	c.p.page = append(c.p.page[:0], d.plain...)
	page, err := c.seal(pageDictionary, encodingPlain, d.n)
	if err != nil {
		return err
	}
	c.chunk.dictionary = c.p.at
	if err := c.p.put(page); err != nil {
		return err
	}
	c.chunk.data = c.p.at
	for _, page := range c.waiting {
		if err := c.p.put(page); err != nil {
			return err
		}
	}
	c.waiting = nil
	return nil
}

func (c *columnWriter) appendLevels(dst []byte) []byte {
	return appendLevels(appendLevels(dst, c.p.levels.reps, c.maxRep), c.p.levels.defs, c.maxDef)
}

func appendLevels(dst []byte, levels []uint32, most int) []byte {
	if most == 0 {
		return dst
	}
	start := len(dst)
	dst = appendHybrid(append(dst, 0, 0, 0, 0), levels, bitsFor(most))
	putLength(dst[start:], len(dst)-start-4)
	return dst
}

// seal compresses the page that has been gathered, and puts its header before it.
func (c *columnWriter) seal(kind, encoding, values int) ([]byte, error) {
	if len(c.p.page) > math.MaxInt32 {
		return nil, tooLong(len(c.p.page))
	}
	h := pageHeader{kind: kind, encoding: encoding, values: values, long: len(c.p.page)}
	body := c.p.zstd.EncodeAll(c.p.page, c.p.squeezed[:0])
	if c.p.squeezed = body; len(body) > math.MaxInt32 {
		return nil, tooLong(len(body))
	}
	h.short = len(body)
	head := h.appendTo(nil)
	c.chunk.long += int64(len(head) + h.long)
	c.chunk.short += int64(len(head) + h.short)
	if !slices.Contains(c.chunk.encodings, encoding) {
		c.chunk.encodings = append(c.chunk.encodings, encoding)
	}
	return append(head, body...), nil
}

// Close writes the footer. It does not close the underlying writer.
func (p *Writer) Close() error {
	f := p.footer()
	f = append(f, 0, 0, 0, 0)
	putLength(f[len(f)-4:], len(f)-4)
	return p.put(append(f, parquetMagic...))
}

// encodeSchema is the form in which other programs leave the schema that a table has in Arrow.
func encodeSchema(schema *arrow.Schema) string {
	var b bytes.Buffer
	w := ipc.NewWriter(&b, ipc.WithSchema(schema))
	if err := w.Close(); err != nil {
		return ""
	}
	const end = 8 // behind the schema, a stream says that there are no batches
	return base64.StdEncoding.EncodeToString(b.Bytes()[:b.Len()-end])
}
