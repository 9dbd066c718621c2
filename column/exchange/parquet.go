package exchange

import (
	"io"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/kohakuvault/kvault/column/exchange/internal/parquet"
)

// Bounds of row groups, and of their pages. A reader may hold a whole group.
const (
	rowGroupRows  = 1 << 20
	rowGroupBytes = 128 << 20
	pageRows      = 20_000
)

// parquetEncoder writes row groups column by column.
type parquetEncoder struct {
	w        *parquet.Writer
	sources  []source
	builders []array.Builder
}

func newParquetEncoder(w io.Writer, sources []source) (*parquetEncoder, error) {
	schema := schemaOf(sources)
	out, err := parquet.NewWriter(w, schema)
	if err != nil {
		return nil, failed("export", "", err)
	}
	p := &parquetEncoder{w: out, sources: sources}
	for _, f := range schema.Fields() {
		p.builders = append(p.builders, array.NewBuilder(memory.DefaultAllocator, f.Type))
	}
	return p, nil
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
	rows := min(most, rowGroupRows, int64(max(1, rowGroupBytes/max(rowBytes, 1))))
	for i, s := range p.sources {
		if err := p.writeColumn(s, p.builders[i], rows); err != nil {
			return 0, err
		}
	}
	return rows, nil
}

// writeColumn writes the next rows of a column.
func (p *parquetEncoder) writeColumn(s source, b array.Builder, rows int64) error {
	for rows > 0 {
		n, err := s.ready(int(min(rows, pageRows)))
		if err != nil {
			return err
		}
		n = int(min(rows, int64(n)))
		s.build(b, n)
		a := b.NewArray()
		err = p.w.Write(a)
		a.Release()
		if err != nil {
			return failed("export", s.name(), err)
		}
		s.skip(n)
		rows -= int64(n)
	}
	return failed("export", s.name(), p.w.EndColumn())
}

func (p *parquetEncoder) close() error {
	for _, b := range p.builders {
		b.Release()
	}
	return p.w.Close()
}
