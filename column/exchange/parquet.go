package exchange

import (
	"io"

	"github.com/apache/arrow-go/v18/arrow"
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

// parquetEncoder writes row groups column by column. One goroutine reads the columns while another
// encodes, compresses and writes their pages: each takes about half of the time.
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
	pages, stopped := make(chan arrow.Array, 1), make(chan struct{})
	var failure error
	go func() {
		defer close(stopped)
		failure = p.encode(pages)
	}()
	err := p.read(rows, pages, stopped)
	close(pages)
	<-stopped
	if failure != nil {
		err = failure
	}
	return rows, err
}

// read reads the next rows of all columns, and sends them page by page, with nil behind each
// column.
func (p *parquetEncoder) read(rows int64, pages chan<- arrow.Array, stopped <-chan struct{}) error {
	for i, s := range p.sources {
		if err := p.readColumn(s, p.builders[i], rows, pages, stopped); err != nil {
			return err
		}
	}
	return nil
}

func (p *parquetEncoder) readColumn(s source, b array.Builder, rows int64, pages chan<- arrow.Array,
	stopped <-chan struct{}) error {
	for rows > 0 {
		n, err := s.ready(int(min(rows, pageRows)))
		if err != nil {
			return err
		}
		n = int(min(rows, int64(n)))
		s.build(b, n)
		select {
		case pages <- b.NewArray():
		case <-stopped:
			return nil
		}
		s.skip(n)
		rows -= int64(n)
	}
	select {
	case pages <- nil:
	case <-stopped:
	}
	return nil
}

// encode writes the pages of a row group, until there are no more or one could not be written.
func (p *parquetEncoder) encode(pages <-chan arrow.Array) error {
	column := 0
	for a := range pages {
		name := p.sources[column].name()
		if a == nil {
			if err := p.w.EndColumn(); err != nil {
				return failed("export", name, err)
			}
			column++
			continue
		}
		err := p.w.Write(a)
		a.Release()
		if err != nil {
			return failed("export", name, err)
		}
	}
	return nil
}

func (p *parquetEncoder) close() error {
	for _, b := range p.builders {
		b.Release()
	}
	return p.w.Close()
}
