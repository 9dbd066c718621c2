package rawfile

import (
	"encoding/binary"
	"fmt"
	"math"
)

// The kinds of b-tree page.
const (
	interiorIndex, interiorTable, leafIndex, leafTable = 0x02, 0x05, 0x0a, 0x0d
)

// maxDepth is deeper than any tree of SQLite's.
const maxDepth = 24

// node is a b-tree page.
type node struct {
	f     *File
	no    uint32
	kind  byte
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
	head, size := 0, 8
	if no == 1 {
		head = 100
	}
	n := &node{f: f, no: no, kind: p[head], data: p[:f.usable]}
	switch n.kind {
	case interiorIndex, interiorTable:
		size, n.right = 12, u32(p[head+8:])
	case leafIndex, leafTable:
	default:
		return nil, fmt.Errorf("%w: page %d is no page of a table or index", ErrDamaged, no)
	}
	count, first := u16(p[head+3:]), head+size
	if count > (f.usable-first)/2 {
		return nil, fmt.Errorf("%w: page %d cannot hold %d cells", ErrDamaged, no, count)
	}
	n.cells = make([]int, count)
	for i := range count {
		if at := u16(p[first+2*i:]); at >= first+2*count && at <= f.usable-4 {
			n.cells[i] = at
		}
	}
	return n, nil
}

func (n *node) leaf() bool { return n.kind == leafTable || n.kind == leafIndex }

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
	if !n.leaf() {
		c.child, at = u32(n.data[at:]), at+4
	}
	size := uint64(0)
	if n.kind != interiorTable {
		if size, at = varint(n.data, at); at == 0 || size > math.MaxInt32 {
			return c, n.bad(i)
		}
	}
	if n.kind == leafTable || n.kind == interiorTable {
		var rowid uint64
		if rowid, at = varint(n.data, at); at == 0 {
			return c, n.bad(i)
		}
		c.rowid = int64(rowid)
	}
	c.end = at
	if n.kind == interiorTable {
		return c, nil
	}
	return c, n.payload(i, &c, at, int(size))
}

// payload finds out how much of a record lies on the page, and where the rest begins.
func (n *node) payload(i int, c *cell, at, size int) error {
	u := n.f.usable
	most, least := u-35, (u-12)*32/255-23
	if n.kind != leafTable {
		most = (u-12)*64/255 - 23
	}
	local := size
	if size > most {
		if local = least + (size-least)%(u-4); local > most {
			local = least
		}
	}
	c.payload = Payload{f: n.f, Size: int64(size)}
	c.end = at + local
	if local < size {
		c.end += 4
	}
	if c.end > u {
		return n.bad(i)
	}
	c.payload.local = n.data[at : at+local]
	if local < size {
		c.payload.next = u32(n.data[at+local:])
		if int64(size-local)/int64(u-4) > int64(n.f.pages) {
			return n.bad(i)
		}
	}
	return nil
}

func (n *node) bad(i int) error {
	return fmt.Errorf("%w: cell %d of page %d makes no sense", ErrDamaged, i, n.no)
}

// varint reads an integer of SQLite's own encoding, and returns where it ends: 0 if it runs off the page.
func varint(p []byte, at int) (v uint64, end int) {
	for i := range 9 {
		if at+i >= len(p) {
			return 0, 0
		}
		b := p[at+i]
		if i == 8 {
			return v<<8 | uint64(b), at + 9
		}
		if v = v<<7 | uint64(b&0x7f); b < 0x80 {
			return v, at + i + 1
		}
	}
	return 0, 0
}

// signed reads a big-endian integer of 1 to 8 bytes.
func signed(p []byte) int64 {
	var b [8]byte
	if p[0]&0x80 != 0 {
		b = [8]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	}
	copy(b[8-len(p):], p)
	return int64(binary.BigEndian.Uint64(b[:]))
}
