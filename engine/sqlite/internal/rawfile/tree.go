package rawfile

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"
)

// tree is a b-tree page as the readers of Pages look at it: nothing is taken apart before it is asked for.
type tree struct {
	no     uint32
	kind   byte
	data   []byte
	cells  int // how many
	first  int // where their places begin
	header int // where that of the page begins
}

func (r *Reader) tree(no uint32) (t tree, err error) {
	data, head, err := r.page(no)
	if err != nil {
		return t, err
	}
	t = tree{no: no, kind: data[head], data: data, cells: u16(data[head+3:]), first: head + 8, header: head}
	switch t.kind {
	case interiorIndex, interiorTable:
		t.first += 4
	case leafIndex, leafTable:
	default:
		return t, fmt.Errorf("%w: page %d is no page of a table or index", ErrDamaged, no)
	}
	if t.first+2*t.cells > len(data) {
		return t, fmt.Errorf("%w: page %d cannot hold %d cells", ErrDamaged, no, t.cells)
	}
	return t, nil
}

func (t *tree) leaf() bool { return t.kind == leafIndex || t.kind == leafTable }

// right is the last child of an interior page.
func (t *tree) right() uint32 { return u32(t.data[t.header+8:]) }

// cell is where a cell begins: always so that 4 bytes are left of the page.
func (t *tree) cell(i int) (at int, err error) {
	if at = u16(t.data[t.first+2*i:]); at < t.first+2*t.cells || at > len(t.data)-4 {
		return 0, t.bad(i)
	}
	return at, nil
}

// child is the page before a cell of an interior page, or behind the last.
func (t *tree) child(i int) (uint32, error) {
	if i == t.cells {
		return t.right(), nil
	}
	at, err := t.cell(i)
	if err != nil {
		return 0, err
	}
	return u32(t.data[at:]), nil
}

func (t *tree) bad(i int) error {
	return fmt.Errorf("%w: cell %d of page %d makes no sense", ErrDamaged, i, t.no)
}

// small reads a varint from the start of p, quickly if it has one byte, as most have. n is how many it has: 0 if it runs off the end.
func small(p []byte) (v uint64, n int) {
	if len(p) > 0 && p[0] < 0x80 {
		return uint64(p[0]), 1
	}
	return varint(p, 0)
}

// local is how much of a payload lies on its page.
func (t *tree) local(size int) int {
	u := len(t.data)
	most := u - 35
	if t.kind != leafTable {
		most = (u-12)*64/255 - 23
	}
	if size <= most {
		return size
	}
	least := (u-12)*32/255 - 23
	if n := least + (size-least)%(u-4); n <= most {
		return n
	}
	return least
}

// entry is one of an index whose entries are a key and a row id.
type entry struct {
	record []byte // what the page has of it
	size   int    // of all of it
	class  Class  // of the key
	key    []byte // what the page has of it
	length int    // of the whole key
	after  int    // where the type of the row id is, in the record
	head   int    // where the key begins, in the record
}

// take takes apart the key of a cell.
func (e *entry) take(t *tree, i int) error {
	at, err := t.cell(i)
	if err != nil {
		return err
	}
	if t.kind == interiorIndex {
		at += 4
	}
	size, n := small(t.data[at:])
	if n == 0 || size > math.MaxInt32 {
		return t.bad(i)
	}
	at += n
	end := at + t.local(int(size))
	if end > len(t.data) {
		return t.bad(i)
	}
	e.record, e.size = t.data[at:end], int(size)
	head, pos := small(e.record)
	if pos == 0 || head > uint64(len(e.record)) || head < uint64(pos) {
		return t.bad(i)
	}
	serial, n := small(e.record[pos:head])
	f, ok := field{class: Blob, n: int64(serial-12) / 2}, true
	if serial < 12 || serial%2 != 0 || serial > math.MaxInt32 {
		f, ok = fieldOf(serial)
	}
	if n == 0 || !ok || int64(head)+f.n > int64(size) {
		return t.bad(i)
	}
	e.class, e.length, e.after, e.head = f.class, int(f.n), pos+n, int(head)
	e.key = e.record[head:min(int(head)+e.length, len(e.record))]
	return nil
}

// row is the row id of an entry that is on the page as a whole.
func (e *entry) row() (int64, error) {
	if e.size != len(e.record) {
		return 0, fmt.Errorf("%w: a long key", ErrElsewhere)
	}
	serial, n := small(e.record[e.after:])
	f, ok := fieldOf(serial)
	if n == 0 || !ok || f.class != Int || e.after+n != e.head || e.head+e.length+int(f.n) != e.size {
		return 0, fmt.Errorf("%w: an entry of an index makes no sense", ErrDamaged)
	}
	if f.n == 0 {
		return f.konst, nil
	}
	return signed(e.record[e.size-int(f.n):]), nil
}

