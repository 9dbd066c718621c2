package rawfile

import (
	"fmt"
	"io"
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
	r.next = u32(page)
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

// Class is the storage class of a column.
type Class byte

// The storage classes.
const (
	Null Class = iota
	Int
	Float
	Text
	Blob
)

// field is where a column lies in its record.
type field struct {
	class  Class
	konst  int64 // the value of the types that take no bytes
	off, n int64
}

// Record is a row without its row id.
type Record struct {
	payload Payload
	fields  []field
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
	size, at := varint(head, 0)
	if at == 0 || size > uint64(len(head)) || size < uint64(at) {
		return bad()
	}
	r := &Record{payload: p}
	off := int64(size)
	for at < int(size) {
		var serial uint64
		if serial, at = varint(head[:size], at); at == 0 || len(r.fields) == maxFields {
			return bad()
		}
		f, ok := fieldOf(serial)
		if f.off = off; !ok || f.n > p.Size-off {
			return bad()
		}
		off += f.n
		r.fields = append(r.fields, f)
	}
	if off != p.Size {
		return bad()
	}
	return r, nil
}

func fieldOf(serial uint64) (field, bool) {
	switch {
	case serial == 0:
		return field{}, true
	case serial <= 6:
		return field{class: Int, n: [...]int64{0, 1, 2, 3, 4, 6, 8}[serial]}, true
	case serial == 7:
		return field{class: Float, n: 8}, true
	case serial == 8 || serial == 9:
		return field{class: Int, konst: int64(serial - 8)}, true
	case serial < 12 || serial > 1<<33:
		return field{}, false
	case serial%2 == 0:
		return field{class: Blob, n: int64(serial-12) / 2}, true
	}
	return field{class: Text, n: int64(serial-13) / 2}, true
}

// Len is how many columns there are.
func (r *Record) Len() int { return len(r.fields) }

// Class returns the storage class of a column, counted from 0; Null for one that was added after the row.
func (r *Record) Class(i int) Class {
	if i >= len(r.fields) {
		return Null
	}
	return r.fields[i].class
}

// Size is the length of a column in bytes.
func (r *Record) Size(i int) int64 {
	if i >= len(r.fields) {
		return 0
	}
	return r.fields[i].n
}

// Int returns an integer column; 0 if it is none.
func (r *Record) Int(i int) (int64, error) {
	if r.Class(i) != Int {
		return 0, nil
	}
	if r.fields[i].n == 0 {
		return r.fields[i].konst, nil
	}
	b, err := r.Bytes(i, 8)
	if err != nil {
		return 0, err
	}
	return signed(b), nil
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
	err := rd.skip(r.fields[i].off)
	return io.LimitReader(rd, r.fields[i].n), err
}
