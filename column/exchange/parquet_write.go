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

// Bounds of what a writer of Parquet holds for all columns together, and of what a page holds.
const (
	rowGroupBytes   = 32 << 20 // pages
	rowGroupRows    = 1 << 20
	buffersBytes    = 16 << 20 // values that are no page yet
	dictionaryBytes = 8 << 20
	pageBytes       = 256 << 10
)

// parquetWriter writes record batches. It gathers row groups of a useful size, which it has to hold in memory.
type parquetWriter struct {
	w       *parquet.Writer
	columns []*parquet.ColumnWriter
	leaves  []func(a arrow.Array, i int) parquet.Value
	values  []parquet.Value
	flushed int64 // bytes of the row groups before
	rows    int64 // of the row group
}

func newParquetEncoder(w io.Writer, sources []source) (encoder, error) {
	schema := schemaOf(sources)
	p := &parquetWriter{}
	table := tableNode{}
	for _, f := range schema.Fields() {
		n, leaf, err := parquetNode(f.Type)
		if err != nil {
			return nil, failed("export", f.Name, err)
		}
		if f.Nullable {
			n = parquet.Optional(n)
		}
		table.fields = append(table.fields, parquet.Group{f.Name: n}.Fields()...)
		p.leaves = append(p.leaves, leaf)
	}
	codec, err := newZstdCodec()
	if err != nil {
		return nil, failed("export", "", err)
	}
	o := []parquet.WriterOption{parquet.CreatedBy("kvault", "1", ""), parquet.KeyValueMetadata(arrowSchemaKey, encodeSchema(schema)), parquet.Compression(codec), parquet.DataPageVersion(1), parquet.DataPageStatistics(false)}
	for _, f := range schema.Fields() {
		switch f.Type.ID() { // the footer would hold the least and the greatest, however long
		case arrow.STRING, arrow.BINARY, arrow.FIXED_SIZE_BINARY:
			o = append(o, parquet.SkipPageBounds(f.Name))
		}
	}
	each := func(all, least, most int) int { return max(least, min(most, all/len(sources))) }
	o = append(o, parquet.NewSchema("schema", table), parquet.PageBufferSize(each(buffersBytes, 4<<10, pageBytes)),
		parquet.DictionaryMaxBytes(int64(each(dictionaryBytes, 4<<10, pageBytes))), parquet.ColumnPageBuffers(parquet.NewChunkBufferPool(each(rowGroupBytes/4, 4<<10, pageBytes))))
	p.w = parquet.NewWriter(w, o...)
	p.columns = p.w.ColumnWriters()
	return newBinaryEncoder(sources, schema, p, nil)
}

// zstdCodec compresses by one encoder. The library makes more of them, and each takes some megabytes.
type zstdCodec struct {
	compress.Codec
	encoder *zstd.Encoder
}

func newZstdCodec() (*zstdCodec, error) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithLowerEncoderMem(true), zstd.WithZeroFrames(true), zstd.WithEncoderCRC(false))
	return &zstdCodec{&parquet.Zstd, e}, err
}

