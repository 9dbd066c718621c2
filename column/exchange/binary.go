package exchange

import (
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// recordWriter is what the writers of Arrow and Parquet files have in common.
type recordWriter interface {
	Write(arrow.RecordBatch) error
	Close() error
}

// binaryEncoder writes rows as record batches.
type binaryEncoder struct {
	sources []source
	builder *array.RecordBuilder
	w       recordWriter
}

func newArrowEncoder(w io.Writer, sources []source) (encoder, error) {
	schema := schemaOf(sources)
	out, err := ipc.NewFileWriter(w, ipc.WithSchema(schema))
	return newBinaryEncoder(sources, schema, out, err)
}

func newParquetEncoder(w io.Writer, sources []source) (encoder, error) {
	schema := schemaOf(sources)
	out, err := pqarrow.NewFileWriter(schema, struct{ io.Writer }{w}, // it would close a file that is not its own
		parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Zstd)), pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	return newBinaryEncoder(sources, schema, parquetWriter{out}, err)
}

// parquetWriter gathers batches to row groups of a useful size, which it has to hold in memory.
type parquetWriter struct{ *pqarrow.FileWriter }

const rowGroupBytes = 64 << 20

func (p parquetWriter) Write(rec arrow.RecordBatch) error {
	if err := p.WriteBuffered(rec); err != nil {
		return err
	}
	if p.RowGroupTotalBytesWritten() < rowGroupBytes {
		return nil
	}
	return p.NewBufferedRowGroupChecked()
}

func newBinaryEncoder(sources []source, schema *arrow.Schema, w recordWriter, err error) (encoder, error) {
	if err != nil {
		return nil, failed("export", "", err)
	}
	return &binaryEncoder{sources, array.NewRecordBuilder(memory.DefaultAllocator, schema), w}, nil
}

func schemaOf(sources []source) *arrow.Schema {
	fields := make([]arrow.Field, len(sources))
	for i, s := range sources {
		fields[i] = arrow.Field{Name: s.name(), Type: s.arrowType(), Nullable: s.nullable()}
	}
	return arrow.NewSchema(fields, nil)
}

func (e *binaryEncoder) write(n int) error {
	for i, s := range e.sources {
		s.build(e.builder.Field(i), n)
	}
	rec := e.builder.NewRecordBatch()
	defer rec.Release()
	return e.w.Write(rec)
}

func (e *binaryEncoder) close() error {
	e.builder.Release()
	return e.w.Close()
}
