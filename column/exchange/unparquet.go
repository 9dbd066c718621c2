package exchange

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column/exchange/internal/parquet"
)

// parquetDecoder reads a row group column by column, each from its first page to the last. Columns
// have different lengths in between, and equal ones behind each row group.
type parquetDecoder struct {
	f     *parquet.File
	heads []heading

	group, column int
	chunk         *parquet.Chunk // that is being read, or nil
	rows          int64          // of it that its sink has
}

func newParquetDecoder(r io.Reader) (_ decoder, err error) {
	defer guard(Parquet, &err)
	at, err := seekable(r, Parquet)
	if err != nil {
		return nil, err
	}
	size, err := at.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, unreadable(Parquet, err)
	}
	o := parquet.ReadOptions{Allocator: limitedMemory, ArrowSchema: arrowSchema}
	f, err := parquet.Open(at, size, o)
	if err != nil {
		return nil, unreadable(Parquet, err)
	}
	d := &parquetDecoder{f: f}
	for i := range f.Columns() {
		d.heads = append(d.heads, headingOf(f.Column(i)))
	}
	return d, nil
}

// arrowSchema reads a schema in the IPC format, or returns nil.
func arrowSchema(message []byte) *arrow.Schema {
	if checkMessage(message) != nil {
		return nil
	}
	in, err := ipc.NewReader(bytes.NewReader(message), ipc.WithAllocator(limitedMemory))
	if err != nil {
		return nil
	}
	defer in.Release()
	return in.Schema()
}

func (d *parquetDecoder) headings() []heading { return d.heads }

func (d *parquetDecoder) nulls(column int) (some, known bool) { return d.f.Nulls(column) }

func (d *parquetDecoder) close() {
	if d.chunk != nil {
		d.chunk.Close()
		d.chunk = nil
	}
}

func (d *parquetDecoder) next(sinks []sink) (rows int, err error) {
	defer guard(Parquet, &err)
	if d.group == d.f.Groups() {
		return 0, io.EOF
	}
	if d.column == len(d.heads) {
		d.column = 0
		d.group++
		return int(d.f.Rows(d.group - 1)), nil
	}
	if s := sinks[d.column]; s == nil {
		d.column++
	} else if err := d.some(s); err != nil {
		return int(d.rows), err
	}
	return 0, nil
}

// some appends the next rows of the column to its sink.
func (d *parquetDecoder) some(s sink) (err error) {
	if d.chunk == nil {
		d.rows = 0
		if d.chunk, err = d.f.Chunk(d.group, d.column); err != nil {
			return d.misfit(err)
		}
	}
	a, err := d.chunk.Next(rowsAtOnce, bytesAtOnce)
	if err == io.EOF {
		d.close()
		d.column++
		return nil
	}
	if err != nil {
		d.rows = d.chunk.Row()
		return d.misfit(err)
	}
	defer a.Release()
	added, err := s.addArrows(a, 0, a.Len())
	d.rows += int64(added)
	return err
}

// misfit is an error about the column that is being read.
func (d *parquetDecoder) misfit(err error) error {
	kind := kvault.ErrInvalid
	if large := (*parquet.TooLargeError)(nil); errors.As(err, &large) {
		kind = kvault.ErrTooLarge
	}
	if not := (*parquet.UnsupportedError)(nil); errors.As(err, &not) {
		kind = kvault.ErrUnsupported
	}
	return &misfit{column: d.heads[d.column].name, err: fmt.Errorf("%w: %w", kind, err)}
}
