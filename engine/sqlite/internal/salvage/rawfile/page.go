package rawfile

import (
	"cmp"
	"slices"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/fileformat"
)

// page is a B-tree page.
type page struct {
	f     *File
	no    uint32
	kind  fileformat.PageKind
	data  []byte // the usable part
	right uint32 // the last child of an interior page
	cells []int  // where they begin; 0 for an impossible place
}

func (f *File) btreePage(no uint32) (*page, error) {
	p, err := f.page(no)
	if err != nil {
		return nil, err
	}
	return f.parse(no, p)
}

func (f *File) parse(no uint32, data []byte) (*page, error) {
	head := fileformat.HeaderAt(no)
	p := &page{f: f, no: no, kind: fileformat.PageKind(data[head]), data: data[:f.usable]}
	if !p.kind.Valid() {
		return nil, Damaged("page %d is no page of a table or index", no)
	}
	count, first := fileformat.U16(data[head+3:]), head+p.kind.HeaderSize()
	if !p.kind.Leaf() {
		p.right = fileformat.U32(data[first-4:])
	}
	if count > (f.usable-first)/2 {
		return nil, Damaged("page %d cannot hold %d cells", no, count)
	}
	p.cells = make([]int, count)
	for i := range count {
		at := fileformat.U16(data[first+2*i:])
		if at >= first+2*count && at <= f.usable-4 {
			p.cells[i] = at
		}
	}
	return p, nil
}

// cell is one entry of a page.
type cell struct {
	child uint32 // of interior pages
	rowid int64  // of tables
	size  int64  // of the record, of which local lies on the page, and the rest from page next on
	local []byte
	next  uint32
	end   int // where its bytes end on the page
}

func (p *page) cell(i int) (c cell, err error) {
	at := p.cells[i]
	if at == 0 {
		return c, p.nonsense(i)
	}
	if !p.kind.Leaf() {
		c.child, at = fileformat.U32(p.data[at:]), at+4
	}
	if p.kind != fileformat.InteriorTable {
		size, n := fileformat.Varint(p.data[at:])
		if n == 0 || size > fileformat.MaxSize {
			return c, p.nonsense(i)
		}
		c.size, at = int64(size), at+n
	}
	if p.kind.Table() {
		rowid, n := fileformat.Varint(p.data[at:])
		if n == 0 {
			return c, p.nonsense(i)
		}
		c.rowid, at = int64(rowid), at+n
	}
	if c.end = at; p.kind == fileformat.InteriorTable {
		return c, nil
	}
	return c, p.addRecord(&c, i)
}

// addRecord finds out how much of a cell's record lies on the page, and where the rest begins.
func (p *page) addRecord(c *cell, i int) error {
	at, size := c.end, int(c.size)
	local := p.kind.Local(len(p.data), size)
	if c.end = at + local; local < size {
		c.end += fileformat.LinkBytes
	}
	if c.end > len(p.data) ||
		int64(size-local)/int64(len(p.data)-fileformat.LinkBytes) > int64(p.f.pages) {
		return p.nonsense(i)
	}
	if c.local = p.data[at : at+local]; local < size {
		c.next = fileformat.U32(p.data[at+local:])
	}
	return nil
}

func (p *page) nonsense(i int) error {
	return Damaged("cell %d of page %d makes no sense", i, p.no)
}

// child returns the i-th page under an interior page.
func (p *page) child(i int) (uint32, error) {
	if i == len(p.cells) {
		return p.right, nil
	}
	c, err := p.cell(i)
	return c.child, err
}

// complete says that the page accounts for all of its bytes, as SQLite leaves every page. One that
// does not may have lost cells: a wrong number of cells, or a cell that was moved out of sight,
// shows in nothing else.
func (p *page) complete() bool { return p.filled(len(p.data)) }

type span struct{ from, to int }

// filled says that cells, free blocks and fragments fill the page from where its content begins to
// the given end, and do not overlap.
func (p *page) filled(end int) bool {
	head := fileformat.HeaderAt(p.no)
	start := fileformat.U16(p.data[head+5:])
	if start == 0 {
		start = 65536
	}
	spans, ok := p.freeBlocks(head, end)
	for i, at := range p.cells {
		c, err := p.cell(i)
		if !ok || err != nil {
			return false
		}
		spans = append(spans, span{at, max(c.end, at+4)}) // SQLite gives no cell less than 4 bytes
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	used, at := 0, start
	for _, s := range spans {
		if s.from < at || s.to > end {
			return false
		}
		used, at = used+s.to-s.from, s.to
	}
	fragments := int(p.data[head+7])
	return ok && start+used+fragments == end
}

// freeBlocks returns the parts of the page that are listed as free. They are in order, and at least
// 4 bytes long.
func (p *page) freeBlocks(head, end int) (list []span, ok bool) {
	last := 0
	for at := fileformat.U16(p.data[head+1:]); at != 0; {
		if at <= last || at > end-4 {
			return nil, false
		}
		size := fileformat.U16(p.data[at+2:])
		if size < 4 || at+size > end {
			return nil, false
		}
		list = append(list, span{at, at + size})
		last, at = at, fileformat.U16(p.data[at:])
	}
	return list, true
}
