package fastread

import (
	"bytes"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/fileformat"
)

// entry is a cell of an index whose entries are a key and a row id.
type entry struct {
	record []byte // what the page has of it
	size   int    // of all of it
	class  fileformat.Class
	key    []byte // what the page has of it
	length int    // of the whole key
	row    fileformat.Column
	hasRow bool // says that row is all that follows the key
}

// parse takes a cell apart.
func (e *entry) parse(p *page, i int) error {
	at, err := p.cell(i)
	if err != nil {
		return err
	}
	if !p.kind.Leaf() {
		at += 4
	}
	return e.parseAt(p, at)
}

// parseAt is parse of the cell whose record's length is at a place.
func (e *entry) parseAt(p *page, at int) error {
	size, n := fileformat.Varint(p.data[at:])
	if n == 0 || size > fileformat.MaxSize {
		return ErrFallback
	}
	at += n
	end := at + p.kind.Local(len(p.data), int(size))
	if end > len(p.data) {
		return ErrFallback
	}
	e.record, e.size = p.data[at:end], int(size)
	head, ok := fileformat.ParseRecord(e.record, int64(size))
	if !ok {
		return ErrFallback
	}
	key, ok := head.Next()
	if !ok {
		return ErrFallback
	}
	e.class, e.length = key.Class, int(key.Size)
	e.key = e.record[key.Off:min(key.Off+key.Size, int64(len(e.record)))]
	e.row, e.hasRow = head.Next()
	e.hasRow = e.hasRow && !head.More() && head.End() == int64(size) && e.row.Class == fileformat.Int
	return nil
}

// shortEntry is the longest record of which every page has room for the whole.
const shortEntry = 94

// shortKey finds the key of most cells quickly: those of short records, with a key that is a blob
// and a header of one byte for each of its three numbers. The record begins at p[1].
func shortKey(p []byte) (key []byte, ok bool) {
	if len(p) < 4 || p[0] > shortEntry || int(p[0]) >= len(p) || p[1] != 3 ||
		p[2] < 12 || p[2] >= 0x80 || p[2]%2 != 0 {
		return nil, false
	}
	length := int(p[2]-12) / 2
	if 3+length > int(p[0]) {
		return nil, false
	}
	return p[4 : 4+length], true
}

// rowID is that of an entry which is on the page as a whole.
func (e *entry) rowID() (int64, error) {
	if e.size != len(e.record) || !e.hasRow {
		return 0, ErrFallback
	}
	if e.row.Size == 0 {
		return e.row.Const, nil
	}
	return fileformat.Signed(e.record[e.row.Off:]), nil
}

// compare orders an entry against a key that is a blob, as SQLite does: numbers and text come
// before blobs.
func (e *entry) compare(key []byte) (int, error) {
	if e.class != fileformat.Blob {
		return -1, nil
	}
	if e.length == len(e.key) {
		return bytes.Compare(e.key, key), nil
	}
	if c := bytes.Compare(e.key, key[:min(len(key), len(e.key))]); c != 0 {
		return c, nil
	}
	if len(key) <= len(e.key) { // it is how the entry begins
		return 1, nil
	}
	return 0, ErrFallback
}

// compareCell compares the key of a cell with a key.
func (p *page) compareCell(i int, key []byte) (int, error) {
	at, err := p.cell(i)
	if err != nil {
		return 0, err
	}
	if !p.kind.Leaf() {
		at += 4
	}
	if k, ok := shortKey(p.data[at:]); ok {
		return bytes.Compare(k, key), nil
	}
	var e entry
	if err := e.parseAt(p, at); err != nil {
		return 0, err
	}
	return e.compare(key)
}

// lowerBound is the first cell whose key is not less than key, and whether it is the same.
func (p *page) lowerBound(key []byte) (i int, same bool, err error) {
	low, high := 0, p.cells
	for low < high {
		mid := int(uint(low+high) / 2)
		c, err := p.compareCell(mid, key)
		switch {
		case err != nil:
			return 0, false, err
		case c < 0:
			low = mid + 1
		case c > 0:
			high = mid
		default:
			return mid, true, nil
		}
	}
	return low, false, nil
}

// FindKey looks for a key, a blob, in the unique index with the given root page, whose entries are
// a key and a row id. It returns the id of the row that has it, if there is one.
func (r *Reader) FindKey(root uint32, key []byte) (row int64, found bool, err error) {
	e, found, err := r.findEntry(root, key)
	if err != nil || !found {
		return 0, false, err
	}
	row, err = e.rowID()
	return row, err == nil, err
}

// FindEntry looks for a key, a blob, in the table without row ids that has the given root page, and
// whose primary key is its first column.
func (r *Reader) FindEntry(root uint32, key []byte) (row Row, found bool, err error) {
	e, found, err := r.findEntry(root, key)
	return Row{record: e.record, size: e.size, pages: r.pages}, found, err
}

func (r *Reader) findEntry(root uint32, key []byte) (e entry, found bool, err error) {
	for range fileformat.MaxDepth {
		p, err := r.page(root, false)
		if err != nil {
			return e, false, err
		}
		i, same, err := p.lowerBound(key)
		switch {
		case err != nil:
			return e, false, err
		case same:
			err = e.parse(&p, i)
			return e, err == nil, err
		case p.kind.Leaf():
			return e, false, nil
		}
		if root, err = p.child(i); err != nil {
			return e, false, err
		}
	}
	return e, false, ErrFallback
}
