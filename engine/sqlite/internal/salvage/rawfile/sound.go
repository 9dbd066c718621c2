package rawfile

import (
	"cmp"
	"slices"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/fileformat"
)

// complete says that the page accounts for all of its bytes, as SQLite leaves every page. One that
// does not may have lost cells: a wrong number of cells, or a cell that was moved out of sight,
// shows in nothing else.
func (n *node) complete() bool { return n.accounted(len(n.data)) }

// span is a part of a page.
type span struct{ from, to int }

// accounted says that cells, free blocks and fragments fill the page from where its content begins
// to the given end, and do not overlap.
func (n *node) accounted(end int) bool {
	head := fileformat.HeaderAt(n.no)
	start := fileformat.U16(n.data[head+5:])
	if start == 0 {
		start = 65536
	}
	spans, ok := n.freeBlocks(head, end)
	for i, at := range n.cells {
		c, err := n.cell(i)
		if ok = ok && err == nil; !ok {
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
	fragments := int(n.data[head+7])
	return ok && start+used+fragments == end
}

// freeBlocks are the parts of the page that are listed as free. They are in order, and at least 4 bytes long.
func (n *node) freeBlocks(head, end int) (list []span, ok bool) {
	last := 0
	for at := fileformat.U16(n.data[head+1:]); at != 0; {
		if at <= last || at > end-4 {
			return nil, false
		}
		size := fileformat.U16(n.data[at+2:])
		if size < 4 || at+size > end {
			return nil, false
		}
		list = append(list, span{at, at + size})
		last, at = at, fileformat.U16(n.data[at:])
	}
	return list, true
}
