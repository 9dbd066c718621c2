package exchange

import (
	"bytes"
	"encoding/base64"
	"io"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/klauspost/compress/zstd"
)

// Bounds of row groups. Only a page of one column is in memory, and indexes of a column's
// dictionary; a reader may hold a whole group.
const (
	rowGroupRows  = 1 << 20
	rowGroupBytes = 128 << 20
	pageBytes     = 1 << 20
	pageRows      = 20_000
)

// parquetEncoder writes row groups column by column.
type parquetEncoder struct {
	w       io.Writer
	sources []source
	schema  *arrow.Schema
	columns []*columnWriter
	zstd    *zstd.Encoder
	at      int64 // bytes written
	groups  []writtenGroup
	rows    int64
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
	values           int64
	dictionary, data int64 // where they begin
	long, short      int64 // bytes
	encodings        []int
}

// columnWriter writes the pages of a column.
type columnWriter struct {
	p       *parquetEncoder
	e       *encoding
	s       source
	field   arrow.Field
	maxRep  int
	maxDef  int
	builder array.Builder
	dict    *dictionary // nil if it is not worth it
	waiting [][]byte    // pages that refer to the dictionary, which is written before them
	chunk   writtenChunk
}

func newParquetEncoder(w io.Writer, sources []source) (*parquetEncoder, error) {
	p := &parquetEncoder{w: w, sources: sources, schema: schemaOf(sources)}
	var err error
	// One encoder for all columns: it takes some megabytes.
	if p.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false)); err != nil {
		return nil, failed("export", "", err)
	}
	for i, f := range p.schema.Fields() {
		c := &columnWriter{p: p, s: sources[i], field: f, builder: array.NewBuilder(memory.DefaultAllocator, f.Type)}
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
			return nil, failed("export", f.Name, err)
		}
		p.columns = append(p.columns, c)
	}
	return p, failed("export", "", p.put([]byte(parquetMagic)))
}

func (p *parquetEncoder) put(b []byte) error {
	n, err := p.w.Write(b)
	p.at += int64(n)
	return err
}

// write writes a row group of at most that many rows, and returns how many they were.
func (p *parquetEncoder) write(most int64) (int64, error) {
	rowBytes := 0
	for _, s := range p.sources {
		n, err := s.ready(sampleRows)
		if err != nil {
			return 0, err
		}
		rowBytes += s.bytes() / max(n, 1)
	}
	g := writtenGroup{rows: min(most, rowGroupRows, int64(max(1, rowGroupBytes/max(rowBytes, 1))))}
	for _, c := range p.columns {
		if err := c.write(g.rows); err != nil {
			return 0, err
		}
		g.chunks = append(g.chunks, c.chunk)
	}
	p.groups = append(p.groups, g)
	p.rows += g.rows
	return g.rows, nil
}

// write writes the next rows of the column.
func (c *columnWriter) write(rows int64) error {
	c.chunk, c.dict, c.waiting = writtenChunk{data: c.p.at}, nil, nil
	if c.e.coded && c.maxRep == 0 {
		c.dict = newDictionary()
	}
	for rows > 0 {
		n, err := c.s.ready(int(min(rows, pageRows)))
		if err != nil {
			return err
		}
		n = int(min(rows, int64(n)))
		c.s.build(c.builder, n)
		a := c.builder.NewArray()
		err = c.writePage(a)
		a.Release()
		if err != nil {
			return failed("export", c.field.Name, err)
		}
		c.s.skip(n)
		rows -= int64(n)
	}
	return failed("export", c.field.Name, c.writeDictionary())
}

func (c *columnWriter) writePage(a arrow.Array) error {
	l := &c.p.levels
	l.reps, l.defs, l.plain, l.values = l.reps[:0], l.defs[:0], l.plain[:0], 0
	if c.e.all != nil && c.maxDef == 0 {
		l.plain = append(l.plain, c.e.all(a)...)
		l.values = a.Len()
	} else {
		def := uint32(c.maxDef - c.maxRep)
		for i := range a.Len() {
			l.add(c.e, a, i, 0, 0, def)
		}
	}
	values := max(l.values, len(l.defs))
	c.chunk.values += int64(values)
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

func (p *parquetEncoder) close() error {
	for _, c := range p.columns {
		c.builder.Release()
	}
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
