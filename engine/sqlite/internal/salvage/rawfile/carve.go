package rawfile

import (
	"math"
	"slices"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/fileformat"
)

// Lost is a table whose pages Carve looks for, with what tells its rows from those of others.
type Lost struct {
	*Table
	Fits func(*Record) bool
}

// Carve looks through the pages that no tree reaches for those of the given tables and indexes. A
// page counts if it is in use, as far as the file says, if its rows have the form of the table's,
// and if their ids lie in a gap of the table, where no other page has any. So an old copy of a page
// that is there cannot come back.
func (s *Scan) Carve(tables []Lost, indexes []*Index) {
	whole := func(l Lost) bool { return l.Whole() }
	tables = slices.DeleteFunc(slices.Clone(tables), whole)
	indexes = slices.DeleteFunc(slices.Clone(indexes), (*Index).Whole)
	if len(tables)+len(indexes) == 0 {
		return
	}
	for no := uint32(2); no <= s.f.pages && no > 0; no++ {
		if s.seen.has(uint64(no)) || !s.f.inTree(no) {
			continue
		}
		p, err := s.f.btreePage(no)
		if err != nil || len(p.cells) == 0 {
			continue
		}
		if p.kind == fileformat.LeafTable && s.adoptLeaf(p, tables) ||
			!p.kind.Table() && s.adoptIndexPage(p, indexes) {
			s.seen.add(uint64(no))
		}
	}
	for _, t := range tables {
		t.arrange()
	}
}

// adoptLeaf gives a leaf to the first table that it fits.
func (s *Scan) adoptLeaf(p *page, tables []Lost) bool {
	root := s.f.rootOf(p.no)
	rows, rising := p.rows(math.MinInt64, math.MaxInt64)
	if len(rows) == 0 {
		return false
	}
	l := p.leafOf(rows, rising && p.complete() && len(rows) == len(p.cells))
	for _, t := range tables {
		if t.root != 0 && root != 0 && t.root != root || !p.fits(t.Fits) || !t.place(l) {
			continue
		}
		if t.root == 0 {
			t.root = root
		}
		return true
	}
	return false
}

// fits says whether all cells that can be read have the form of a table or an index, and at least
// one can.
func (p *page) fits(form func(*Record) bool) bool {
	some := false
	for i := range p.cells {
		r := p.record(i)
		if r.Err == nil && !form(r.Record) {
			return false
		}
		some = some || r.Err == nil
	}
	return some
}

// place puts a leaf into the gap where it belongs, if no other leaf has one of its row ids.
func (t *Table) place(l leaf) bool {
	g, ok := t.gapAt(l.first)
	i := t.leafBefore(l.last)
	if !ok || l.last > g.Last || i >= 0 && t.leaves[i].last >= l.first {
		return false
	}
	t.leaves = slices.Insert(t.leaves, i+1, l)
	return true
}

// adoptIndexPage gives a page to the first index that it fits.
func (s *Scan) adoptIndexPage(p *page, indexes []*Index) bool {
	root := s.f.rootOf(p.no)
	for _, x := range indexes {
		if (x.root == 0 || root == 0 || x.root == root) && p.fits(x.fits) {
			x.pages = append(x.pages, p.no)
			return true
		}
	}
	return false
}
