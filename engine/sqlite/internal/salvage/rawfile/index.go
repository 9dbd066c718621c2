package rawfile

import (
	"bytes"
	"cmp"
	"errors"
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
	lost  bool    // some page or entry could not be read
}

// maxKey is longer than any key.
const maxKey = 1 << 20

// Index walks the index with the given root page; 0 if that is not known. fits tells its entries
// from those of others; nil for an index of another program, of which only the pages count.
func (s *Scan) Index(root uint32, fits func(*Record) bool) *Index {
	x := &Index{f: s.f, root: s.f.checkedRoot(root), fits: fits}
	if x.lost = x.root == 0; !x.lost {
		s.walkIndex(x, root, 0)
	}
	x.last = nil
	return x
}

// Whole says that every page and every entry could be read.
func (x *Index) Whole() bool { return !x.lost }

// walkIndex notes the pages under a page. An entry that cannot be read, or that is not behind the
// one before it, is lost: those of a page that was written to the place of another make sense by
// themselves, and are out of order there.
func (s *Scan) walkIndex(x *Index, no uint32, depth int) {
	p, err := s.enter(no, false, depth)
	if err != nil {
		x.lost = true
		return
	}
	x.pages = append(x.pages, no)
	x.lost = x.lost || !p.complete() || depth > 0 && len(p.cells) == 0
	for i := range len(p.cells) + 1 {
		if child, err := p.child(i); !p.kind.Leaf() && err == nil {
			s.walkIndex(x, child, depth+1)
		}
		if i == len(p.cells) || x.fits == nil {
			continue
		}
		r := p.record(i)
		if r.Err != nil || x.last != nil && !x.last.less(r.Record) {
			x.lost = true
		}
		if r.Err == nil {
			x.last = r.Record
		}
	}
}

// less says whether an entry of an index is before another. It goes by the bytes of text, as the
// indexes of a vault do.
func (r *Record) less(other *Record) bool {
	for i := range max(r.Len(), other.Len()) {
		a, b := r.Class(i), other.Class(i)
		if a == fileformat.Float || b == fileformat.Float { // no index of a vault has such
			return true
		}
		if a != b {
			return a < b
		}
		if c, err := r.compare(other, i); c != 0 || err != nil {
			return err == nil && c < 0
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

// Entries goes through the entries that can be read and have the form of the index's, in no order
// that counts.
func (x *Index) Entries() iter.Seq[*Record] {
	return func(yield func(*Record) bool) {
		for _, no := range x.pages {
			p, err := x.f.btreePage(no)
			if err != nil {
				continue // it could be read before
			}
			for i := range p.cells {
				if r := p.record(i); r.Err == nil && x.fits(r.Record) && !yield(r.Record) {
					return
				}
			}
		}
	}
}

// Find returns the entry whose first column is key, or nil if there is none. An error says that it
// cannot be told.
func (x *Index) Find(key []byte) (*Record, error) {
	no := x.root
	for range fileformat.MaxDepth {
		p, err := x.f.btreePage(no)
		if err != nil {
			return nil, err
		}
		i, found, err := p.search(key)
		switch {
		case err != nil || found != nil:
			return found, err
		case p.kind.Leaf() && x.Whole():
			return nil, nil
		case p.kind.Leaf():
			return nil, Damaged("the index has lost entries")
		}
		if no, err = p.child(i); err != nil {
			return nil, err
		}
	}
	return nil, Damaged("the index is too deep")
}

// search returns the first cell that is not below key, and its record if that is the one.
func (p *page) search(key []byte) (i int, found *Record, err error) {
	i = sort.Search(len(p.cells), func(i int) bool {
		r := p.record(i)
		var first []byte
		if r.Err == nil {
			first, r.Err = r.Bytes(0, maxKey)
		}
		if r.Err != nil {
			err = r.Err
			return true
		}
		c := bytes.Compare(first, key)
		if c == 0 {
			found = r.Record
		}
		return c >= 0
	})
	return i, found, err
}
