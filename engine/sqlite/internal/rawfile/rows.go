package rawfile

import (
	"cmp"
	"fmt"
	"math"
)

// rowID is that of a cell of a table, and where what follows it begins; size is that of the payload, in a leaf.
func (t *tree) rowID(i int) (row int64, size uint64, after int, err error) {
	at, err := t.cell(i)
	if err != nil {
		return 0, 0, 0, err
	}
	n := 4
	if t.kind == leafTable {
		if size, n = small(t.data[at:]); n == 0 {
			return 0, 0, 0, t.bad(i)
		}
	}
	at += n
	id, n := small(t.data[at:])
	if n == 0 {
		return 0, 0, 0, t.bad(i)
	}
	return int64(id), size, at + n, nil
}

// lowerRow is the first cell whose row id is not less than row.
func (t *tree) lowerRow(row int64) (i int, same bool, err error) {
	low, high := 0, t.cells
	for low < high {
		mid := int(uint(low+high) / 2)
		id, _, _, err := t.rowID(mid)
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

// Value is a column of a row that is a blob.
type Value struct {
	Size  int64
	local []byte // what the row's page has of it
	next  uint32 // the page that has the rest
	skip  int64  // what precedes the column on the pages from next on
}

// FindRow looks for a row of the table with the given root page, and for the given column of its record, counted from 0. The value
// is valid until the next call. A column that is no blob, or that the record does not have, is left to SQLite.
func (r *Reader) FindRow(root uint32, row int64, column int) (v Value, found bool, err error) {
	for range maxDepth {
		t, err := r.tree(root)
		if err != nil {
			return v, false, err
		}
		if t.kind != leafTable && t.kind != interiorTable {
			return v, false, fmt.Errorf("%w: page %d is of an index", ErrDamaged, root)
		}
		i, same, err := t.lowerRow(row)
		switch {
		case err != nil:
			return v, false, err
		case !t.leaf():
			if root, err = t.child(i); err != nil {
				return v, false, err
			}
		case same:
			v, err = t.value(i, column)
			return v, err == nil, err
		default:
			return v, false, nil
		}
	}
	return v, false, tooDeep()
}

// value finds a column of the record in a cell.
func (t *tree) value(i, column int) (v Value, err error) {
	_, size, at, err := t.rowID(i)
	if err != nil {
		return v, err
	}
	if size > math.MaxInt32 {
		return v, t.bad(i)
	}
	local := t.local(int(size))
	end := at + local
	if local < int(size) {
		end += 4
	}
	if end > len(t.data) {
		return v, t.bad(i)
	}
	rec := t.data[at : at+local]
	head, pos := small(rec)
	if pos == 0 || head > size || head < uint64(pos) {
		return v, t.bad(i)
	}
	if head > uint64(len(rec)) {
		return v, fmt.Errorf("%w: a long header", ErrElsewhere)
	}
	f, off := field{}, int64(head)
	for n := 0; ; n++ {
		if pos == int(head) {
			return v, fmt.Errorf("%w: a column that the record does not have", ErrElsewhere)
		}
		serial, k := small(rec[pos:head])
		var ok bool
		if f, ok = fieldOf(serial); k == 0 || !ok || f.n > int64(size)-off {
			return v, t.bad(i)
		}
		pos += k
		if n == column {
			break
		}
		off += f.n
	}
	if f.class != Blob {
		return v, fmt.Errorf("%w: a value that is no blob", ErrElsewhere)
	}
	v = Value{Size: f.n}
	if off < int64(local) {
		v.local = rec[off:min(off+f.n, int64(local))]
	}
	if int64(len(v.local)) < v.Size {
		v.next = u32(t.data[at+local:])
		v.skip = max(off-int64(local), 0)
	}
	return v, nil
}