// compare orders an entry against a key that is a blob, as SQLite does: numbers and text come before blobs.
func (e *entry) compare(key []byte) (int, error) {
	if e.class != Blob {
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
	return 0, fmt.Errorf("%w: a long key", ErrElsewhere)
}

// lower is the first entry that is not less than key, and whether it is the same.
func (t *tree) lower(key []byte) (i int, same bool, row int64, err error) {
	var e entry
	low, high := 0, t.cells
	for low < high {
		mid := int(uint(low+high) / 2)
		if err := e.take(t, mid); err != nil {
			return 0, false, 0, err
		}
		c, err := e.compare(key)
		switch {
		case err != nil:
			return 0, false, 0, err
		case c < 0:
			low = mid + 1
		case c > 0:
			high = mid
		default:
			row, err = e.row()
			return mid, err == nil, row, err
		}
	}
	return low, false, 0, nil
}

// FindKey looks for a key, a blob, in the unique index with the given root page, whose entries are a key and a row id. It returns
// the row that has it, if there is one.
func (r *Reader) FindKey(root uint32, key []byte) (row int64, found bool, err error) {
	for range maxDepth {
		t, err := r.tree(root)
		if err != nil {
			return 0, false, err
		}
		if t.kind != leafIndex && t.kind != interiorIndex {
			return 0, false, fmt.Errorf("%w: page %d is of a table", ErrDamaged, root)
		}
		i, same, row, err := t.lower(key)
		switch {
		case err != nil:
			return 0, false, err
		case same:
			return row, true, nil
		case t.leaf():
			return 0, false, nil
		}
		if root, err = t.child(i); err != nil {
			return 0, false, err
		}
	}
	return 0, false, tooDeep()
}

func tooDeep() error { return fmt.Errorf("%w: a tree is deeper than %d pages", ErrDamaged, maxDepth) }

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

// Append appends the whole value to dst. On an error dst has changed only behind its length.
func (r *Reader) Append(dst []byte, v Value) ([]byte, error) {
	start, usable := len(dst), int64(r.pages.size-linkBytes)
	left := v.Size - int64(len(v.local))
	if (left+v.skip)/usable > int64(r.pages.count) {
		return dst, fmt.Errorf("%w: a value of %d bytes in %d pages", ErrDamaged, v.Size, r.pages.count)
	}
	dst = append(slices.Grow(dst, int(v.Size)), v.local...)
	if left <= 2*usable && v.skip == 0 && len(dst)-start >= linkBytes {
		return r.appendPages(dst, v.next, left)
	}
	block := blocks.Get().(*[blockBytes]byte)
	defer blocks.Put(block)
	for next, skip := v.next, v.skip; left > 0; {
		pages, err := r.run(block, next, (left+skip-1)/usable+1)
		if err != nil {
			return dst[:start], err
		}
		for first := next; left > 0 && len(pages) > 0 && next == first; first++ {
			page := pages[:r.pages.size]
			pages, next = pages[r.pages.size:], u32(page)
			n := min(skip, usable)
			page, skip = page[linkBytes+n:], skip-n
			page = page[:min(int64(len(page)), left)]
			dst, left = append(dst, page...), left-int64(len(page))
		}
	}
	return dst, nil
}

// linkBytes is what precedes the bytes of a value on each page of a chain: the number of the next page.
const linkBytes = 4

// appendPages reads the last pages of a value one by one, straight to where they belong. dst must have that many bytes and room for the rest.
func (r *Reader) appendPages(dst []byte, next uint32, left int64) ([]byte, error) {
	for left > 0 {
		if next < 2 || next > r.pages.count {
			return nil, fmt.Errorf("%w: page %d of %d", ErrDamaged, next, r.pages.count)
		}
		n := int(min(left, int64(r.pages.size-linkBytes)))
		page := dst[len(dst)-linkBytes : len(dst)+n]
		under := [linkBytes]byte(page) // where the link comes to lie for a moment
		if err := r.read(page, next); err != nil {
			return nil, err
		}
		next = u32(page)
		copy(page, under[:])
		dst, left = dst[:len(dst)+n], left-int64(n)
	}
	return dst, nil
}

// run reads pages in a row, as many as are wanted and have room: most chains of pages lie in a row.
func (r *Reader) run(block *[blockBytes]byte, first uint32, want int64) ([]byte, error) {
	p := r.pages
	if first < 2 || first > p.count {
		return nil, fmt.Errorf("%w: page %d of %d", ErrDamaged, first, p.count)
	}
	n := min(want, int64(blockBytes/p.size), int64(p.count-first)+1)
	pages := block[:n*int64(p.size)]
	return pages, r.read(pages, first)
}
