package rawfile

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/fileformat"
)

// Gap is a range of row ids, First to Last, that a damaged page held.
type Gap struct {
	First, Last int64
	Page        uint32
	Err         error
}

// leaf is a page of rows.
type leaf struct {
	first, last int64
	page        uint32
	rows        uint32
	before      uint64 // how many rows the pages before it have
}

// Table is the pages of one table, in memory: 32 bytes for each.
type Table struct {
	f      *File
	root   uint32
	leaves []leaf
	// Gaps are the row ids that nothing was found of.
	Gaps []Gap
}

// Scan is what was found of the pages of a file. Tables and indexes are walked first, then Rescue looks for their lost pages.
type Scan struct {
	f    *File
	seen bitset
}

// NewScan starts a scan.
func NewScan(f *File) *Scan { return &Scan{f, newBitset(uint64(f.pages))} }

// Table walks the table with the given root page; 0 if that is not known, and all of the table is a gap.
func (s *Scan) Table(root uint32) *Table {
	t := &Table{f: s.f, root: s.f.plausible(root)}
	if t.root == 0 {
		err := fmt.Errorf("%w: the schema does not say where the table is", ErrDamaged)
		if root > s.f.pages {
			err = s.f.beyond(root)
		}
		t.gap(math.MinInt64, math.MaxInt64, 0, err)
		return t
	}
	s.walkTable(t, root, math.MinInt64, math.MaxInt64, 0)
	t.sort()
	return t
}

func (t *Table) sort() {
	slices.SortStableFunc(t.leaves, func(a, b leaf) int { return cmp.Compare(a.first, b.first) })
	slices.SortStableFunc(t.Gaps, func(a, b Gap) int { return cmp.Compare(a.First, b.First) })
	t.Gaps = disjoint(t.Gaps)
	n := uint64(0)
	for i := range t.leaves {
		t.leaves[i].before = n
		n += uint64(t.leaves[i].rows)
	}
}

// disjoint joins gaps that overlap.
func disjoint(gaps []Gap) []Gap {
	var list []Gap
	for _, g := range gaps {
		if n := len(list); n > 0 && g.First <= list[n-1].Last {
			list[n-1].Last = max(list[n-1].Last, g.Last)
			continue
		}
		list = append(list, g)
	}
	return list
}

func (t *Table) gap(first, last int64, page uint32, err error) {
	t.Gaps = append(t.Gaps, Gap{first, last, page, err})
}

// walkTable notes the leaves under a page, whose row ids are first to last, and a gap for each page that makes no sense.
func (s *Scan) walkTable(t *Table, no uint32, first, last int64, depth int) {
	n, err := s.enter(no, depth)
	if err == nil && n.kind != fileformat.LeafTable && n.kind != fileformat.InteriorTable {
		err = fmt.Errorf("%w: page %d is of an index", ErrDamaged, no)
	}
	if err != nil {
		t.gap(first, last, no, err)
		return
	}
	s.seen.add(uint64(no))
	if n.kind.Leaf() {
		t.addLeaf(n, first, last, depth == 0)
		return
	}
	children, ordered := n.children(first, last)
	lost, all := false, len(t.leaves)
	for i, c := range children {
		if !ordered {
			c.first, c.last = first, last
		}
		if lost = lost || c.page == 0; c.page == 0 && i < len(n.cells) {
			continue
		}
		before := len(t.leaves)
		if c.page != 0 {
			s.walkTable(t, c.page, c.first, c.last, depth+1)
		}
		if lost {
			t.gap(c.first, t.lastBefore(before, c.first, c.last), no, fmt.Errorf("%w: page %d does not say where its rows are", ErrDamaged, no))
		}
		lost = false
	}
	if !ordered || !n.complete() {
		t.gapsBetween(t.leaves[all:], first, last, no)
	}
}

