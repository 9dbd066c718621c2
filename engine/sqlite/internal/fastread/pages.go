// Package fastread reads keys, values and pieces of values from the pages of an SQLite file,
// without a statement of SQLite: B-trees of indexes and tables, records, and chains of overflow
// pages.
//
// It may be used on a snapshot that SQLite holds, as long as the file has every page of that
// snapshot. Then no byte of those pages changes. It does not know how a snapshot is held, nor what
// the tables mean: callers name the root page of an index or a table and a column. Whatever is rare
// or odd it leaves to SQLite, and answers ErrFallback: damage, a read that fails, a key that is not
// on its page as a whole, a value that is no blob. So SQLite alone reports damage.
package fastread

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"sync"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/fileformat"
)

// ErrFallback says that SQLite is to read something. It does not say why: SQLite finds out what is
// wrong, if anything is.
var ErrFallback = errors.New("to be read by SQLite")

// Pages are those of one snapshot, with a page cache that all its readers share. They are safe for
// concurrent use.
type Pages struct {
	size   int
	count  uint32
	cookie uint32
	cache  []pageSet
}

// admit is how many leaves are read for each that takes the place of another in the cache: a leaf
// that is asked for often gets in, and most of what is read once takes no memory.
const admit = 8

// NewPages reads the header of main. The page cache holds at most about cacheBytes. Files whose
// pages have room for extensions of SQLite are refused, since nobody knows what those do with a
// page.
func NewPages(main io.ReaderAt, cacheBytes int64) (*Pages, error) {
	b := make([]byte, fileformat.HeaderBytes)
	if _, err := main.ReadAt(b, 0); err != nil {
		return nil, ErrFallback
	}
	h, ok := fileformat.ParseHeader(b)
	if !ok || h.Usable != h.PageSize || h.Pages == 0 {
		return nil, ErrFallback
	}
	sets := min(max(cacheBytes/int64(h.PageSize)/setPages, minSets), int64(h.Pages))
	return &Pages{h.PageSize, h.Pages, h.SchemaCookie, make([]pageSet, sets)}, nil
}

// SchemaCookie changes whenever the schema does. As long as it is the same, root pages are what
// they were.
func (p *Pages) SchemaCookie() uint32 { return p.cookie }

// offset is where a page begins in the file.
func (p *Pages) offset(no uint32) int64 { return int64(no-1) * int64(p.size) }

// Reader reads from Pages. It is for one goroutine at a time; Close it when done.
type Reader struct {
	pages *Pages
	main  io.ReaderAt
	buf   *[]byte // of a page that is not in the cache
	held  uint32  // its number, 0 if there is none
	// listing says that leaves are looked at one after the other, and none of them is worth a place in
	// the cache.
	listing bool
}

// Reader returns a reader that reads pages which are not in the cache from main, a handle of the
// same file.
func (p *Pages) Reader(main io.ReaderAt) Reader { return Reader{pages: p, main: main} }

var pageBuffers = sync.Pool{New: func() any { return new([]byte) }}

// Close releases memory. What was read is not valid any more.
func (r *Reader) Close() {
	if r.buf != nil {
		pageBuffers.Put(r.buf)
		r.buf, r.held = nil, 0
	}
}

// buffer is memory for one page, which does not hold one any more.
func (r *Reader) buffer() []byte {
	if r.buf == nil {
		r.buf = pageBuffers.Get().(*[]byte)
	}
	if len(*r.buf) != r.pages.size {
		*r.buf = make([]byte, r.pages.size)
	}
	r.held = 0
	return *r.buf
}

// bytes returns those of a page, which are valid until the next call.
func (r *Reader) bytes(no uint32) (data []byte, err error) {
	p := r.pages
	set := &p.cache[no%uint32(len(p.cache))]
	if data = set.find(no); data != nil {
		return data, nil
	}
	if no != 0 && no == r.held {
		return *r.buf, nil
	}
	if no == 0 || no > p.count {
		return nil, ErrFallback
	}
	keep := !r.listing && (set.hasRoom() || rand.Uint32()%admit == 0)
	if keep {
		data = make([]byte, p.size)
	} else {
		data = r.buffer()
	}
	if _, err := r.main.ReadAt(data, p.offset(no)); err != nil {
		return nil, ErrFallback
	}
	switch inner := fileformat.PageKind(data[fileformat.HeaderAt(no)]).Interior(); {
	case inner:
		if !keep {
			data = bytes.Clone(data)
		}
		set.put(&cachedPage{no: no, inner: true, data: data})
	case keep:
		set.put(&cachedPage{no: no, data: data})
	default:
		r.held = no
	}
	return data, nil
}

// page is a B-tree page. Nothing of it is taken apart before it is asked for.
type page struct {
	no    uint32
	kind  fileformat.PageKind
	data  []byte
	cells int // their number
	first int // where the places of the cells begin
}

// page returns a page of an index, or of a table.
func (r *Reader) page(no uint32, table bool) (p page, err error) {
	data, err := r.bytes(no)
	if err != nil {
		return p, err
	}
	head := fileformat.HeaderAt(no)
	kind := fileformat.PageKind(data[head])
	p = page{no: no, kind: kind, data: data, cells: fileformat.U16(data[head+3:])}
	p.first = head + p.kind.HeaderSize()
	if !p.kind.Valid() || p.kind.Table() != table || p.first+2*p.cells > len(data) {
		return p, ErrFallback
	}
	return p, nil
}

// cell is where a cell begins: always so that 4 bytes are left of the page.
func (p *page) cell(i int) (at int, err error) {
	if at = fileformat.U16(p.data[p.first+2*i:]); at < p.first+2*p.cells || at > len(p.data)-4 {
		return 0, ErrFallback
	}
	return at, nil
}

// child is the page before a cell of an interior page, or the one behind the last.
func (p *page) child(i int) (uint32, error) {
	if i == p.cells {
		return fileformat.U32(p.data[p.first-4:]), nil
	}
	at, err := p.cell(i)
	if err != nil {
		return 0, err
	}
	return fileformat.U32(p.data[at:]), nil
}
