package rawfile

import (
	"fmt"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/fileformat"
)

// node is a b-tree page.
type node struct {
	f     *File
	no    uint32
	kind  fileformat.PageKind
	data  []byte // the usable part
	right uint32 // the last child of an interior page
	cells []int  // where they begin; 0 for an impossible place
}

func (f *File) node(no uint32) (*node, error) {
	p, err := f.page(no)
	if err != nil {
		return nil, err
	}
	return f.parse(no, p)
}

func (f *File) parse(no uint32, p []byte) (*node, error) {
	head := fileformat.HeaderAt(no)
	n := &node{f: f, no: no, kind: fileformat.PageKind(p[head]), data: p[:f.usable]}
	if !n.kind.Valid() {
		return nil, fmt.Errorf("%w: page %d is no page of a table or index", ErrDamaged, no)
	}
	count, first := fileformat.U16(p[head+3:]), head+n.kind.HeaderSize()
	if !n.kind.Leaf() {
		n.right = fileformat.U32(p[first-4:])
	}
	if count > (f.usable-first)/2 {
		return nil, fmt.Errorf("%w: page %d cannot hold %d cells", ErrDamaged, no, count)
	}
	n.cells = make([]int, count)
	for i := range count {
		if at := fileformat.U16(p[first+2*i:]); at >= first+2*count && at <= f.usable-4 {
			n.cells[i] = at
		}
	}
	return n, nil
}

// cell is one entry of a node.
type cell struct {
	child   uint32 // of interior pages
	rowid   int64  // of tables
	payload Payload
	end     int // where its bytes end on the page
}

func (n *node) cell(i int) (c cell, err error) {
	at := n.cells[i]
	if at == 0 {
		return c, n.bad(i)
	}
	if !n.kind.Leaf() {
		c.child, at = fileformat.U32(n.data[at:]), at+4
	}
	size, used := uint64(0), 0
	if n.kind != fileformat.InteriorTable {
		if size, used = fileformat.Varint(n.data[at:]); used == 0 || size > fileformat.MaxSize {
			return c, n.bad(i)
		}
		at += used
	}
	if n.kind.Table() {
		var rowid uint64
		if rowid, used = fileformat.Varint(n.data[at:]); used == 0 {
			return c, n.bad(i)
		}
		c.rowid, at = int64(rowid), at+used
	}
	c.end = at
	if n.kind == fileformat.InteriorTable {
		return c, nil
	}
	return c, n.payload(i, &c, at, int(size))
}

// payload finds out how much of a record lies on the page, and where the rest begins.
func (n *node) payload(i int, c *cell, at, size int) error {
	u := n.f.usable
	local := n.kind.Local(u, size)
	c.payload = Payload{f: n.f, Size: int64(size)}
	c.end = at + local
	if local < size {
		c.end += fileformat.LinkBytes
	}
	if c.end > u {
		return n.bad(i)
	}
	c.payload.local = n.data[at : at+local]
	if local < size {
		c.payload.next = fileformat.U32(n.data[at+local:])
		if int64(size-local)/int64(u-fileformat.LinkBytes) > int64(n.f.pages) {
			return n.bad(i)
		}
	}
	return nil
}

func (n *node) bad(i int) error {
	return fmt.Errorf("%w: cell %d of page %d makes no sense", ErrDamaged, i, n.no)
}
