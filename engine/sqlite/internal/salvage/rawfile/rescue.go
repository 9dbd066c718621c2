package rawfile

import (
	"math"
	"slices"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/fileformat"
)

// Lost is a table whose pages Rescue looks for, with what tells its rows from those of others.
type Lost struct {
	*Table
	Fits func(*Record) bool
}

// Rescue looks through the pages that no tree reaches for those of the given tables. A page counts if it is in use, as far as the
// file says, if its rows have the form of the table's, and if their ids lie in a gap of the table. So an old copy of a page that
// is there cannot come back.
func (s *Scan) Rescue(tables []Lost, indexes []*Index) {
	wanted := slices.ContainsFunc(tables, func(l Lost) bool { return len(l.Gaps) > 0 }) ||
		slices.ContainsFunc(indexes, func(x *Index) bool { return !x.Whole() })
	if !wanted {
		return
	}
	for no := uint32(2); no <= s.f.pages && no > 0; no++ {
		if s.seen.has(uint64(no)) || s.f.isMap(no) || s.f.unused(no) {
			continue
		}
		n, err := s.f.node(no)
		if err != nil || len(n.cells) == 0 {
			continue
		}
		switch n.kind {
		case fileformat.LeafTable:
			s.adopt(n, tables)
		case fileformat.LeafIndex, fileformat.InteriorIndex:
			s.adoptIndex(n, indexes)
		}
	}
	for _, t := range tables {
		t.sort()
	}
}

// adopt gives a leaf to the first table that it fits.
func (s *Scan) adopt(n *node, tables []Lost) {
	root := s.f.rootOf(n.no)
	for _, t := range tables {
		if t.root != 0 && root != 0 && t.root != root {
			continue
		}
		rows := n.rows(math.MinInt64, math.MaxInt64)
		if len(rows) == 0 || !n.fits(rows, t.Fits) {
			continue
		}
		if t.fill(n.leafOf(rows)) {
			s.seen.add(uint64(n.no))
			if t.root == 0 && root != 0 {
				t.root = root
			}
			return
		}
	}
}

// fits says whether all rows that can be read have the form of a table, and at least one can.
func (n *node) fits(rows []row, form func(*Record) bool) bool {
	some := false
	for _, r := range rows {
		rec := n.row(r.cell)
		if rec.Err != nil {
			continue
		}
		if !form(rec.Record) {
			return false
		}
		some = true
	}
	return some
}

// fill puts a leaf into the gap where it belongs, and leaves of the gap what is before and behind it.
func (t *Table) fill(l leaf) bool {
	i := t.gapAt(l.first)
	if i < 0 || l.last > t.Gaps[i].Last {
		return false
	}
	g := t.Gaps[i]
	var rest []Gap
	if g.First < l.first {
		rest = append(rest, Gap{g.First, l.first - 1, g.Page, g.Err})
	}
	if l.last < g.Last {
		rest = append(rest, Gap{l.last + 1, g.Last, g.Page, g.Err})
	}
	t.Gaps = slices.Replace(t.Gaps, i, i+1, rest...)
	t.leaves = append(t.leaves, l)
	return true
}
