package rawfile

import (
	"fmt"
	"io"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/fileformat"
)

// Payload is the bytes of a record: some on its page, the rest on a chain of overflow pages.
type Payload struct {
	f     *File
	Size  int64
	local []byte
	next  uint32
}

// payloadReader reads a payload from its start.
type payloadReader struct {
	f    *File
	rest []byte // of the page at hand
	next uint32
	left int64
}

func (p *Payload) reader() *payloadReader {
	return &payloadReader{p.f, p.local, p.next, p.Size}
}

// more makes sure that there are bytes at hand.
func (r *payloadReader) more() error {
	if r.left == 0 {
		return io.EOF
	}
	if len(r.rest) > 0 {
		return nil
	}
	page, err := r.f.page(r.next)
	if err != nil {
		return fmt.Errorf("overflow: %w", err)
	}
	if kind, _ := r.f.entry(r.next); r.f.isMap(r.next) || kind > 0 && kind != mapOverflow1 && kind != mapOverflow2 {
		return fmt.Errorf("%w: page %d is no overflow page", ErrDamaged, r.next)
	}
	r.next = fileformat.U32(page)
	r.rest = page[4:min(int64(r.f.usable), 4+r.left)]
	return nil
}

// Read reads on.
func (r *payloadReader) Read(p []byte) (int, error) {
	if err := r.more(); err != nil {
		return 0, err
	}
	n := copy(p, r.rest)
	r.rest, r.left = r.rest[n:], r.left-int64(n)
	return n, nil
}

func (r *payloadReader) skip(n int64) error {
	for n > 0 {
		if err := r.more(); err != nil {
			return err
		}
		k := min(n, int64(len(r.rest)))
		r.rest, r.left, n = r.rest[k:], r.left-k, n-k
	}
	return nil
}

// Record is a row without its row id.
type Record struct {
	payload Payload
	fields  []fileformat.Column
	place   uint64 // of a row of a table: how many rows are before it
}

// maxFields is more columns than any table here has.
const maxFields = 64

// record reads the header of a record, and holds it against the record's length.
func (p Payload) record() (*Record, error) {
	bad := func() (*Record, error) {
		return nil, fmt.Errorf("%w: a record of %d bytes has an impossible header", ErrDamaged, p.Size)
	}
	head := make([]byte, min(p.Size, 9*maxFields))
	if _, err := io.ReadFull(p.reader(), head); err != nil {
		return nil, err
	}
	h, ok := fileformat.ParseRecord(head, p.Size)
	if !ok {
		return bad()
	}
	r := &Record{payload: p}
	for h.More() {
		c, ok := h.Next()
		if !ok || len(r.fields) == maxFields {
			return bad()
		}
		r.fields = append(r.fields, c)
	}
	if h.End() != p.Size {
		return bad()
	}
	return r, nil
}

// Len is how many columns there are.
func (r *Record) Len() int { return len(r.fields) }

// Class returns the storage class of a column, counted from 0; fileformat.Null for one that was added after the row.
func (r *Record) Class(i int) fileformat.Class {
	if i >= len(r.fields) {
		return fileformat.Null
	}
	return r.fields[i].Class
}

// Size is the length of a column in bytes.
func (r *Record) Size(i int) int64 {
	if i >= len(r.fields) {
		return 0
	}
	return r.fields[i].Size
}

// Int returns an integer column; 0 if it is none.
func (r *Record) Int(i int) (int64, error) {
	if r.Class(i) != fileformat.Int {
		return 0, nil
	}
	if r.fields[i].Size == 0 {
		return r.fields[i].Const, nil
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
		return nil, fmt.Errorf("%w: %d bytes where at most %d can be", ErrDamaged, n, limit)
	}
	b := make([]byte, n)
	rd, err := r.Reader(i)
	if err == nil {
		_, err = io.ReadFull(rd, b)
	}
	return b, err
}

// Reader returns the bytes of a column.
func (r *Record) Reader(i int) (io.Reader, error) {
	if i >= len(r.fields) {
		return io.MultiReader(), nil
	}
	rd := r.payload.reader()
	err := rd.skip(r.fields[i].Off)
	return io.LimitReader(rd, r.fields[i].Size), err
}
