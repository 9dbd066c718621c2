package rawfile

import (
	"fmt"
	"slices"
	"sync"
)

// linkBytes is what precedes the bytes of a value on each page of a chain: the number of the next page.
const linkBytes = 4

// chain is what is left of a value: the pages from next on, with bytes of something else before the first of it.
type chain struct {
	next       uint32
	skip, left int64
}

// Append appends the whole value to dst. On an error dst has changed only behind its length.
func (r *Reader) Append(dst []byte, v Value) ([]byte, error) {
	start, each := len(dst), int64(r.pages.size-linkBytes)
	c := chain{v.next, v.skip, v.Size - int64(len(v.local))}
	if (c.left+c.skip)/each > int64(r.pages.count) {
		return dst, fmt.Errorf("%w: a value of %d bytes in %d pages", ErrDamaged, v.Size, r.pages.count)
	}
	dst = append(slices.Grow(dst, int(v.Size)), v.local...)
	if r.parts != nil && c.skip == 0 && c.left >= scatterBytes {
		dst = r.appendParts(dst, &c)
	}
	var err error
	if c.left <= 2*each && c.skip == 0 && len(dst)-start >= linkBytes {
		dst, err = r.appendPages(dst, c)
	} else {
		dst, err = r.appendBlocks(dst, c)
	}
	if err != nil {
		return dst[:start], err
	}
	return dst, nil
}

var partsLists = sync.Pool{New: func() any { return new(partsList) }}

// appendParts reads pages of the chain straight to where their bytes belong, many at once, as Stream.scatter does. What it leaves of the chain is
// to be read in another way, which finds out what is wrong. dst must have room for the rest.
func (r *Reader) appendParts(dst []byte, c *chain) []byte {
	list := partsLists.Get().(*partsList)
	defer partsLists.Put(list)
	each, last := int64(r.pages.size-linkBytes), int64(r.pages.count)
	for run := int64(maxRun); c.left > 0 && c.next >= 2 && int64(c.next) <= last; {
		n := int(min((c.left-1)/each+1, run, last-int64(c.next)+1))
		p := dst[len(dst):][:min(c.left, int64(n)*each)]
		for i, page := 0, p; i < n; i++ {
			k := min(len(page), int(each))
			list.add(i, page[:k])
			page = page[k:]
		}
		if !list.fill(r.parts, r.pages.offset(c.next)) {
			return dst
		}
		first, i := c.next, 0
		for i < n && c.next == first+uint32(i) {
			c.next = list.link(i)
			i++
		}
		p = p[:min(len(p), i*int(each))]
		dst, c.left = dst[:len(dst)+len(p)], c.left-int64(len(p))
		if run = min(2*run, maxRun); i < n { // what was read behind it is something else
			run = int64(max(i, runBytes/r.pages.size, 1))
		}
	}
	return dst
}

// appendPages reads the last pages of a value one by one, straight to where they belong. dst must have that many bytes and room for the rest.
func (r *Reader) appendPages(dst []byte, c chain) ([]byte, error) {
	for c.left > 0 {
		if c.next < 2 || c.next > r.pages.count {
			return dst, fmt.Errorf("%w: page %d of %d", ErrDamaged, c.next, r.pages.count)
		}
		n := int(min(c.left, int64(r.pages.size-linkBytes)))
		page := dst[len(dst)-linkBytes : len(dst)+n]
		under := [linkBytes]byte(page) // where the link comes to lie for a moment
		if err := r.read(page, c.next); err != nil {
			return dst, err
		}
		c.next = u32(page)
		copy(page, under[:])
		dst, c.left = dst[:len(dst)+n], c.left-int64(n)
	}
	return dst, nil
}

// appendBlocks reads the chain through a block of many pages.
func (r *Reader) appendBlocks(dst []byte, c chain) ([]byte, error) {
	block := blocks.Get().(*[blockBytes]byte)
	defer blocks.Put(block)
	each := int64(r.pages.size - linkBytes)
	for c.left > 0 {
		pages, err := r.run(block, c.next, (c.left+c.skip-1)/each+1)
		if err != nil {
			return dst, err
		}
		for first := c.next; c.left > 0 && len(pages) > 0 && c.next == first; first++ {
			page := pages[:r.pages.size]
			pages, c.next = pages[r.pages.size:], u32(page)
			n := min(c.skip, each)
			page, c.skip = page[linkBytes+n:], c.skip-n
			page = page[:min(int64(len(page)), c.left)]
			dst, c.left = append(dst, page...), c.left-int64(len(page))
		}
	}
	return dst, nil
}

// run reads pages in a row, as many as are wanted and have room: most chains of pages lie in a row.
func (r *Reader) run(block *[blockBytes]byte, first uint32, want int64) ([]byte, error) {
	p := r.pages
	if first < 2 || first > p.count {
		return nil, fmt.Errorf("%w: page %d of %d", ErrDamaged, first, p.count)
	}
	n := min(want, int64(blockBytes/p.size), int64(p.count-first)+1)
	pages := block[:n*int64(p.size)]
	return pages, r.read(pages, first)
}
