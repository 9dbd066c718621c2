package rawfile

import (
	"fmt"
	"io"
	"sync"
)

const (
	// blockBytes is how much of a file a Stream reads at a time where it does so through memory of its own.
	blockBytes = 256 << 10
	// viewBytes is how many bytes of pages of trees a View keeps.
	viewBytes = 256 << 10
)

var blocks = sync.Pool{New: func() any { return new([blockBytes]byte) }}

// View is the file of a database that is whole and has nothing in a log. It must not change while it is used. Files whose pages
// have room for extensions of SQLite are refused, since what those do with a page cannot be known.
func View(main io.ReaderAt) (*File, error) {
	h, err := readHeader(main)
	if err != nil {
		return nil, err
	}
	f := &File{main: main, pageSize: h.pageSize, usable: h.pageSize, pages: h.pages, cache: map[uint32][]byte{}, keep: viewBytes}
	f.parts, _ = main.(partsReader)
	return f, nil
}

// header is what the first page says of a whole file.
type header struct {
	pageSize      int
	pages, cookie uint32
}

func readHeader(main io.ReaderAt) (h header, err error) {
	b := make([]byte, 100)
	if _, err := main.ReadAt(b, 0); err != nil {
		return h, err
	}
	h = header{headerPageSize(b), u32(b[28:]), u32(b[40:])}
	if string(b[:len(magic)]) != magic || !validPageSize(h.pageSize) || b[20] != 0 || h.pages == 0 {
		return h, fmt.Errorf("%w: no header of a database, or of one with extensions", ErrDamaged)
	}
	return h, nil
}

// Lookup finds a row of the table with the given root page by its id; nil if there is none.
func (f *File) Lookup(root uint32, rowid int64) (*Record, error) {
	for range maxDepth {
		n, err := f.node(root)
		if err != nil {
			return nil, err
		}
		i, same, err := n.lowerBound(rowid)
		switch {
		case err != nil:
			return nil, err
		case n.kind == leafTable && !same:
			return nil, nil
		case n.kind == leafTable:
			r := n.row(i)
			return r.Record, r.Err
		case n.kind != interiorTable:
			return nil, fmt.Errorf("%w: page %d is of an index", ErrDamaged, root)
		case i == len(n.cells):
			root = n.right
		default:
			c, err := n.cell(i)
			if err != nil {
				return nil, err
			}
			root = c.child
		}
	}
	return nil, fmt.Errorf("%w: a table is deeper than %d pages", ErrDamaged, maxDepth)
}

// lowerBound returns the first cell whose row id is not less than rowid, and whether it is the same.
func (n *node) lowerBound(rowid int64) (i int, same bool, err error) {
	low, high := 0, len(n.cells)
	for low < high {
		mid := (low + high) / 2
		c, err := n.cell(mid)
		if err != nil {
			return 0, false, err
		}
		if c.rowid < rowid {
			low = mid + 1
		} else {
			high, same = mid, c.rowid == rowid
		}
	}
	return low, same, nil
}

// Stream reads a column from its start, many pages at a time. Close it when done.
type Stream struct {
	f    *File
	left int64  // of the column
	rest []byte // of the page at hand
	next uint32
	// block holds pages from the one numbered first on, or the end of one page if held is 0.
	block *[blockBytes]byte
	first uint32
	held  int
	run   int // how many pages are taken to lie in a row
}

// Stream begins to read a column.
func (r *Record) Stream(i int) (*Stream, error) {
	p := r.payload
	s := &Stream{f: p.f, left: p.Size, rest: p.local, next: p.next, run: maxRun}
	if err := s.skip(r.fields[i].off); err != nil {
		s.Close()
		return nil, err
	}
	s.left = r.fields[i].n
	return s, nil
}

func (s *Stream) skip(n int64) error {
	for n > 0 {
		if err := s.more(n); err != nil {
			return err
		}
		k := min(n, int64(len(s.rest)))
		s.rest, s.left, n = s.rest[k:], s.left-k, n-k
	}
	return nil
}

// ReadFull fills p with what follows, which must be that much.
func (s *Stream) ReadFull(p []byte) error {
	if int64(len(p)) > s.left {
		return io.ErrUnexpectedEOF
	}
	large := len(p) >= scatterBytes
	for len(p) > 0 {
		n := 0
		if large {
			n = s.scatter(p)
		}
		if n == 0 {
			if err := s.more(int64(len(p))); err != nil {
				return err
			}
			n = copy(p, s.rest)
			s.rest = s.rest[n:]
		}
		p, s.left = p[n:], s.left-int64(n)
	}
	return nil
}

// more makes sure that there are bytes at hand. If pages must be read for it, it reads as many as want bytes take, since most chains
// of pages lie in a row.
func (s *Stream) more(want int64) error {
	if len(s.rest) > 0 {
		return nil
	}
	if !s.holds(s.next) {
		if err := s.read(want); err != nil {
			return err
		}
	}
	page := s.block[int(s.next-s.first)*s.f.pageSize:][:s.f.pageSize]
	s.next = u32(page)
	s.rest = page[4:min(int64(s.f.usable), 4+s.left)]
	return nil
}

// holds says whether a page is in the block.
func (s *Stream) holds(page uint32) bool { return page >= s.first && page < s.first+uint32(s.held) }

func (s *Stream) takeBlock() {
	if s.block == nil {
		s.block = blocks.Get().(*[blockBytes]byte)
	}
}

func (s *Stream) read(want int64) error {
	if s.next < 2 || s.next > s.f.pages {
		return fmt.Errorf("%w: page %d of %d", ErrDamaged, s.next, s.f.pages)
	}
	s.takeBlock()
	held := (want-1)/int64(s.f.usable-4) + 1
	if s.held > 0 {
		held = s.left/int64(s.f.usable-4) + 1 // whoever read a block has use for more
	}
	held = min(held, int64(blockBytes/s.f.pageSize), int64(s.f.pages-s.next)+1)
	s.first, s.held = s.next, 0
	if _, err := s.f.main.ReadAt(s.block[:held*int64(s.f.pageSize)], int64(s.next-1)*int64(s.f.pageSize)); err != nil {
		return err
	}
	s.held = int(held)
	return nil
}

// Close lets the memory be used again.
func (s *Stream) Close() {
	if s.block != nil {
		blocks.Put(s.block)
		s.block, s.rest, s.held = nil, nil, 0
	}
}
