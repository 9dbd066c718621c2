package columns

import (
	"container/list"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/s3/internal/object"
)

// The object of a block is a sequence of pages with a checksum behind each, so that a part of it can
// be read and verified.
const (
	pageBytes = 64 << 10
	sumBytes  = 4
)

func ceilDiv(a, b int64) int64 { return (a + b - 1) / b }

// storedBytes is the length of the object of n bytes of a block.
func storedBytes(n int64) int64 { return n + sumBytes*ceilDiv(n, pageBytes) }

// pageSum covers the object's name and the page's number too, so that no page passes for another.
func pageSum(obj name, page int64, p []byte) uint32 {
	sum := crc32.Checksum(binary.LittleEndian.AppendUint32(obj[:], uint32(page)), castagnoli)
	return crc32.Update(sum, castagnoli, p)
}

func encodeBlock(obj name, p []byte) []byte {
	b := make([]byte, 0, storedBytes(int64(len(p))))
	for page := int64(0); len(p) > 0; page++ {
		n := min(len(p), pageBytes)
		b = append(b, p[:n]...)
		b = binary.LittleEndian.AppendUint32(b, pageSum(obj, page, p[:n]))
		p = p[n:]
	}
	return b
}

type pageKey struct {
	obj  name
	page int64
}

// pageCache keeps the pages that were used last.
type pageCache struct {
	most int

	mu   sync.Mutex
	size int
	used *list.List // of *cachedPage, the newest first
	at   map[pageKey]*list.Element
}

type cachedPage struct {
	key  pageKey
	data []byte
}

func newPageCache(most int) pageCache {
	return pageCache{most: most, used: list.New(), at: map[pageKey]*list.Element{}}
}

// get returns a page, which the caller does not change, or nil.
func (c *pageCache) get(key pageKey) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.at[key]
	if e == nil {
		return nil
	}
	c.used.MoveToFront(e)
	return e.Value.(*cachedPage).data
}

func (c *pageCache) put(key pageKey, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at[key] != nil {
		return
	}
	c.at[key] = c.used.PushFront(&cachedPage{key, data})
	for c.size += len(data); c.size > c.most; {
		e := c.used.Back()
		old := c.used.Remove(e).(*cachedPage)
		delete(c.at, old.key)
		c.size -= len(old.data)
	}
}

// read fills p with what the object of a block has from off on.
func (c *Columns) read(ctx context.Context, b *block, off int64, p []byte) error {
	for len(p) > 0 {
		first := off / pageBytes
		pages := [][]byte{c.pages.get(pageKey{b.obj, first})}
		if pages[0] == nil {
			var err error
			if pages, err = c.fetch(ctx, b, first, (off+int64(len(p))-1)/pageBytes); err != nil {
				return err
			}
		}
		at := off % pageBytes
		for _, page := range pages {
			n := copy(p, page[at:])
			p, off, at = p[n:], off+int64(n), 0
		}
	}
	return nil
}

// fetch reads pages of the object of a block by one request, verifies and keeps them.
func (c *Columns) fetch(ctx context.Context, b *block, first, last int64) (pages [][]byte, err error) {
	key := c.blockKey(b.obj)
	from := first * (pageBytes + sumBytes)
	to := min((last+1)*(pageBytes+sumBytes), storedBytes(b.length))
	i, body, err := c.b.Get(ctx, key, object.Range{Off: from, Length: to - from})
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, c.corrupt(key, fmt.Errorf("it is shorter than %d bytes", to))
	}
	if err != nil {
		return nil, fmt.Errorf("columns: read %s: %w", key, err)
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	if i.Size != storedBytes(b.length) {
		return nil, c.corrupt(key, fmt.Errorf("it has %d bytes, want %d", i.Size, storedBytes(b.length)))
	}
	for page := first; page <= last; page++ {
		raw := make([]byte, min(pageBytes, b.length-page*pageBytes)+sumBytes)
		if _, err := io.ReadFull(body, raw); err != nil {
			return nil, fmt.Errorf("columns: read %s: %w", key, err)
		}
		n := len(raw) - sumBytes
		if pageSum(b.obj, page, raw[:n]) != binary.LittleEndian.Uint32(raw[n:]) {
			return nil, c.corrupt(key, fmt.Errorf("the checksum of page %d does not match", page))
		}
		c.pages.put(pageKey{b.obj, page}, raw[:n:n])
		pages = append(pages, raw[:n:n])
	}
	return pages, nil
}

// parallel runs fn for each of 0 to n-1, some at once, and returns the first error. After one fails,
// the others see their context end.
func parallel(ctx context.Context, n int, fn func(ctx context.Context, i int) error) error {
	outer := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	var once sync.Once
	var first error
	free := make(chan struct{}, uploadsAtOnce)
	for i := range n {
		free <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		all.Go(func() {
			defer func() { <-free }()
			if err := fn(ctx, i); err != nil {
				once.Do(func() { first = err })
				cancel()
			}
		})
	}
	all.Wait()
	if err := engine.ContextErr(outer); err != nil {
		return err
	}
	return first
}
