package mem

import (
	"context"
	"fmt"

	"github.com/kohakuvault/kvault/engine"
	"github.com/ncruces/wbt"
)

// chunk is one state of a chunk of an array. It is made of pages, so that a small write copies
// little; a page that is missing is all zeros.
type chunk struct {
	size, used int64
	deleted    bool
	pages      *wbt.Tree[int64, *[pageBytes]byte]
}

const pageBytes = 4096

func (a *array) chunk(n int64) (*chunk, error) {
	c, ok := a.chunks.Get(n)
	if !ok {
		return nil, engine.ErrNotFound
	}
	return c, nil
}

// within fails unless n bytes from off lie inside the chunk.
func (c *chunk) within(off int64, n int) error {
	if off < 0 || int64(n) > c.size-off {
		return fmt.Errorf("%d bytes at %d of a chunk of %d bytes: %w", n, off, c.size, engine.ErrInvalid)
	}
	return nil
}

func (c *chunk) read(p []byte, off int64) {
	for len(p) > 0 {
		at := off % pageBytes
		n := min(len(p), int(pageBytes-at))
		if page, ok := c.pages.Get(off / pageBytes); ok {
			copy(p[:n], page[at:])
		} else {
			clear(p[:n])
		}
		p, off = p[n:], off+int64(n)
	}
}

func (c *chunk) write(p []byte, off int64) {
	for len(p) > 0 {
		at := off % pageBytes
		next := new([pageBytes]byte)
		if page, ok := c.pages.Get(off / pageBytes); ok {
			*next = *page
		}
		n := copy(next[at:], p)
		c.pages = c.pages.Put(off/pageBytes, next)
		p, off = p[n:], off+int64(n)
	}
}

func (c *chunk) resize(size int64) {
	if size < c.size {
		if at := size % pageBytes; at > 0 && c.pages.Has(size/pageBytes) {
			c.write(make([]byte, min(pageBytes-at, c.size-size)), size)
		}
		c.pages, _, _ = c.pages.Split((size + pageBytes - 1) / pageBytes)
	}
	c.size, c.used = size, min(c.used, size)
}

func (x *tx) reading(ctx context.Context, id, n int64, fn func(*chunk) error) error {
	return x.looking(ctx, func() error {
		a, err := x.array(id)
		if err != nil {
			return err
		}
		c, err := a.chunk(n)
		if err != nil {
			return err
		}
		return fn(c)
	})
}

func (x *tx) changingChunk(ctx context.Context, id, n int64, fn func(*chunk) error) error {
	return x.changing(ctx, id, func(a *array) error {
		c, err := a.chunk(n)
		if err != nil {
			return err
		}
		next := *c
		if err := fn(&next); err != nil {
			return err
		}
		a.chunks = a.chunks.Put(n, &next)
		return nil
	})
}

// ChunkSize returns the length of a chunk.
func (x *tx) ChunkSize(ctx context.Context, id, n int64) (size int64, err error) {
	err = x.reading(ctx, id, n, func(c *chunk) error { size = c.size; return nil })
	return size, err
}

// ChunkUsed returns what SetChunkUsed stored.
func (x *tx) ChunkUsed(ctx context.Context, id, n int64) (used int64, deleted bool, err error) {
	err = x.reading(ctx, id, n, func(c *chunk) error { used, deleted = c.used, c.deleted; return nil })
	return used, deleted, err
}

// Chunks returns how many chunks there are.
func (x *tx) Chunks(ctx context.Context, id int64) (n int64, err error) {
	err = x.looking(ctx, func() error {
		a, err := x.array(id)
		if err == nil {
			n = int64(a.chunks.Len())
		}
		return err
	})
	return n, err
}

// ReadChunk reads a part of a chunk.
func (x *tx) ReadChunk(ctx context.Context, id, n, off int64, p []byte) error {
	return x.reading(ctx, id, n, func(c *chunk) error {
		if err := c.within(off, len(p)); err != nil {
			return err
		}
		c.read(p, off)
		return nil
	})
}

// WriteChunk writes a part of a chunk.
func (x *tx) WriteChunk(ctx context.Context, id, n, off int64, p []byte) error {
	return x.changingChunk(ctx, id, n, func(c *chunk) error {
		if err := c.within(off, len(p)); err != nil {
			return err
		}
		c.write(p, off)
		return nil
	})
}

// ResizeChunk changes the length of a chunk, or adds one.
func (x *tx) ResizeChunk(ctx context.Context, id, n, size int64) error {
	return x.changing(ctx, id, func(a *array) error {
		if size < 0 || n < 0 || n > int64(a.chunks.Len()) {
			return fmt.Errorf("chunk %d of %d to be %d bytes: %w", n, a.chunks.Len(), size, engine.ErrInvalid)
		}
		next := new(chunk)
		if c, ok := a.chunks.Get(n); ok {
			*next = *c
		}
		next.resize(size)
		a.chunks = a.chunks.Put(n, next)
		return nil
	})
}

// SetChunkUsed stores how much of a chunk is in use.
func (x *tx) SetChunkUsed(ctx context.Context, id, n, used int64, deleted bool) error {
	return x.changingChunk(ctx, id, n, func(c *chunk) error {
		if used < 0 || used > c.size {
			return fmt.Errorf("%d of %d bytes in use: %w", used, c.size, engine.ErrInvalid)
		}
		c.used, c.deleted = used, deleted
		return nil
	})
}

// TruncateChunks removes the chunks from number n on.
func (x *tx) TruncateChunks(ctx context.Context, id, n int64) error {
	return x.changing(ctx, id, func(a *array) error {
		if n < 0 {
			return fmt.Errorf("chunk %d: %w", n, engine.ErrInvalid)
		}
		a.chunks, _, _ = a.chunks.Split(n)
		return nil
	})
}
