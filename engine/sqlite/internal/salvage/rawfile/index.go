package rawfile

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"iter"
	"sort"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/fileformat"
)

// Index is the pages of one index, or of a table without row ids, in memory.
type Index struct {
	f     *File
	root  uint32
	pages []uint32
	fits  func(*Record) bool
	last  *Record // the entry that the walk met before
	// lost counts the pages and entries that could not be read.
	lost int
}

// Index walks the index with the given root page; 0 if that is not known. fits tells its entries from those of others.
func (s *Scan) Index(root uint32, fits func(*Record) bool) *Index {
	x := &Index{f: s.f, root: s.f.plausible(root), fits: fits}
	if x.root == 0 {
		x.lost++
		return x
	}
	s.walkIndex(x, root, 0)
	x.last = nil
	return x
}

// Whole says that every page and every entry could be read.
func (x *Index) Whole() bool { return x.lost == 0 }

func (s *Scan) walkIndex(x *Index, no uint32, depth int) {
	n, err := s.enter(no, depth)
	if err == nil && n.kind != fileformat.LeafIndex && n.kind != fileformat.InteriorIndex {
		err = fmt.Errorf("%w: page %d is of a table", ErrDamaged, no)
	}
	if err != nil {
		x.lost++
		return
	}
	s.seen.add(uint64(no))
	x.pages = append(x.pages, no)
	if x.fits == nil { // of another program: only its pages count
		s.walkChildren(x, n, depth, func(int) {})
		return
	}
	if !n.complete() || depth > 0 && len(n.cells) == 0 {
		x.lost++
	}
	s.walkChildren(x, n, depth, x.follow(n))
}

// walkChildren walks what is under an index page, and calls entry for each of its cells when its
// turn comes in the order of the index.
func (s *Scan) walkChildren(x *Index, n *node, depth int, entry func(cell int)) {
	for i := range n.cells {
		c, err := n.cell(i)
		if err != nil {
			x.lost++
			continue
		}
		if !n.kind.Leaf() {
			s.walkIndex(x, c.child, depth+1)
		}
		entry(i)
	}
	if !n.kind.Leaf() {
		s.walkIndex(x, n.right, depth+1)
	}
}

// follow counts the entries of a page that cannot be read, or that are not behind the one before
// them. Those of a page that was written to the place of another make sense by themselves, and are
// out of order there.
func (x *Index) follow(n *node) func(cell int) {
	return func(cell int) {
		r := n.row(cell)
		if r.Err != nil || x.last != nil && !x.last.less(r.Record) {
			x.lost++
		}
		if r.Err == nil {
			x.last = r.Record
		}
	}
}

// less says whether an entry of an index is before another. It goes by the bytes of text, as the indexes of a vault do.
func (r *Record) less(other *Record) bool {
	for i := range max(r.Len(), other.Len()) {
		a, b := r.Class(i), other.Class(i)
		if a == fileformat.Float || b == fileformat.Float { // no index of a vault has such
			return true
		}
		if a != b {
			return a < b
		}
		c, err := r.compare(other, i)
		if c != 0 || err != nil {
			return c < 0
		}
	}
	return false
}

// compare compares a column that has the same class in both records.
func (r *Record) compare(other *Record, i int) (int, error) {
	if r.Class(i) == fileformat.Int {
		a, err := r.Int(i)
		b, otherErr := other.Int(i)
		return cmp.Compare(a, b), errors.Join(err, otherErr)
	}
	a, err := r.Bytes(i, maxKey)
	b, otherErr := other.Bytes(i, maxKey)
	return bytes.Compare(a, b), errors.Join(err, otherErr)
}

// adoptIndex gives a page to the first index that it fits and that has lost some.
func (s *Scan) adoptIndex(n *node, indexes []*Index) {
	root := s.f.rootOf(n.no)
	for _, x := range indexes {
		if x.Whole() || x.root != 0 && root != 0 && x.root != root {
			continue
		}
		all := make([]row, len(n.cells))
		for i := range all {
			all[i].cell = i
		}
		if n.fits(all, x.fits) {
			s.seen.add(uint64(n.no))
			x.pages = append(x.pages, n.no)
			return
		}
	}
}

// Entries goes through the entries in no order that counts. One that makes no sense comes with an error.
func (x *Index) Entries() iter.Seq[RowResult] {
	return func(yield func(RowResult) bool) {
		for _, no := range x.pages {
			n, err := x.f.node(no)
			if err != nil {
				continue // it could be read before
			}
			for i := range n.cells {
				if !yield(n.row(i)) {
					return
				}
			}
		}
	}
}

// Find returns the entry whose first column is key, or nil if there is none. An error says that it cannot be told.
func (x *Index) Find(key []byte) (*Record, error) {
	no := x.root
	for range fileformat.MaxDepth {
		n, err := x.f.node(no)
		if err != nil {
			return nil, err
		}
		i, at, err := n.search(key)
		switch {
		case err != nil:
			return nil, err
		case at != nil:
			return at, nil
		case n.kind.Leaf() && x.Whole():
			return nil, nil
		case n.kind.Leaf():
			return nil, fmt.Errorf("%w: the index has lost entries", ErrDamaged)
		case i == len(n.cells):
			no = n.right
		default:
			c, err := n.cell(i)
			if err != nil {
				return nil, err
			}
			no = c.child
		}
	}
	return nil, fmt.Errorf("%w: the index is too deep", ErrDamaged)
}

// search returns the first cell that is not below key, and its record if that is the one.
func (n *node) search(key []byte) (i int, found *Record, err error) {
	compare := func(i int) int {
		r := n.row(i)
		if r.Err != nil {
			err = r.Err
			return 1
		}
		b, readErr := r.Bytes(0, maxKey)
		if readErr != nil {
			err = readErr
		}
		if c := bytes.Compare(b, key); c != 0 {
			return c
		}
		found = r.Record
		return 0
	}
	i = sort.Search(len(n.cells), func(i int) bool { return compare(i) >= 0 })
	return i, found, err
}

// maxKey is longer than any key.
const maxKey = 1 << 20

// Rooted says that the root page is known.
func (x *Index) Rooted() bool { return x.root != 0 }