// gapsBetween notes the row ids from first to last that are on none of the leaves, which were found
// under a page that may have led to more.
func (t *Table) gapsBetween(leaves []leaf, first, last int64, page uint32) {
	err := fmt.Errorf("%w: page %d may have led to further rows", ErrDamaged, page)
	leaves = slices.SortedFunc(slices.Values(leaves), func(a, b leaf) int { return cmp.Compare(a.first, b.first) })
	from := first
	for _, l := range leaves {
		if l.first > from {
			t.gap(from, l.first-1, page, err)
		}
		if l.last == math.MaxInt64 {
			return
		}
		from = max(from, l.last+1)
	}
	if from <= last {
		t.gap(from, last, page, err)
	}
}

// lastBefore is the last row id before those of the leaves that were found since there were n; they are between first and last.
func (t *Table) lastBefore(n int, first, last int64) int64 {
	for _, l := range t.leaves[n:] {
		last = min(last, below(l.first, first))
	}
	return last
}

// below is the row id before id, but not before first.
func below(id, first int64) int64 {
	if id > first {
		return id - 1
	}
	return first
}

func (s *Scan) enter(no uint32, depth int) (*node, error) {
	if depth > fileformat.MaxDepth || s.seen.has(uint64(no)) || s.f.isMap(no) {
		return nil, fmt.Errorf("%w: page %d is in two places", ErrDamaged, no)
	}
	return s.f.node(no)
}

// children are the pages under an interior page of a table, each with its row ids; page 0 for one that cannot be read, whose row ids are
// taken for those of the next. They are not in order if a row id was damaged.
func (n *node) children(first, last int64) (list []leaf, ordered bool) {
	ordered = true
	from := first
	for i := range n.cells {
		c, err := n.cell(i)
		if err != nil || c.child == 0 {
			list = append(list, leaf{})
			continue
		}
		if c.rowid < from || c.rowid >= last {
			ordered = false
		}
		list = append(list, leaf{first: from, last: c.rowid, page: c.child})
		if c.rowid < math.MaxInt64 {
			from = c.rowid + 1
		}
	}
	return append(list, leaf{first: from, last: last, page: n.right}), ordered
}

// addLeaf notes a leaf, a gap around each of its cells that makes no sense, and one for each row
// that should not be on this page. If the page does not account for its bytes, every row id that it
// could have is a gap. Only the page of an empty table, a root, has no row.
func (t *Table) addLeaf(n *node, first, last int64, root bool) {
	rows := n.rows(first, last)
	if len(rows) > 0 {
		t.leaves = append(t.leaves, n.leafOf(rows))
	}
	complete := n.complete() && (len(rows) > 0 || root)
	if len(rows) == len(n.cells) && complete {
		return
	}
	from, cell := first, 0 // what comes next
	missing := func(next int, before int64) {
		if (next > cell || !complete) && from <= before {
			t.gap(from, before, n.no, fmt.Errorf("%w: page %d has rows that make no sense", ErrDamaged, n.no))
		}
	}
	for _, r := range rows {
		if r.rowid > first {
			missing(r.cell, r.rowid-1)
		}
		from, cell = r.rowid+min(1, math.MaxInt64-r.rowid), r.cell+1
	}
	missing(len(n.cells), last)
	for i := range n.cells {
		if c, err := n.cell(i); err == nil && (c.rowid < first || c.rowid > last) {
			t.gap(c.rowid, c.rowid, n.no, fmt.Errorf("%w: page %d has a row of another", ErrDamaged, n.no))
		}
	}
}

func (n *node) leafOf(rows []row) leaf {
	return leaf{first: rows[0].rowid, last: rows[len(rows)-1].rowid, page: n.no, rows: uint32(len(rows))}
}

type row struct {
	rowid int64
	cell  int
}

