package exchange

import (
	"bytes"
	"encoding/base64"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
)

// Bounds of what a writer of Parquet holds. It holds a row group: the library writes one when it has the pages of all columns.
const (
	rowGroupBytes   = 24 << 20
	rowGroupRows    = 1 << 20
	buffersBytes    = 8 << 20 // of all columns, values that are no page yet
	dictionaryBytes = 8 << 20 // of all columns
	pageBytes       = 256 << 10
	// mostDictionaries is of how many columns equal values are stored once. The table that finds them takes 64 KiB at least.
	mostDictionaries = 100
)

// parquetWriter writes record batches.
type parquetWriter struct {
	w       *parquet.Writer
	columns []parquetColumn
	values  []parquet.Value
	page    int   // bytes
	flushed int64 // bytes of the row groups before
	rows    int64 // of the row group
}

type parquetColumn struct {
	out     *parquet.ColumnWriter
	value   func(a arrow.Array, i int) parquet.Value
	def     int // the definition level of an element that is no null
	waiting int // bytes that are no page yet
}

func newParquetEncoder(w io.Writer, sources []source) (encoder, error) {
	schema := schemaOf(sources)
	each := func(all, least, most int) int { return max(least, min(most, all/len(sources))) }
	p := &parquetWriter{page: each(buffersBytes, 4<<10, pageBytes)}
	codec, err := newZstdCodec()
	if err != nil {
		return nil, failed("export", "", err)
	}
	o := []parquet.WriterOption{
		parquet.CreatedBy("kvault", "1", ""), parquet.KeyValueMetadata(arrowSchemaKey, encodeSchema(schema)),
		parquet.Compression(codec), parquet.DataPageVersion(1), parquet.DataPageStatistics(false), parquet.PageBufferSize(p.page),
		parquet.DictionaryMaxBytes(int64(each(dictionaryBytes, 4<<10, pageBytes))),
		parquet.ColumnPageBuffers(parquet.NewChunkBufferPool(each(rowGroupBytes/4, 4<<10, pageBytes))),
	}
	table := tableNode{}
	for _, f := range schema.Fields() {
		n, value, err := parquetNode(f.Type)
		if err != nil {
			return nil, failed("export", f.Name, err)
		}
		if dictionaries[f.Type.ID()] && len(sources) <= mostDictionaries {
			n = parquet.Encoded(n, &parquet.RLEDictionary)
		} else if n.Leaf() {
			n = parquet.Encoded(n, &parquet.Plain)
		}
		c := parquetColumn{value: value}
		if f.Nullable {
			n, c.def = parquet.Optional(n), 1
		}
		switch f.Type.ID() { // the footer would hold the least and the greatest, however long
		case arrow.STRING, arrow.BINARY, arrow.FIXED_SIZE_BINARY:
			o = append(o, parquet.SkipPageBounds(f.Name))
		}
		table.fields = append(table.fields, parquet.Group{f.Name: n}.Fields()...)
		p.columns = append(p.columns, c)
	}
	p.w = parquet.NewWriter(w, append(o, parquet.NewSchema("schema", table))...)
	for i, out := range p.w.ColumnWriters() {
		p.columns[i].out = out
	}
	return newBinaryEncoder(sources, schema, p, nil)
}

// dictionaries are the types that often have the same values again and again.
var dictionaries = map[arrow.Type]bool{arrow.INT64: true, arrow.FLOAT64: true, arrow.STRING: true, arrow.DATE32: true, arrow.TIMESTAMP: true, arrow.FIXED_SIZE_BINARY: true}

// zstdCodec compresses by one encoder. The library makes more of them, and each takes some megabytes.
type zstdCodec struct {
	compress.Codec
	encoder *zstd.Encoder
}

func newZstdCodec() (*zstdCodec, error) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithLowerEncoderMem(true), zstd.WithZeroFrames(true), zstd.WithEncoderCRC(false))
	return &zstdCodec{&parquet.Zstd, e}, err
}

func (c *zstdCodec) Encode(dst, src []byte) ([]byte, error) {
	return c.encoder.EncodeAll(src, dst[:0]), nil
}

func (p *parquetWriter) Write(rec arrow.RecordBatch) error {
	for i, a := range rec.Columns() {
		if err := p.write(i, a); err != nil {
			return failed("export", rec.ColumnName(i), err)
		}
	}
	if p.rows += rec.NumRows(); p.rows < rowGroupRows && p.w.Size()-p.flushed < rowGroupBytes {
		return nil
	}
	err := p.w.Flush()
	p.flushed, p.rows = p.w.Size(), 0
	return err
}

// write writes some elements of a column. The library ends a page only behind as many values as a page may have if all of them are new,
// and before that it holds them, however long they are.
func (p *parquetWriter) write(column int, a arrow.Array) error {
	c := &p.columns[column]
	for i := range a.Len() {
		p.values = p.appendElement(p.values, column, a, i, 0, 0, c.def)
		if len(p.values) < valuesAtOnce && i < a.Len()-1 {
			continue
		}
		if _, err := c.out.WriteRowValues(p.values); err != nil {
			return err
		}
		p.values = p.values[:0]
	}
	if c.waiting += int(a.Data().SizeInBytes()); c.waiting < p.page {
		return nil
	}
	c.waiting = 0
	return c.out.Flush()
}

func (p *parquetWriter) Close() error { return p.w.Close() }

// appendElement appends element i of an array, or its elements if it is a list. def is the definition level of one that is not null.
func (p *parquetWriter) appendElement(dst []parquet.Value, column int, a arrow.Array, i, rep, depth, def int) []parquet.Value {
	if a.IsNull(i) {
		return append(dst, parquet.NullValue().Level(rep, def-1, column))
	}
	list, ok := a.(*array.FixedSizeList)
	if !ok {
		return append(dst, p.columns[column].value(a, i).Level(rep, def, column))
	}
	start, end := list.ValueOffsets(i)
	if start == end {
		return append(dst, parquet.NullValue().Level(rep, def, column))
	}
	for j := start; j < end; j++ {
		dst = p.appendElement(dst, column, list.ListValues(), int(j), rep, depth+1, def+1)
		rep = depth + 1
	}
	return dst
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
