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

// Value is a column of a row that is a blob. It is valid until the next call of its reader.
type Value struct {
	Size  int64
	local []byte // what the row's page has of it
	chain Chain  // from the start of the value
	skip  int64  // what precedes the value on the chain's overflow pages
}

// FindRow looks for a row of the table with the given root page, and for the given column of its
// record, counted from 0. A column that is no blob, or that the record does not have, is
// ErrFallback.
func (r *Reader) FindRow(root uint32, row int64, column int) (v Value, found bool, err error) {
	for range fileformat.MaxDepth {
		p, err := r.page(root, true)
		if err != nil {
			return v, false, err
		}
		i, same, err := p.lowerRow(row)
		switch {
		case err != nil:
			return v, false, err
		case !p.kind.Leaf():
			if root, err = p.child(i); err != nil {
				return v, false, err
			}
		case same:
			v, err = r.value(&p, i, column)
			return v, err == nil, err
		default:
			return v, false, nil
		}
	}
	return v, false, ErrFallback
}

// value finds a column of the record in a cell.
func (r *Reader) value(p *page, i, column int) (v Value, err error) {
	_, size, at, err := p.rowID(i)
	if err != nil {
		return v, err
	}
	local := p.kind.Local(len(p.data), size)
	end := at + local
	if local < size {
		end += fileformat.LinkBytes
	}
	if end > len(p.data) {
		return v, ErrFallback
	}
	head, ok := fileformat.ParseRecord(p.data[at:at+local], int64(size))
	var c fileformat.Column
	for n := 0; ok && n <= column; n++ {
		c, ok = head.Next()
	}
	if !ok || c.Class != fileformat.Blob {
		return v, ErrFallback
	}
	v = Value{Size: c.Size, chain: Chain{Left: c.Size, run: maxRun}}
	if rest := int64(local) - c.Off; rest > 0 {
		from := at + int(c.Off)
		v.local = p.data[from:][:min(c.Size, rest)]
		v.chain.at, v.chain.here = r.pages.offset(p.no)+int64(from), len(v.local)
	} else {
		v.skip = -rest
	}
	if int64(len(v.local)) < v.Size {
		v.chain.next = fileformat.U32(p.data[at+local:])
		if (v.skip+v.Size)/int64(r.pages.size) > int64(r.pages.count) {
			return v, ErrFallback
		}
	}
	return v, nil
}