// rows are the cells of a leaf whose row ids lie between first and last and go up. If some do not, those are left out
// that stand in the way of most others.
func (n *node) rows(first, last int64) []row {
	var good []row
	rising := true
	for i := range n.cells {
		c, err := n.cell(i)
		if err != nil || c.rowid < first || c.rowid > last {
			continue
		}
		rising = rising && (len(good) == 0 || c.rowid > good[len(good)-1].rowid)
		good = append(good, row{c.rowid, i})
	}
	if rising {
		return good
	}
	return longestRise(good)
}

// longestRise returns the longest run of rows that goes up, not necessarily of neighbours.
func longestRise(rows []row) []row {
	before, ends := make([]int, len(rows)), []int{} // ends[k] is the row at which the best run of length k+1 ends
	for i, r := range rows {
		k, _ := slices.BinarySearchFunc(ends, r.rowid, func(e int, id int64) int { return cmp.Compare(rows[e].rowid, id) })
		before[i] = -1
		if k > 0 {
			before[i] = ends[k-1]
		}
		if k == len(ends) {
			ends = append(ends, i)
		} else {
			ends[k] = i
		}
	}
	run := make([]row, len(ends))
	for k, i := len(ends)-1, ends[len(ends)-1]; k >= 0; k, i = k-1, before[i] {
		run[k] = rows[i]
	}
	return run
}

// Rows goes through the rows in order. A record that makes no sense comes with an error and its row
// id, as does the first row of a page that cannot be read any more.
func (t *Table) Rows() iter.Seq2[int64, RowResult] {
	return func(yield func(int64, RowResult) bool) {
		for _, l := range t.leaves {
			n, err := t.f.node(l.page)
			if err != nil { // a disk that fails can give a page once, and not again
				if !yield(l.first, RowResult{nil, err}) {
					return
				}
				continue
			}
			for i, r := range n.rows(l.first, l.last) {
				if !yield(r.rowid, n.placed(r, l.before+uint64(i))) {
					return
				}
			}
		}
	}
}

// RowResult is a record, or why there is none.
type RowResult struct {
	*Record
	Err error
}

func (n *node) row(i int) RowResult {
	c, err := n.cell(i)
	if err != nil {
		return RowResult{nil, err}
	}
	rec, err := c.payload.record()
	return RowResult{rec, err}
}

func (n *node) placed(at row, place uint64) RowResult {
	r := n.row(at.cell)
	if r.Err == nil {
		r.place = place
	}
	return r
}

// Find returns the row with the given id, or nil if there is none. An error says that what there is, or was, cannot be read.
func (t *Table) Find(rowid int64) (*Record, error) {
	i, exact := slices.BinarySearchFunc(t.leaves, rowid, func(l leaf, id int64) int { return cmp.Compare(l.first, id) })
	if !exact {
		i--
	}
	if i >= 0 && rowid <= t.leaves[i].last {
		l := t.leaves[i]
		n, err := t.f.node(l.page)
		if err != nil {
			return nil, err
		}
		rows := n.rows(l.first, l.last)
		if at, ok := slices.BinarySearchFunc(rows, rowid, func(r row, id int64) int { return cmp.Compare(r.rowid, id) }); ok {
			r := n.placed(rows[at], l.before+uint64(at))
			return r.Record, r.Err
		}
	}
	if i := t.gapAt(rowid); i >= 0 {
		return nil, t.Gaps[i].Err
	}
	return nil, nil
}

// gapAt returns the gap that holds a row id, or -1.
func (t *Table) gapAt(rowid int64) int {
	i, exact := slices.BinarySearchFunc(t.Gaps, rowid, func(g Gap, id int64) int { return cmp.Compare(g.First, id) })
	if !exact {
		i--
	}
	if i >= 0 && rowid <= t.Gaps[i].Last {
		return i
	}
	return -1
}

// Whole says that nothing of the table is lost.
func (t *Table) Whole() bool { return len(t.Gaps) == 0 }

// Empty says that no row was found.
func (t *Table) Empty() bool { return len(t.leaves) == 0 }

// Rooted says that the table's root page is known.
func (t *Table) Rooted() bool { return t.root != 0 }
