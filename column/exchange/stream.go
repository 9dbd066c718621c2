package exchange

import (
	"io"

	"github.com/apache/arrow-go/v18/arrow/ipc"
)

func newStreamEncoder(w io.Writer, sources []source) (encoder, error) {
	schema := schemaOf(sources)
	return newBinaryEncoder(sources, schema, ipc.NewWriter(w, ipc.WithSchema(schema)), nil)
}
