package driver

import (
	"io"

	"github.com/ncruces/go-sqlite3"
)

// Blob reads or writes one cell in place. Opening it for reading outside a transaction pins a
// snapshot until it is closed.
type Blob struct {
	b *sqlite3.Blob
	c *Conn
}

// OpenBlob opens the cell of table at row.
func (c *Conn) OpenBlob(table, column string, row int64, write bool) (_ *Blob, err error) {
	defer guard(c, &err)
	b, err := c.c.OpenBlob("main", table, column, row, write)
	if err != nil {
		return nil, wrapCompiled(err)
	}
	return &Blob{b: b, c: c}, nil
}

// Reopen moves the handle to another row of the same table.
func (b *Blob) Reopen(row int64) (err error) {
	defer guard(b.c, &err)
	return wrapCompiled(b.b.Reopen(row))
}

// Size is the cell's length in bytes.
func (b *Blob) Size() int64 { return b.b.Size() }

// ReadAt fills p from off, which must lie inside the cell with all of p.
func (b *Blob) ReadAt(p []byte, off int64) (err error) {
	defer guard(b.c, &err)
	if _, err := b.b.Seek(off, io.SeekStart); err != nil {
		return wrap(err)
	}
	n, err := b.b.Read(p)
	if n == len(p) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return wrap(err)
}

// WriteAt writes p at off, inside the cell.
func (b *Blob) WriteAt(p []byte, off int64) (err error) {
	defer guard(b.c, &err)
	if _, err := b.b.Seek(off, io.SeekStart); err != nil {
		return wrap(err)
	}
	_, err = b.b.Write(p)
	return wrap(err)
}

// Close releases the handle.
func (b *Blob) Close() (err error) {
	defer guard(b.c, &err)
	return wrap(b.b.Close())
}
