package fastread

import (
	"sync"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/fileformat"
)

// scatterReader is a file that can be read into many places at once, as with preadv.
type scatterReader interface {
	// ReadPartsAt fills the parts, one after the other, with what follows off. It returns the number
	// of bytes it read.
	ReadPartsAt(parts [][]byte, off int64) (int, error)
}

const (
	linkBytes = fileformat.LinkBytes
	// maxParts is how many parts a system takes at least (IOV_MAX of Linux), and maxRun the pages that
	// come to: two parts each, and one for the end of the page before.
	maxParts = 1024
	maxRun   = (maxParts - 1) / 2
	// runBytes is what is read at once of pages of which hardly any lie in a row: most of it for
	// nothing.
	runBytes = 32 << 10
	// blockBytes is what is read at once where a read has only one place to go.
	blockBytes = 256 << 10
	// smallRead is what costs less to copy than to read into several places.
	smallRead = 20 << 10
)

// Chain is a place in a value: some bytes of one page, and the overflow pages behind it. It stays
// valid as long as the snapshot does, for any reader of its Pages.
type Chain struct {
	Left int64 // bytes of the value from here on
	at   int64 // where in the file the next of them is
	here int   // how many of them are there: at most those of the value
	next uint32
	run  int // how many pages are taken to lie in a row
}

// Start fills p with the start of a value, which must be that long, and returns the place behind
// it.
func (r *Reader) Start(v Value, p []byte) (Chain, error) {
	c, skip := v.chain, Chain{Left: v.skip, next: v.chain.next, run: 1}
	n := copy(p, v.local)
	c.at, c.here, c.Left = c.at+int64(n), c.here-n, c.Left-int64(n)
	if skip.Left > 0 {
		buf := r.buffer()
		for skip.Left > 0 {
			if err := r.Read(&skip, buf[:min(int64(len(buf)), skip.Left)]); err != nil {
				return c, err
			}
		}
		c.at, c.here, c.next = skip.at, skip.here, skip.next
	}
	return c, r.Read(&c, p[n:])
}

// Read fills p with what follows a place, which must be that much, and moves the place behind it.
// On an error p may have changed.
func (r *Reader) Read(c *Chain, p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if int64(len(p)) > c.Left {
		return ErrFallback
	}
	list := lists.Get().(*partList)
	defer lists.Put(list)
	for len(p) > 0 {
		n, err := r.readRun(c, list, p)
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// readRun reads the start of p, straight to where it belongs. It takes for granted that overflow
// pages lie in a row, as most do, and looks at the links between them afterwards. It returns how
// much of p it filled. What follows in p may have been written over.
func (r *Reader) readRun(c *Chain, list *partList, p []byte) (n int, err error) {
	each, first, from := r.pages.size-linkBytes, c.next, c.at
	n = min(c.here, len(p))
	pages := 0
	if rest := len(p) - n; rest > 0 && (n == 0 || c.at+int64(n) == r.pages.offset(first)) {
		if first < 2 || first > r.pages.count {
			return 0, ErrFallback
		}
		if n == 0 {
			from = r.pages.offset(first)
		}
		pages = min((rest-1)/each+1, c.run, int(min(r.pages.count-first, maxRun))+1)
		if r.scatter == nil {
			pages = min(pages, blockBytes/r.pages.size-1)
		}
	}
	if err := list.read(r, from, p[:n], p[n:], pages); err != nil {
		return 0, err
	}
	c.at, c.here = c.at+int64(n), c.here-n
	run := min(2*c.run, maxRun)
	for i := range pages {
		if c.next != first+uint32(i) { // what was read behind it is something else
			run = max(i, runBytes/r.pages.size, 1)
			break
		}
		k := min(each, len(p)-n)
		c.next, c.at, c.here = list.link(i), r.pages.offset(c.next)+int64(linkBytes+k), each-k
		n += k
	}
	c.run, c.Left = run, c.Left-int64(n)
	return n, nil
}

// partList is where a read puts things; its memory is used again and again.
type partList struct {
	parts [][]byte
	links [linkBytes * maxRun]byte
	block []byte
}

var lists = sync.Pool{New: func() any { return new(partList) }}

// link is that of the i-th page which was read, to the next one.
func (l *partList) link(i int) uint32 { return fileformat.U32(l.links[linkBytes*i:]) }

// read fills p from off on, and then rest with the bytes of so many pages, whose links stay in the
// list.
func (l *partList) read(r *Reader, off int64, p, rest []byte, pages int) error {
	l.parts = append(l.parts[:0], p)
	want := len(p)
	for i := range pages {
		k := min(r.pages.size-linkBytes, len(rest))
		l.parts = append(l.parts, l.links[linkBytes*i:][:linkBytes], rest[:k])
		rest, want = rest[k:], want+linkBytes+k
	}
	defer clear(l.parts) // they are the caller's memory
	if r.scatter != nil && want > smallRead {
		if n, err := r.scatter.ReadPartsAt(l.parts, off); err != nil || n != want {
			return ErrFallback
		}
		return nil
	}
	if cap(l.block) < want {
		l.block = make([]byte, max(want, smallRead))
	}
	block := l.block[:want]
	if _, err := r.main.ReadAt(block, off); err != nil {
		return ErrFallback
	}
	for _, part := range l.parts {
		block = block[copy(part, block):]
	}
	return nil
}
