package rawfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
)

// ErrElsewhere says that something is not damaged, but is left to SQLite: it is rare, and would take more than this package has.
var ErrElsewhere = errors.New("to be read by SQLite")

// Pages are those of a database that is whole, has nothing in a log and does not change. Some of them are remembered. They are
// safe for concurrent use.
type Pages struct {
	size   int
	count  uint32
	cookie uint32
	kept   []pageSet
}

// admit is how many pages are read for each that takes the place of another: a page that is asked for often gets in, and most of what is
// read once takes no memory.
const admit = 8

// NewPages reads the header of main, of which at most so many bytes of pages will be remembered. Files whose pages have room for extensions of
// SQLite are refused, since what those do with a page cannot be known.
func NewPages(main io.ReaderAt, room int64) (*Pages, error) {
	h, err := readHeader(main)
	if err != nil {
		return nil, err
	}
	sets := max(room/int64(h.pageSize)/setPages, minSets)
	return &Pages{size: h.pageSize, count: h.pages, cookie: h.cookie, kept: make([]pageSet, min(sets, int64(h.pages)))}, nil
}

// Cookie changes with the schema: https://www.sqlite.org/fileformat2.html#schema_cookie.
func (p *Pages) Cookie() uint32 { return p.cookie }

// Reader looks into Pages. It is for one goroutine at a time; Close it when done.
type Reader struct {
	pages *Pages
	main  io.ReaderAt
	parts partsReader // main, if it can be read into many places at once
	buf   *[]byte     // of a page that is not remembered
	held  uint32      // its number, 0 if there is none
	// passing says that leaves are looked at one after the other, and none of them is worth remembering.
	passing bool
}

// read fills p with the pages from the one numbered first on.
func (r *Reader) read(p []byte, first uint32) error {
	_, err := r.main.ReadAt(p, r.pages.offset(first))
	return err
}

// offset is where a page begins in the file.
func (p *Pages) offset(no uint32) int64 { return int64(no-1) * int64(p.size) }

// Reader returns a reader that reads what is not remembered from main, which must be the same file.
func (p *Pages) Reader(main io.ReaderAt) Reader {
	parts, _ := main.(partsReader)
	return Reader{pages: p, main: main, parts: parts}
}

var pageBufs = sync.Pool{New: func() any { return new([]byte) }}

// Close lets memory be used again. What was read is not valid any more.
func (r *Reader) Close() {
	if r.buf != nil {
		pageBufs.Put(r.buf)
		r.buf, r.held = nil, 0
	}
}

// page returns the bytes of a page, which are valid until the next call, and where its b-tree header begins.
func (r *Reader) page(no uint32) (data []byte, head int, err error) {
	p := r.pages
	if no == 1 {
		head = 100
	}
	set := &p.kept[no%uint32(len(p.kept))]
	if data = set.find(no); data != nil {
		return data, head, nil
	}
	if no != 0 && no == r.held {
		return *r.buf, head, nil
	}
	if no == 0 || no > p.count {
		return nil, 0, fmt.Errorf("%w: page %d of %d", ErrDamaged, no, p.count)
	}
	keep := !r.passing && (set.hasRoom() || rand.Uint32()%admit == 0)
	if keep {
		data = make([]byte, p.size)
	} else {
		data, r.held = r.scratch(), 0
	}
	if err := r.read(data, no); err != nil {
		return nil, 0, err
	}
	switch kind := data[head]; {
	case kind == interiorIndex || kind == interiorTable:
		if !keep {
			data = bytes.Clone(data)
		}
		set.put(&keptPage{no: no, inner: true, data: data})
	case keep:
		set.put(&keptPage{no: no, data: data})
	default:
		r.held = no
	}
	return data, head, nil
}

func (r *Reader) scratch() []byte {
	if r.buf == nil {
		r.buf = pageBufs.Get().(*[]byte)
	}
	if len(*r.buf) != r.pages.size {
		*r.buf = make([]byte, r.pages.size)
	}
	return *r.buf
}
