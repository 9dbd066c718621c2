package rawfile

import (
	"io"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/fileformat"
)

// chainReader reads the bytes of a record: some lie on its page, the rest on a chain of overflow
// pages.
type chainReader struct {
	f    *File
	rest []byte // of the current page
	next uint32
	left int64
}

// fill makes sure that rest has bytes.
func (r *chainReader) fill() error {
	if r.left == 0 {
		return io.EOF
	}
	if len(r.rest) > 0 {
		return nil
	}
	page, err := r.f.page(r.next)
	if err != nil {
		return err
	}
	kind, _ := r.f.entry(r.next)
	if r.f.isMap(r.next) || kind > 0 && kind != mapOverflow1 && kind != mapOverflow2 {
		return Damaged("page %d is no overflow page", r.next)
	}
	r.next = fileformat.U32(page)
	r.rest = page[fileformat.LinkBytes:min(int64(r.f.usable), fileformat.LinkBytes+r.left)]
	return nil
}

// Read reads on.
func (r *chainReader) Read(p []byte) (int, error) {
	if err := r.fill(); err != nil {
		return 0, err
	}
	n := copy(p, r.rest)
	r.rest, r.left = r.rest[n:], r.left-int64(n)
	return n, nil
}

func (r *chainReader) skip(n int64) error {
	for n > 0 {
		if err := r.fill(); err != nil {
			return err
		}
		k := min(n, int64(len(r.rest)))
		r.rest, r.left, n = r.rest[k:], r.left-k, n-k
	}
	return nil
}

// Record is a row without its row id, or an entry of an index.
type Record struct {
	f      *File
	cell   cell
	fields []fileformat.Column
	place  uint64 // of a row of a table: how many rows are before it
}

// RecordResult is a record, or why there is none.
type RecordResult struct {
	*Record
	Err error
}

// maxFields is more columns than any table here has.
const maxFields = 64

// record reads the header of a cell's record, and checks it against the record's length.
func (p *page) record(i int) (r RecordResult) {
	c, err := p.cell(i)
	if err != nil {
		return RecordResult{nil, err}
	}
	rec := &Record{f: p.f, cell: c}
	head := make([]byte, min(c.size, 9*maxFields))
	if _, err := io.ReadFull(rec.reader(), head); err != nil {
		return RecordResult{nil, err}
	}
	h, ok := fileformat.ParseRecord(head, c.size)
	for ok && h.More() && len(rec.fields) < maxFields {
		var column fileformat.Column
		column, ok = h.Next()
		rec.fields = append(rec.fields, column)
	}
	if !ok || h.More() || h.End() != c.size {
		return RecordResult{nil, Damaged("a record of %d bytes has an impossible header", c.size)}
	}
	return RecordResult{rec, nil}
}

func (r *Record) reader() *chainReader {
	return &chainReader{r.f, r.cell.local, r.cell.next, r.cell.size}
}

// Len returns the number of columns.
func (r *Record) Len() int { return len(r.fields) }

// column returns what the header says of a column; NULL for one that was added after the row.
func (r *Record) column(i int) fileformat.Column {
	if i >= len(r.fields) {
		return fileformat.Column{}
	}
	return r.fields[i]
}

// Class returns the storage class of a column, counted from 0.
func (r *Record) Class(i int) fileformat.Class { return r.column(i).Class }

// Size returns the length of a column in bytes.
func (r *Record) Size(i int) int64 { return r.column(i).Size }

// Int returns an integer column; 0 if it is none.
func (r *Record) Int(i int) (int64, error) {
	c := r.column(i)
	if c.Class != fileformat.Int || c.Size == 0 {
		return c.Const, nil
	}
	b, err := r.Bytes(i, 8)
	if err != nil {
		return 0, err
	}
	return fileformat.Signed(b), nil
}

// Bytes returns the bytes of a column of at most limit.
func (r *Record) Bytes(i int, limit int64) ([]byte, error) {
	n := r.Size(i)
	if n > limit {
		return nil, Damaged("%d bytes where at most %d can be", n, limit)
	}
	b := make([]byte, n)
	_, err := io.ReadFull(r.Reader(i), b)
	return b, err
}

// Reader returns a reader of the bytes of a column.
func (r *Record) Reader(i int) io.Reader {
	rd := r.reader()
	if err := rd.skip(r.column(i).Off); err != nil {
		return failingReader{err}
	}
	return io.LimitReader(rd, r.Size(i))
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }
