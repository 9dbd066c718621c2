package exchange

import (
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

func newStreamEncoder(w io.Writer, sources []source) (encoder, error) {
	schema := schemaOf(sources)
	return newBinaryEncoder(sources, schema, ipc.NewWriter(w, ipc.WithSchema(schema)), nil)
}

// newStreamDecoder reads the form of Arrow that has no directory at its end, and so needs no file.
func newStreamDecoder(r io.Reader) (_ decoder, err error) {
	defer guard(Arrows, &err)
	in, err := ipc.NewReader(r, ipc.WithAllocator(bounded{memory.DefaultAllocator}))
	if err != nil {
		return nil, unreadable(Arrows, err)
	}
	d := &binaryDecoder{done: in.Release}
	for _, f := range in.Schema().Fields() {
		d.heads = append(d.heads, heading{name: f.Name, typ: typeOf(f.Type)})
	}
	d.read = func() (arrow.RecordBatch, error) {
		if !in.Next() {
			if err := in.Err(); err != nil {
				return nil, err
			}
			return nil, io.EOF
		}
		rec := in.RecordBatch()
		rec.Retain()
		return rec, nil
	}
	return d, nil
}
