package rawfile

import (
	"sync/atomic"
	"time"
)

// A read that the system has to wait for takes little longer if it takes the neighbourhood along, which saves further ones. It is for
// files that the system's memory has room for as a whole; a larger one is not read where nobody asked for it.
const (
	aroundFile  = 256 << 20
	aroundBytes = 128 << 10
	// slowRead is longer than it takes to copy so much.
	slowRead = 40 * time.Microsecond
	// coldReads follow a slow one.
	coldReads = 8
)

// read fills p with the pages from the one numbered first on.
func (r *Reader) read(p []byte, first uint32) error {
	return r.around(first, len(p), func(off int64) error {
		_, err := r.main.ReadAt(p, off)
		return err
	})
}

// readParts fills a list with pages from the one numbered first on, n bytes and the links between them, or says that it cannot.
func (r *Reader) readParts(list *partsList, first uint32, n int) (ok bool) {
	_ = r.around(first, n, func(off int64) error {
		ok = list.fill(r.parts, off)
		return nil
	})
	return ok
}

// around has read do a read of about n bytes from the page numbered first on, and of what surrounds them if that is worth it.
func (r *Reader) around(first uint32, n int, read func(off int64) error) error {
	pages := r.pages
	off, size := int64(first-1)*int64(pages.size), int64(pages.count)*int64(pages.size)
	if size > aroundFile {
		return read(off)
	}
	begin := time.Now()
	cold := pages.cold.Load()
	near, bit := pages.nearby(off)
	known := near.Load()&bit != 0
	if cold > 0 && !known && n < aroundBytes {
		r.readAround(off, size)
		near.Or(bit)
	}
	err := read(off)
	switch {
	case time.Since(begin) > slowRead:
		pages.cold.Store(coldReads)
		if known { // the system has forgotten it
			near.And(^bit)
		}
	case cold > 0 && !known:
		pages.cold.CompareAndSwap(cold, cold-1)
	}
	return err
}

// nearby is where the bit of a place's neighbourhood is.
func (p *Pages) nearby(off int64) (near *atomic.Uint64, bit uint64) {
	i := off / aroundBytes
	return &p.near[i/64], 1 << (i % 64)
}

// readAround has the system read what surrounds a place. The bytes themselves are of no use here.
func (r *Reader) readAround(off, size int64) {
	block := blocks.Get().(*[blockBytes]byte)
	defer blocks.Put(block)
	from := off / aroundBytes * aroundBytes
	_, _ = r.main.ReadAt(block[:min(aroundBytes, size-from)], from) // an error comes out where the bytes count
}
