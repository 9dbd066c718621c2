package fastread

import (
	"bytes"
	"strings"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/fileformat"
)

// KeyRange is the keys from Start up to but not including End; an empty End is no bound.
type KeyRange struct {
	Start, End []byte
	Reverse    bool
}

// AppendKeys appends to dst keys that are blobs from the unique index with the given root page,
// whose entries are a key and a row id: at most limit, in their order, or from the last to the
// first. more says that there are further ones.
func (r *Reader) AppendKeys(dst []string, root uint32, q KeyRange, limit int) (
	keys []string, more bool, err error) {
	r.listing = true
	defer func() { r.listing = false }()
	w := keyWalk{r: r, q: q, limit: limit, found: keyList{keys: dst, before: len(dst)}}
	if err := w.descend(root, w.seek); err != nil {
		return nil, false, err
	}
	for len(w.path) > 0 && !w.done {
		if err := w.step(); err != nil {
			return nil, false, err
		}
	}
	return w.found.keys, w.more, nil
}

// keyWalk goes through an index in order.
type keyWalk struct {
	r     *Reader
	q     KeyRange
	limit int
	found keyList
	last  []byte // the key that was found last, on the current page
	kept  []byte // and memory for it beyond that page
	// done says that nothing further is wanted, more that there would be something.
	done, more bool
	path       []place
	entry      entry // the current one, if it is not short
}

// place is where a walk is on a page. Forward, cell i comes next, and those before it are done.
// Backward, the cell before i comes next, and those behind it are done.
type place struct {
	page uint32
	i    int
}

// descend goes down from a page to a leaf, or to the cell where the walk begins.
func (w *keyWalk) descend(no uint32, seek func(*page) (i int, stop bool, err error)) error {
	for len(w.path) < fileformat.MaxDepth {
		p, err := w.r.page(no, false)
		if err != nil {
			return err
		}
		i, stop, err := seek(&p)
		if err != nil {
			return err
		}
		w.path = append(w.path, place{no, i})
		if stop || p.kind.Leaf() {
			return nil
		}
		if no, err = p.child(i); err != nil {
			return err
		}
	}
	return ErrFallback
}

// seek finds where on a page the range begins.
func (w *keyWalk) seek(p *page) (i int, stop bool, err error) {
	switch {
	case !w.q.Reverse:
		return p.lowerBound(w.q.Start)
	case len(w.q.End) == 0:
		return p.cells, false, nil
	}
	i, _, err = p.lowerBound(w.q.End)
	return i, false, err
}

// outermost is the end of a page that a walk comes to.
func (w *keyWalk) outermost(p *page) (i int, stop bool, err error) {
	if w.q.Reverse {
		i = p.cells
	}
	return i, false, nil
}

// step takes the cells of a leaf, or one of an interior page, and then goes to the leaf behind it.
func (w *keyWalk) step() error {
	w.kept = append(w.kept[:0], w.last...)
	last := w.kept
	defer func() { w.last = last }()
	at := &w.path[len(w.path)-1]
	p, err := w.r.page(at.page, false)
	if err != nil {
		return err
	}
	for {
		cell, next := at.i, at.i+1
		if w.q.Reverse {
			cell, next = at.i-1, at.i-1
		}
		if cell < 0 || cell >= p.cells {
			w.path = w.path[:len(w.path)-1]
			return nil
		}
		if last, err = w.addCell(&p, cell, last); err != nil || w.done {
			return err
		}
		if at.i = next; !p.kind.Leaf() {
			child, err := p.child(next)
			if err != nil {
				return err
			}
			return w.descend(child, w.outermost)
		}
	}
}

// addCell adds the key of a cell to those that were found, and returns it. last is the one before
// it.
func (w *keyWalk) addCell(p *page, i int, last []byte) (key []byte, err error) {
	at, err := p.cell(i)
	if err != nil {
		return nil, err
	}
	if !p.kind.Leaf() {
		at += 4
	}
	key, ok := shortKey(p.data[at:])
	if !ok {
		e := &w.entry
		if err := e.parseAt(p, at); err != nil {
			return nil, err
		}
		if e.class != fileformat.Blob && w.q.Reverse { // numbers and text come before all blobs
			w.done = true
			return nil, nil
		}
		if e.class != fileformat.Blob || e.length != len(e.key) {
			return nil, ErrFallback
		}
		key = e.key
	}
	if w.done = w.beyond(key); w.done {
		return nil, nil
	}
	if w.found.len() == w.limit {
		w.done, w.more = true, true
		return nil, nil
	}
	order := bytes.Compare(last, key)
	if w.found.len() > 0 && (order == 0 || (order > 0) != w.q.Reverse) {
		return nil, ErrFallback // the index is damaged
	}
	w.found.add(key)
	return key, nil
}

// beyond says whether a key is behind the range.
func (w *keyWalk) beyond(key []byte) bool {
	if w.q.Reverse {
		return bytes.Compare(key, w.q.Start) < 0
	}
	return len(w.q.End) > 0 && bytes.Compare(key, w.q.End) >= 0
}

// keyList makes strings of keys, several of one piece of memory.
type keyList struct {
	keys   []string
	before int // the number of those that the caller had
	piece  strings.Builder
}

func (l *keyList) len() int { return len(l.keys) - l.before }

// pieceBytes bounds what stays in memory for the sake of one key, and firstBytes that of a list of
// few.
const firstBytes, pieceBytes = 64, 1 << 10

func (l *keyList) add(key []byte) {
	at := l.piece.Len()
	if last := l.piece.Cap(); at+len(key) > last {
		l.piece.Reset() // the strings keep what was there
		l.piece.Grow(max(len(key), firstBytes, min(2*last, pieceBytes)))
		at = 0
	}
	l.piece.Write(key)
	l.keys = append(l.keys, l.piece.String()[at:])
}
