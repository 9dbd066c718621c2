package rawfile

import (
	"cmp"
	"iter"
	"math"
	"slices"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/fileformat"
)

// Gap is a range of row ids, First to Last, of which rows are lost.
type Gap struct {
	First, Last int64
	Err         error
}

// leaf is a page of rows.
type leaf struct {
	first, last int64
	page        uint32
	rows        uint16
	whole       bool   // no row of the page is lost
	before      uint64 // the number of rows on the pages before it
}

// Table is the pages of one table, in memory: 32 bytes for each.
type Table struct {
	f      *File
	root   uint32
	leaves []leaf
	// Gaps are the row ids, in order, of which rows are lost.
	Gaps []Gap
}

// Scan is what was found of the pages of a file. The caller walks tables and indexes first, and
// then calls Carve for their lost pages.
type Scan struct {
	f    *File
	seen bitset
}

// NewScan starts a scan.
func NewScan(f *File) *Scan { return &Scan{f, newBitset(uint64(f.pages))} }

// Table walks the table with the given root page. If that is 0, for unknown, all of the table is a
// gap.
func (s *Scan) Table(root uint32) *Table {
	t := &Table{f: s.f, root: s.f.checkedRoot(root)}
	switch {
	case root > s.f.pages:
		t.gap(math.MinInt64, math.MaxInt64, s.f.beyond(root))
	case t.root == 0:
		t.gap(math.MinInt64, math.MaxInt64, Damaged("the schema does not say where the table is"))
	default:
		s.walkTable(t, root, math.MinInt64, math.MaxInt64, 0)
	}
	t.arrange()
	return t
}

func (t *Table) gap(first, last int64, err error) {
	t.Gaps = append(t.Gaps, Gap{first, last, err})
}

// enter returns a page of a tree that the scan meets for the first time.
func (s *Scan) enter(no uint32, table bool, depth int) (*page, error) {
	if depth > fileformat.MaxDepth || s.seen.has(uint64(no)) || s.f.isMap(no) {
		return nil, Damaged("page %d is in two places", no)
	}
	p, err := s.f.btreePage(no)
	if err != nil {
		return nil, err
	}
	if p.kind.Table() != table {
		return nil, Damaged("page %d is of another kind of tree", no)
	}
	s.seen.add(uint64(no))
	return p, nil
}

// walkTable notes the leaves under a page, whose row ids are first to last, and a gap for each page
// that makes no sense. Where an interior page may have lost some of the pages under it, all of its
// row ids are a gap, but for those that whole leaves have.
func (s *Scan) walkTable(t *Table, no uint32, first, last int64, depth int) {
	p, err := s.enter(no, true, depth)
	if err != nil {
		t.gap(first, last, err)
		return
	}
	if p.kind.Leaf() {
		t.addLeaf(p, first, last, depth == 0)
		return
	}
	children, ordered := p.children(first, last)
	if !ordered || !p.complete() {
		t.gap(first, last, Damaged("page %d does not say where all of its rows are", no))
	}
	for _, c := range children {
		if !ordered {
			c.first, c.last = first, last
		}
		s.walkTable(t, c.page, c.first, c.last, depth+1)
	}
}

// children returns the pages under an interior page of a table whose numbers can be read, each with
// its row ids. They are not in order if a row id was damaged.
func (p *page) children(first, last int64) (list []leaf, ordered bool) {
	ordered = true
	for i := range p.cells {
		c, err := p.cell(i)
		if err != nil {
			continue // and the page is not complete
		}
		list = append(list, leaf{first: first, last: c.rowid, page: c.child})
		if ordered = ordered && c.rowid >= first && c.rowid < last; ordered {
			first = c.rowid + 1
		}
	}
	return append(list, leaf{first: first, last: last, page: p.right}), ordered
}

// addLeaf notes a leaf, and a gap if it may have lost rows. Only a root, the page of an empty
// table, has no row.
func (t *Table) addLeaf(p *page, first, last int64, root bool) {
	rows, rising := p.rows(first, last)
	whole := rising && p.complete() && len(rows) == len(p.cells) && (len(rows) > 0 || root)
	if !whole {
		t.gap(first, last, Damaged("page %d has rows that make no sense", p.no))
	}
	if len(rows) > 0 {
		t.leaves = append(t.leaves, p.leafOf(rows, whole))
	}
}

func (p *page) leafOf(rows []row, whole bool) leaf {
	n := len(rows)
	return leaf{first: rows[0].id, last: rows[n-1].id, page: p.no, rows: uint16(n), whole: whole}
}

type row struct {
	id   int64
	cell int
}

// rows returns the cells of a leaf whose row ids lie between first and last, by their ids. On a
// page that is not damaged they rise from cell to cell.
func (p *page) rows(first, last int64) (list []row, rising bool) {
	rising = true
	for i := range p.cells {
		c, err := p.cell(i)
		if err != nil || c.rowid < first || c.rowid > last {
			continue
		}
		rising = rising && (len(list) == 0 || c.rowid > list[len(list)-1].id)
		list = append(list, row{c.rowid, i})
	}
	if !rising {
		slices.SortStableFunc(list, func(a, b row) int { return cmp.Compare(a.id, b.id) })
	}
	return list, rising
}

