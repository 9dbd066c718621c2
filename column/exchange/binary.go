package exchange

import (
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
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
