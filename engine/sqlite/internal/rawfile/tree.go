package rawfile

import (
	"bytes"
	"fmt"
	"math"
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
	if size, length, ok := short(t.data[at:]); ok {
		e.record, e.size, e.class, e.length, e.after, e.head = t.data[at+1:at+1+size], size, Blob, length, 2, 3
		e.key = e.record[3 : 3+length]
		return nil
	}
	return e.takeAny(t, i, at)
}

// takeAny is take for all entries. at is where the length of the record is.
func (e *entry) takeAny(t *tree, i, at int) error {
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

// shortEntry is the longest entry of which every page has room for the whole.
const shortEntry = 94

// short takes apart what most entries are: short, with a key that is a blob, and a header of one byte for each of its three numbers. The
// record begins at p[1] and has size bytes, the key at p[shortKey].
func short(p []byte) (size, length int, ok bool) {
	if len(p) < shortKey || p[0] > shortEntry || int(p[0]) >= len(p) || p[1] != 3 || p[2] < 12 || p[2] >= 0x80 || p[2]%2 != 0 {
		return 0, 0, false
	}
	size, length = int(p[0]), int(p[2]-12)/2
	return size, length, 3+length <= size
}

const shortKey = 4

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
