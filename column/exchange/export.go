package exchange

import (
	"context"
	"io"
	"math"

	"github.com/kohakuvault/kvault"
)

// ExportOptions are for Export. Nil and the zero value export everything.
type ExportOptions struct {
	// From and To are the numbers of the first row, and of the one behind the last. Negative ones count from the end, and To 0 is
	// the end. They are moved to the nearest row if there is none by that number.
	From, To int64
	// TypedNames writes name:type for each name in the first line of CSV, so that Import can make the columns anew.
	TypedNames bool
	// Progress, if not nil, is told the rows written and how many there are, now and then.
	Progress func(done, total int64)
}

// Export writes columns of equal length as a table, all in one state, and returns the number of its rows.
func Export(ctx context.Context, v *kvault.Vault, w io.Writer, f Format, names []string, o *ExportOptions) (rows int64, err error) {
	if o == nil {
		o = &ExportOptions{}
	}
	var own error
	err = v.View(ctx, func(tx *kvault.Tx) error {
		rows, own = export(ctx, tx, w, f, names, o)
		return own
	})
	if own != nil {
		err = own
	}
	return rows, err
}

func export(ctx context.Context, tx *kvault.Tx, w io.Writer, f Format, names []string, o *ExportOptions) (rows int64, err error) {
	columns, length, err := open(ctx, tx, names)
	if err != nil {
		return 0, err
	}
	to := o.To
	if to == 0 {
		to = math.MaxInt64
	}
	from, to := clamp(o.From, length), clamp(to, length)
	t := &table{rows: max(to-from, 0)}
	for _, c := range columns {
		s, err := newSource(ctx, c, from, to)
		if err != nil {
			return 0, err
		}
		t.sources = append(t.sources, s)
	}
	if t.out, err = newEncoder(f, w, t.sources, o); err != nil {
		return 0, err
	}
	for rows < t.rows {
		n, err := t.write()
		if err != nil {
			return rows, err
		}
		if rows += n; o.Progress != nil {
			o.Progress(rows, t.rows)
		}
	}
	return rows, failed("export", "", t.out.close())
}

func clamp(i, n int64) int64 {
	if i < 0 {
		i += n
	}
	return min(max(i, 0), n)
}

// encoder writes rows in one of the formats.
type encoder interface {
	// write writes the next n rows of the sources.
	write(n int) error
	close() error
}

func newEncoder(f Format, w io.Writer, sources []source, o *ExportOptions) (encoder, error) {
	switch f {
	case CSV:
		return newCSVEncoder(w, sources, o.TypedNames)
	case NDJSON:
		return newJSONEncoder(w, sources), nil
	case Lines:
		return newLineEncoder(w, sources), nil
	case Arrow:
		return newArrowEncoder(w, sources)
	case Parquet:
		return newParquetEncoder(w, sources)
	}
	return nil, invalid("", "unknown format %q: use one of %q", f, Formats)
}

// table is the columns that are being exported.
type table struct {
	sources []source
	rows    int64
	step    int // rows to read at a time
	out     encoder
}

// write writes some rows.
func (t *table) write() (int64, error) {
	n, err := t.next()
	if err != nil {
		return 0, err
	}
	if err := t.out.write(n); err != nil {
		return 0, failed("export", "", err)
	}
	for _, s := range t.sources {
		s.skip(n)
	}
	return int64(n), nil
}

// sampleRows of each column tell how long rows are.
const sampleRows = 64

// next is how many rows can be written now: all columns have them in memory. Together they take no more than some megabytes.
func (t *table) next() (int, error) {
	if t.step == 0 {
		t.step = sampleRows
	}
	n, bytes, rows := rowsAtOnce, 0, 1
	for _, s := range t.sources {
		has, err := s.ready(t.step)
		if err != nil {
			return 0, err
		}
		n, bytes, rows = min(n, has), bytes+s.bytes(), max(rows, has)
	}
	t.step = max(1, min(rowsAtOnce, bytesAtOnce/max(1, bytes/rows)))
	return n, nil
}
