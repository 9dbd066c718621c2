package fastread

import (
	"sync"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/fileformat"
)

const (
	linkBytes = fileformat.LinkBytes
	// blockBytes is what is read at once at most: some pages at least, whatever their size.
	blockBytes = 256 << 10
	// runBytes is what is read at once of pages of which hardly any lie in a row: most of it for
	// nothing.
	runBytes = 32 << 10
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

// blocks are the memory of reads.
var blocks = sync.Pool{New: func() any { return new([blockBytes]byte) }}

// Read fills p with what follows a place, which must be that much, and moves the place behind it.
// On an error p may have changed.
func (r *Reader) Read(c *Chain, p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if int64(len(p)) > c.Left {
		return ErrFallback
	}
	block := blocks.Get().(*[blockBytes]byte)
	defer blocks.Put(block)
	for len(p) > 0 {
		n, err := r.readRun(c, block[:], p)
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// readRun reads the start of p through a block of memory. It assumes that overflow pages lie in a
// row, as most do, and the links between them show afterwards how far that was so. It returns how
// much of p it filled.
func (r *Reader) readRun(c *Chain, block, p []byte) (n int, err error) {
	size, most, first, from := r.pages.size, len(block)/r.pages.size-1, c.next, c.at
	n = min(c.here, len(p))
	pages := 0
	if rest := len(p) - n; rest > 0 && (n == 0 || c.at+int64(n) == r.pages.offset(first)) {
		if first < 2 || first > r.pages.count {
			return 0, ErrFallback
		}
		if n == 0 {
			from = r.pages.offset(first)
		}
		inFile := int(min(r.pages.count-first, blockBytes)) + 1
		pages = min((rest-1)/(size-linkBytes)+1, c.run, most, inFile)
	}
	block = block[:n+min(pages*size, pages*linkBytes+len(p)-n)]
	if _, err := r.main.ReadAt(block, from); err != nil {
		return 0, ErrFallback
	}
	block = block[copy(p[:n], block):]
	c.at, c.here = c.at+int64(n), c.here-n
	run := min(2*c.run, most)
	for i := range pages {
		if c.next != first+uint32(i) { // what was read behind it is something else
			run = max(i, runBytes/size, 1)
			break
		}
		page := block[i*size : min((i+1)*size, len(block))]
		k := copy(p[n:], page[linkBytes:])
		c.at, c.here = r.pages.offset(c.next)+int64(linkBytes+k), size-linkBytes-k
		c.next, n = fileformat.U32(page), n+k
	}
	c.run, c.Left = run, c.Left-int64(n)
	return n, nil
}