func (c *zstdCodec) Encode(dst, src []byte) ([]byte, error) {
	return c.encoder.EncodeAll(src, dst[:0]), nil
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

func (p *parquetWriter) Write(rec arrow.RecordBatch) error {
	for c, a := range rec.Columns() {
		def := 0
		if rec.Schema().Field(c).Nullable {
			def = 1
		}
		p.values = p.values[:0]
		for i := range a.Len() {
			p.values = p.appendValue(p.values, c, a, i, 0, 0, def)
		}
		if _, err := p.columns[c].WriteRowValues(p.values); err != nil {
			return err
		}
	}
	if p.rows += rec.NumRows(); p.rows < rowGroupRows && p.w.Size()-p.flushed < rowGroupBytes {
		return nil
	}
	err := p.w.Flush()
	p.flushed, p.rows = p.w.Size(), 0
	return err
}

func (p *parquetWriter) Close() error { return p.w.Close() }

// appendValue appends element i of an array, or its elements if it is a list. def is the definition level of one that is not null.
func (p *parquetWriter) appendValue(dst []parquet.Value, c int, a arrow.Array, i, rep, depth, def int) []parquet.Value {
	if a.IsNull(i) {
		return append(dst, parquet.NullValue().Level(rep, def-1, c))
	}
	list, ok := a.(*array.FixedSizeList)
	if !ok {
		return append(dst, p.leaves[c](a, i).Level(rep, def, c))
	}
	start, end := list.ValueOffsets(i)
	if start == end {
		return append(dst, parquet.NullValue().Level(rep, def, c))
	}
	for j := start; j < end; j++ {
		dst = p.appendValue(dst, c, list.ListValues(), int(j), rep, depth+1, def+1)
		rep = depth + 1
	}
	return dst
}

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
		return withDictionary(parquet.Leaf(parquet.FixedLenByteArrayType(t.ByteWidth))),
			func(a arrow.Array, i int) parquet.Value {
				return parquet.FixedLenByteArrayValue(a.(*array.FixedSizeBinary).Value(i))
			}, nil
	case *arrow.TimestampType:
		units := map[arrow.TimeUnit]parquet.TimeUnit{arrow.Millisecond: parquet.Millisecond, arrow.Microsecond: parquet.Microsecond, arrow.Nanosecond: parquet.Nanosecond}
		unit, factor := units[t.Unit], int64(1)
		if unit == nil { // Parquet has no seconds
			unit, factor = parquet.Millisecond, 1000
		}
		return withDictionary(parquet.TimestampAdjusted(unit, t.TimeZone != "")),
			func(a arrow.Array, i int) parquet.Value {
				return parquet.Int64Value(int64(a.(*array.Timestamp).Value(i)) * factor)
			}, nil
	}
	if n, ok := simpleNodes[t.ID()]; ok {
		return n.node, n.leaf, nil
	}
	return nil, nil, unsupported("", t.String())
}

func withDictionary(n parquet.Node) parquet.Node { return parquet.Encoded(n, &parquet.RLEDictionary) }

type simpleNode struct {
	node parquet.Node
	leaf func(a arrow.Array, i int) parquet.Value
}

var simpleNodes = map[arrow.Type]simpleNode{
	arrow.INT8:    simple(parquet.Int(8), func(x int8) parquet.Value { return parquet.Int32Value(int32(x)) }),
	arrow.INT16:   simple(parquet.Int(16), func(x int16) parquet.Value { return parquet.Int32Value(int32(x)) }),
	arrow.INT32:   simple(parquet.Int(32), parquet.Int32Value),
	arrow.INT64:   simple(withDictionary(parquet.Leaf(parquet.Int64Type)), parquet.Int64Value),
	arrow.UINT8:   simple(parquet.Uint(8), func(x uint8) parquet.Value { return parquet.Int32Value(int32(x)) }),
	arrow.UINT16:  simple(parquet.Uint(16), func(x uint16) parquet.Value { return parquet.Int32Value(int32(x)) }),
	arrow.UINT32:  simple(parquet.Uint(32), func(x uint32) parquet.Value { return parquet.Int32Value(int32(x)) }),
	arrow.UINT64:  simple(parquet.Uint(64), func(x uint64) parquet.Value { return parquet.Int64Value(int64(x)) }),
	arrow.FLOAT32: simple(parquet.Leaf(parquet.FloatType), parquet.FloatValue),
	arrow.FLOAT64: simple(withDictionary(parquet.Leaf(parquet.DoubleType)), parquet.DoubleValue),
	arrow.BOOL:    simple(parquet.Leaf(parquet.BooleanType), parquet.BooleanValue),
	arrow.DATE32:  simple(withDictionary(parquet.Date()), func(x arrow.Date32) parquet.Value { return parquet.Int32Value(int32(x)) }),
	arrow.STRING:  simple(withDictionary(parquet.String()), func(x string) parquet.Value { return parquet.ByteArrayValue([]byte(x)) }),
	arrow.BINARY:  simple(parquet.Leaf(parquet.ByteArrayType), parquet.ByteArrayValue),
}

func simple[T any](n parquet.Node, convert func(T) parquet.Value) simpleNode {
	return simpleNode{n, func(a arrow.Array, i int) parquet.Value { return convert(a.(interface{ Value(int) T }).Value(i)) }}
}
