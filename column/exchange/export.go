package exchange

import (
	"compress/gzip"
	"context"
	"io"
	"iter"
	"math"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/internal/batches"
)

// ExportOptions are for Export. Nil and the zero value export everything.
type ExportOptions struct {
	// Prefix begins the names of all columns, as "flights/" does, and is left out in the file.
	Prefix string
	// From and To are the numbers of the first row, and of the one behind the last. Negative ones
	// count from the end, and To 0 is the end. They are moved to the nearest row if there is none
	// by that number.
	From, To int64
	// Rows, if not nil, gives the numbers of the rows to export, in the order in which they are to
	// be written; From and To do not count then. It is called with the transaction that reads the
	// columns, and their length. An error ends the export.
	Rows func(ctx context.Context, tx *kvault.Tx, length int64) iter.Seq2[int64, error]
	// TypedNames writes name:type for each name in the first line of CSV, so that Import can make
	// the columns anew.
	TypedNames bool
	// Delimiter and Null are as in ImportOptions.
	Delimiter byte
	Null      string
	// Gzip compresses the formats that are text. Parquet is compressed as it is.
	Gzip bool
	// Progress, if not nil, is told the rows written and how many there are, or -1 with Rows, now
	// and then.
	Progress func(done, total int64)
}

// Export writes columns of equal length as a table, all in one state, and returns the number of its
// rows. Without names they are all those with the Prefix of the options, in the order they were
// made; ErrNotFound if there is none.
func Export(ctx context.Context, v *kvault.Vault, w io.Writer, f Format, names []string, o *ExportOptions) (rows int64, err error) {
	if o == nil {
		o = &ExportOptions{}
	}
	var own error
	err = column.View(ctx, v, func(tx *kvault.Tx) error {
		rows, own = export(ctx, tx, w, f, names, o)
		return own
	})
	if own != nil {
		err = own
	}
	return rows, err
}

func export(ctx context.Context, tx *kvault.Tx, w io.Writer, f Format, names []string, o *ExportOptions) (rows int64, err error) {
	if len(names) == 0 && o.Prefix != "" {
		if names, err = headingsBelow(ctx, tx, o.Prefix); err != nil {
			return 0, err
		}
	}
	columns, length, err := open(ctx, tx, o.Prefix, names)
	if err != nil {
		return 0, err
	}
	to := o.To
	if to == 0 {
		to = math.MaxInt64
	}
	from, to := clamp(o.From, length), clamp(to, length)
	t := &table{rows: max(to-from, 0)}
	for i, c := range columns {
		s, err := newSource(ctx, c, from, to)
		if err != nil {
			return 0, err
		}
		t.sources = append(t.sources, headed{s, names[i]})
	}
	w, finish, err := compressed(w, f, o)
	if err != nil {
		return 0, err
	}
	if f == Parquet {
		t.columnar, err = newParquetEncoder(w, t.sources)
	} else {
		t.out, err = newEncoder(f, w, t.sources, o)
	}
	if err != nil {
		return 0, err
	}
	if o.Rows == nil {
		rows, err = t.write(0, t.rows, o.Progress)
	} else {
		t.rows = -1
		rows, err = t.writePicked(o.Rows(ctx, tx, length), o.Progress)
	}
	if err != nil {
		return rows, err
	}
	if err := t.close(); err != nil {
		return rows, failed("export", "", err)
	}
	return rows, failed("export", "", finish())
}

// compressed returns what to write a table to, and what to call behind it.
func compressed(w io.Writer, f Format, o *ExportOptions) (io.Writer, func() error, error) {
	if !o.Gzip {
		return w, func() error { return nil }, nil
	}
	if f.binary() {
		return nil, nil, invalid("", "%s is not compressed with gzip: only text is", f)
	}
	z := gzip.NewWriter(w)
	return z, z.Close, nil
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
	case CSV, TSV:
		return newCSVEncoder(w, sources, f, o)
	case NDJSON:
		return newJSONEncoder(w, sources), nil
	case Lines:
		return newLineEncoder(w, sources, o)
	case Arrow:
		return newArrowEncoder(w, sources)
	case Arrows:
		return newStreamEncoder(w, sources)
	}
	return nil, invalid("", "unknown format %q: use one of %q", f, Formats)
}

// table is the columns that are being exported.
type table struct {
	sources []source
	rows    int64
	step    int // rows to read at a time
	// One of these writes them: row by row, or many rows of a column before those of the next.
	out      encoder
	columnar *parquetEncoder
}

func (t *table) close() error {
	if t.columnar != nil {
		return t.columnar.close()
	}
	return t.out.close()
}

// write writes the next n rows of the sources, and returns how many have been written with those
// before.
func (t *table) write(rows, n int64, progress func(done, total int64)) (int64, error) {
	for end := rows + n; rows < end; {
		n, err := t.some(end - rows)
		if err != nil {
			return rows, err
		}
		if rows += n; progress != nil {
			progress(rows, t.rows)
		}
	}
	return rows, nil
}

// some writes some rows, at most that many.
func (t *table) some(most int64) (int64, error) {
	if t.columnar != nil {
		n, err := t.columnar.write(most)
		return n, failed("export", "", err)
	}
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

// rowsOfAGroup is how many rows chosen by number make a row group of Parquet. Their numbers take a
// megabyte.
const rowsOfAGroup = 128 << 10

// writePicked writes the rows of those numbers, and returns how many have been written.
func (t *table) writePicked(numbers iter.Seq2[int64, error], progress func(done, total int64)) (rows int64, err error) {
	most := rowsAtOnce
	if t.columnar != nil {
		most = rowsOfAGroup
	}
	for batch, err := range batches.Of(numbers, most) {
		if err != nil {
			return rows, err
		}
		for _, s := range t.sources {
			s.pick(batch)
		}
		if rows, err = t.write(rows, int64(len(batch)), progress); err != nil {
			return rows, err
		}
	}
	return rows, nil
}

// sampleRows of each column tell how long rows are.
const sampleRows = 64

// next is how many rows can be written now: all columns have them in memory. Together they take no
// more than some megabytes.
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
