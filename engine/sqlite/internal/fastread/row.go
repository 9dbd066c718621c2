package fastread

import (
	"cmp"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/fileformat"
)

// rowID is that of a cell of a table, and where what follows it begins; size is that of the record,
// in a leaf.
func (p *page) rowID(i int) (row int64, size, after int, err error) {
	at, err := p.cell(i)
	if err != nil {
		return 0, 0, 0, err
	}
	n := 4
	if p.kind.Leaf() {
		var s uint64
		if s, n = fileformat.Varint(p.data[at:]); n == 0 || s > fileformat.MaxSize {
			return 0, 0, 0, ErrFallback
		}
		size = int(s)
	}
	at += n
	id, n := fileformat.Varint(p.data[at:])
	if n == 0 {
		return 0, 0, 0, ErrFallback
	}
	return int64(id), size, at + n, nil
}

// lowerRow is the first cell whose row id is not less than row.
func (p *page) lowerRow(row int64) (i int, same bool, err error) {
	low, high := 0, p.cells
	for low < high {
		mid := int(uint(low+high) / 2)
		id, _, _, err := p.rowID(mid)
		if err != nil {
			return 0, false, err
		}
		switch cmp.Compare(id, row) {
		case -1:
			low = mid + 1
		case 1:
			high = mid
		default:
			return mid, true, nil
		}
	}
	return low, false, nil
}

// Row is a row of a table, or an entry of an index. It is valid until the next call of its reader.
type Row struct {
	record []byte // what the row's page has of it
	size   int    // of all of it
	at     int64  // where in the file it begins
	next   uint32 // the overflow page behind what the page has
	pages  *Pages
	// head goes through the columns, and is behind so many of them.
	head   fileformat.RecordHeader
	behind int
}

// Value is a column of a row that is a blob. It is valid as long as its row.
type Value struct {
	Size  int64
	local []byte // what the row's page has of it
	chain Chain  // from the start of the value
	skip  int64  // what precedes the value on the chain's overflow pages
}

// FindRow looks for a row of the table with the given root page.
func (r *Reader) FindRow(root uint32, id int64) (row Row, found bool, err error) {
	for range fileformat.MaxDepth {
		p, err := r.page(root, true)
		if err != nil {
			return row, false, err
		}
		i, same, err := p.lowerRow(id)
		switch {
		case err != nil:
			return row, false, err
		case !p.kind.Leaf():
			if root, err = p.child(i); err != nil {
				return row, false, err
			}
		case same:
			row, err = r.row(&p, i)
			return row, err == nil, err
		default:
			return row, false, nil
		}
	}
	return row, false, ErrFallback
}

// Empty says whether the table or index with the given root page has nothing in it.
func (r *Reader) Empty(root uint32) (bool, error) {
	data, err := r.bytes(root)
	if err != nil {
		return false, err
	}
	head := data[fileformat.HeaderAt(root):]
	return fileformat.PageKind(head[0]).Leaf() && fileformat.U16(head[3:]) == 0, nil
}

// row is that of a cell.
func (r *Reader) row(p *page, i int) (row Row, err error) {
	_, size, at, err := p.rowID(i)
	if err != nil {
		return row, err
	}
	local := p.kind.Local(len(p.data), size)
	end := at + local
	if local < size {
		end += fileformat.LinkBytes
	}
	if end > len(p.data) {
		return row, ErrFallback
	}
	row = Row{record: p.data[at : at+local], size: size, at: r.pages.offset(p.no) + int64(at), pages: r.pages}
	if local < size {
		row.next = fileformat.U32(p.data[at+local:])
	}
	return row, nil
}

// column finds a column of the row, counted from 0. Those that are asked for in order are found in
// one go. One that the record does not have is ErrFallback.
func (w *Row) column(number int) (c fileformat.Column, err error) {
	ok := true
	if w.behind == 0 || w.behind > number {
		w.head, ok = fileformat.ParseRecord(w.record, int64(w.size))
		w.behind = 0
	}
	for ; ok && w.behind <= number; w.behind++ {
		c, ok = w.head.Next()
	}
	if !ok {
		w.behind = 0
		return c, ErrFallback
	}
	return c, nil
}

// Int returns an integer, or that it is null. Any other column is ErrFallback, and so is one that
// is not on the row's page.
func (w *Row) Int(column int) (v int64, null bool, err error) {
	c, err := w.column(column)
	switch {
	case err != nil:
		return 0, false, err
	case c.Class == fileformat.Null:
		return 0, true, nil
	case c.Class != fileformat.Int || c.Off+c.Size > int64(len(w.record)):
		return 0, false, ErrFallback
	case c.Size == 0:
		return c.Const, false, nil
	}
	return fileformat.Signed(w.record[c.Off:][:c.Size]), false, nil
}

// Blob returns a column that is a blob. Any other is ErrFallback.
func (w *Row) Blob(column int) (v Value, err error) {
	c, err := w.column(column)
	if err != nil || c.Class != fileformat.Blob {
		return v, ErrFallback
	}
	v = Value{Size: c.Size, chain: Chain{Left: c.Size, run: blockBytes / w.pages.size}}
	if rest := int64(len(w.record)) - c.Off; rest > 0 {
		v.local = w.record[c.Off:][:min(c.Size, rest)]
		v.chain.at, v.chain.here = w.at+c.Off, len(v.local)
	} else {
		v.skip = -rest
	}
	if int64(len(v.local)) < v.Size {
		v.chain.next = w.next
		if (v.skip+v.Size)/int64(w.pages.size) > int64(w.pages.count) {
			return v, ErrFallback
		}
	}
	return v, nil
}