// arrange puts leaves and gaps in order, and takes out of the gaps what whole leaves have.
func (t *Table) arrange() {
	slices.SortStableFunc(t.leaves, func(a, b leaf) int { return cmp.Compare(a.first, b.first) })
	before := uint64(0)
	for i := range t.leaves {
		t.leaves[i].before = before
		before += uint64(t.leaves[i].rows)
	}
	slices.SortStableFunc(t.Gaps, func(a, b Gap) int { return cmp.Compare(a.First, b.First) })
	gaps := t.Gaps
	t.Gaps = nil
	for i, g := range gaps {
		if i+1 < len(gaps) && gaps[i+1].First <= g.Last { // they are one
			gaps[i+1].First, gaps[i+1].Last = g.First, max(g.Last, gaps[i+1].Last)
			continue
		}
		t.cut(g)
	}
}

// cut adds what whole leaves leave of a gap.
func (t *Table) cut(g Gap) {
	for _, l := range t.leaves[t.leafBefore(g.First)+1:] {
		switch {
		case l.first > g.Last:
			t.Gaps = append(t.Gaps, g)
			return
		case !l.whole:
			continue
		case l.first > g.First:
			t.gap(g.First, l.first-1, g.Err)
		}
		if l.last >= g.Last {
			return
		}
		g.First = max(g.First, l.last+1)
	}
	t.Gaps = append(t.Gaps, g)
}

// leafBefore returns the last of the leaves that begin before a row id or with it, -1 if none does.
func (t *Table) leafBefore(id int64) int {
	i, exact := slices.BinarySearchFunc(t.leaves, id, func(l leaf, id int64) int {
		return cmp.Compare(l.first, id)
	})
	if exact {
		return i
	}
	return i - 1
}

// gapAt returns the gap that holds a row id.
func (t *Table) gapAt(id int64) (g Gap, ok bool) {
	i, found := slices.BinarySearchFunc(t.Gaps, id, func(g Gap, id int64) int {
		return cmp.Compare(g.First, id)
	})
	if !found {
		i--
	}
	if i < 0 || id > t.Gaps[i].Last {
		return g, false
	}
	return t.Gaps[i], true
}

// Rows goes through the rows in order. A record that makes no sense comes with an error and its row
// id, as does the first row of a page that cannot be read any more.
func (t *Table) Rows() iter.Seq2[int64, RecordResult] {
	return func(yield func(int64, RecordResult) bool) {
		for _, l := range t.leaves {
			p, err := t.f.btreePage(l.page)
			if err != nil { // a disk that fails can give a page once, and not again
				if !yield(l.first, RecordResult{nil, err}) {
					return
				}
				continue
			}
			rows, _ := p.rows(l.first, l.last)
			for i := range rows {
				if !yield(rows[i].id, p.placed(rows, i, l)) {
					return
				}
			}
		}
	}
}

// placed returns the i-th row of a leaf.
func (p *page) placed(rows []row, i int, l leaf) RecordResult {
	r := p.record(rows[i].cell)
	if r.Err == nil {
		r.place = l.before + uint64(i)
	}
	return r
}

// Find returns the row with the given id, or nil if there is none. An error says that what there
// is, or was, cannot be read.
func (t *Table) Find(id int64) (*Record, error) {
	if i := t.leafBefore(id); i >= 0 && id <= t.leaves[i].last {
		l := t.leaves[i]
		p, err := t.f.btreePage(l.page)
		if err != nil {
			return nil, err
		}
		rows, _ := p.rows(l.first, l.last)
		i := slices.IndexFunc(rows, func(r row) bool { return r.id == id })
		if i >= 0 {
			r := p.placed(rows, i, l)
			return r.Record, r.Err
		}
	}
	if g, ok := t.gapAt(id); ok {
		return nil, g.Err
	}
	return nil, nil
}

// Whole says that nothing of the table is lost.
func (t *Table) Whole() bool { return len(t.Gaps) == 0 }

// Empty says that no row was found.
func (t *Table) Empty() bool { return len(t.leaves) == 0 }

// Rooted says that the table's root page is known.
func (t *Table) Rooted() bool { return t.root != 0 }

// RowSet is a set of rows of one table: a bit for each row of the table, whatever the row ids.
type RowSet struct{ bits bitset }

// RowSet returns an empty set of rows of t. All pages of t are found before.
func (t *Table) RowSet() *RowSet {
	rows := uint64(0)
	for _, l := range t.leaves {
		rows += uint64(l.rows)
	}
	return &RowSet{newBitset(rows)}
}

// Add adds a row that Rows or Find of the table returned.
func (s *RowSet) Add(r *Record) { s.bits.add(r.place) }

// Has says whether the set has a row that Rows or Find of the table returned.
func (s *RowSet) Has(r *Record) bool { return s.bits.has(r.place) }
