package columns

import (
	"context"
	"fmt"
	"time"

	"github.com/kohakuvault/kvault/engine"
)

// chunk returns a chunk, which the caller does not change.
func (x *tx) chunk(ctx context.Context, a *array, n int64) (*chunk, error) {
	if n < 0 || n >= a.chunks {
		return nil, engine.ErrNotFound
	}
	if c := a.inline[n]; c != nil {
		return c, nil
	}
	m, at := n/manifestSize, n%manifestSize
	if m >= int64(len(a.manifests)) {
		return nil, x.c.corrupt(x.c.headKey(), fmt.Errorf("chunk %d of array %q is described nowhere", n, a.Name))
	}
	list, err := x.c.manifest(ctx, a.manifests[m])
	if err != nil {
		return nil, err
	}
	if at >= int64(len(list)) {
		return nil, x.c.corrupt(x.c.manifestKey(a.manifests[m]), fmt.Errorf("chunk %d of array %q is missing", n, a.Name))
	}
	return list[at], nil
}

// reading runs fn on a chunk.
func (x *tx) reading(ctx context.Context, id, n int64, fn func(a *array, c *chunk) error) error {
	return x.looking(ctx, func() error {
		a, err := x.find(id)
		if err != nil {
			return err
		}
		c, err := x.chunk(ctx, a, n)
		if err != nil {
			return err
		}
		return fn(a, c)
	})
}

// changing runs fn on the transaction's own copy of a chunk. If check, which sees the chunk before,
// fails, nothing is copied.
func (x *tx) changing(ctx context.Context, id, n int64, check func(*chunk) error, fn func(*chunk)) error {
	return x.writing(ctx, func() error {
		a, err := x.find(id)
		if err != nil {
			return err
		}
		c, err := x.chunk(ctx, a, n)
		if err == nil {
			err = check(c)
		}
		if err != nil {
			return err
		}
		if c.owner != x {
			c = c.clone(x)
		}
		if a, err = x.own(id); err != nil {
			return err
		}
		a.inline[n] = c
		fn(c)
		return nil
	})
}

func (c *chunk) within(off int64, n int) error {
	if off < 0 || int64(n) > c.size-off {
		return fmt.Errorf("%d bytes at %d of a chunk of %d bytes: %w", n, off, c.size, engine.ErrInvalid)
	}
	return nil
}

// ChunkSize returns the length of a chunk.
func (x *tx) ChunkSize(ctx context.Context, id, n int64) (size int64, err error) {
	err = x.reading(ctx, id, n, func(_ *array, c *chunk) error { size = c.size; return nil })
	return size, err
}

// ChunkUsed returns what SetChunkUsed stored.
func (x *tx) ChunkUsed(ctx context.Context, id, n int64) (used int64, deleted bool, err error) {
	err = x.reading(ctx, id, n, func(_ *array, c *chunk) error { used, deleted = c.used, c.deleted; return nil })
	return used, deleted, err
}

// Chunks returns how many chunks there are.
func (x *tx) Chunks(ctx context.Context, id int64) (n int64, err error) {
	err = x.looking(ctx, func() error {
		a, err := x.find(id)
		if err == nil {
			n = a.chunks
		}
		return err
	})
	return n, err
}

// ReadChunk reads a part of a chunk. Who reads one part after another has the next ones read ahead.
func (x *tx) ReadChunk(ctx context.Context, id, n, off int64, p []byte) error {
	return x.reading(ctx, id, n, func(a *array, c *chunk) error {
		if err := c.within(off, len(p)); err != nil {
			return err
		}
		if len(p) > 0 && x.next == (place{id, n, off}) {
			if err := x.readAhead(ctx, a, n, off); err != nil {
				return err
			}
		}
		x.next = place{id, n, off + int64(len(p))}
		if x.next.off == c.size {
			x.next = place{id, n + 1, 0}
		}
		for len(p) > 0 {
			at := off % blockBytes
			k := min(int64(len(p)), blockBytes-at)
			var b block
			if i := off / blockBytes; i < int64(len(c.blocks)) {
				b = c.blocks[i]
			}
			if err := x.c.readBlock(ctx, &b, at, p[:k]); err != nil {
				return err
			}
			p, off = p[k:], off+k
		}
		return nil
	})
}

// readBlock fills p with the bytes of a block from off on.
func (c *Columns) readBlock(ctx context.Context, b *block, off int64, p []byte) error {
	if !b.covered(off, int64(len(p))) {
		n := max(0, min(b.valid-off, int64(len(p))))
		if err := c.read(ctx, b, off, p[:n]); err != nil {
			return err
		}
		clear(p[n:])
	}
	b.overlay(off, p)
	return nil
}

// aheadBlocks is how many blocks are read at once in a sequential read, if the cache holds twice as
// many.
const aheadBlocks = 4

// readAhead has the blocks from a place on in the cache, unless the first is there already.
func (x *tx) readAhead(ctx context.Context, a *array, n, off int64) error {
	if x.c.o.CacheBytes < 2*aheadBlocks*blockBytes {
		return nil
	}
	var list []block
	i := off / blockBytes
	for tries := 0; len(list) < aheadBlocks && tries < aheadBlocks && n < a.chunks; tries++ {
		c, err := x.chunk(ctx, a, n)
		if err != nil {
			return err
		}
		for ; i < int64(len(c.blocks)) && len(list) < aheadBlocks; i++ {
			b := c.blocks[i]
			if b.valid == 0 || b.covered(0, b.valid) {
				continue
			}
			page := int64(0)
			if len(list) == 0 {
				page = min(off%blockBytes, b.valid-1) / pageBytes
			}
			if x.c.pages.get(pageKey{b.obj, page}) != nil {
				if len(list) == 0 {
					return nil
				}
				continue
			}
			list = append(list, b)
		}
		n, i, off = n+1, 0, 0
	}
	return parallel(ctx, len(list), func(ctx context.Context, i int) error {
		_, err := x.c.fetch(ctx, &list[i], 0, (list[i].valid-1)/pageBytes)
		return err
	})
}

// maxPieces is how many separate writes a block may have before it is read, and they become one.
const maxPieces = 64

// WriteChunk writes a part of a chunk.
func (x *tx) WriteChunk(ctx context.Context, id, n, off int64, p []byte) error {
	var written *chunk
	err := x.changing(ctx, id, n, func(c *chunk) error { return c.within(off, len(p)) }, func(c *chunk) {
		c.write(off, p)
		x.dirty += len(p)
		written = c
	})
	if err != nil || len(p) == 0 {
		return err
	}
	return x.writing(ctx, func() error {
		for i := off / blockBytes; i <= (off+int64(len(p))-1)/blockBytes && i < int64(len(written.blocks)); i++ {
			if len(written.blocks[i].patches) > maxPieces {
				if err := x.c.join(ctx, &written.blocks[i]); err != nil {
					return err
				}
			}
		}
		if x.dirty < x.c.o.SpillBytes {
			return nil
		}
		return x.spill(ctx)
	})
}

// join makes one patch of all that a block has.
func (c *Columns) join(ctx context.Context, b *block) error {
	p := make([]byte, b.extent())
	if err := c.readBlock(ctx, b, 0, p); err != nil {
		return err
	}
	b.patches = []patch{{0, p}}
	return nil
}

// spill uploads the blocks that the transaction has changed, so that it holds no more of them.
func (x *tx) spill(ctx context.Context) error {
	var list []*block
	for _, a := range x.arrays {
		if !x.changed[a.ID] {
			continue
		}
		for _, c := range a.inline {
			for i := range c.blocks {
				if c.owner == x && len(c.blocks[i].patches) > 0 {
					list = append(list, &c.blocks[i])
				}
			}
		}
	}
	if err := x.fold(ctx, list); err != nil {
		return err
	}
	x.dirty = 0
	return nil
}

// fold uploads blocks as new objects, and takes these for the old ones with their patches.
func (x *tx) fold(ctx context.Context, list []*block) error {
	if len(list) > 0 && x.uploaded.IsZero() {
		x.uploaded = time.Now()
	}
	return parallel(ctx, len(list), func(ctx context.Context, i int) error {
		b := list[i]
		p := make([]byte, b.extent())
		if err := x.c.readBlock(ctx, b, 0, p); err != nil {
			return err
		}
		next := block{obj: newName(), length: int64(len(p)), valid: int64(len(p))}
		if err := x.c.store(ctx, x.c.blockKey(next.obj), encodeBlock(next.obj, p)); err != nil {
			return err
		}
		*b = next
		return nil
	})
}

// ResizeChunk changes the length of a chunk, or adds one. It sends no request.
func (x *tx) ResizeChunk(ctx context.Context, id, n, size int64) error {
	added := false
	err := x.writing(ctx, func() error {
		a, err := x.find(id)
		if err != nil {
			return err
		}
		if size < 0 || size > maxChunk || n < 0 || n > a.chunks {
			return fmt.Errorf("chunk %d of %d to be %d bytes: %w", n, a.chunks, size, engine.ErrInvalid)
		}
		if n < a.chunks {
			return nil
		}
		if a, err = x.own(id); err != nil {
			return err
		}
		a.inline[n] = &chunk{size: size, owner: x}
		a.chunks++
		added = true
		return nil
	})
	if err != nil || added {
		return err
	}
	return x.changing(ctx, id, n, func(*chunk) error { return nil }, func(c *chunk) { c.resize(size) })
}

// SetChunkUsed stores how much of a chunk is in use. It sends no request.
func (x *tx) SetChunkUsed(ctx context.Context, id, n, used int64, deleted bool) error {
	return x.changing(ctx, id, n, func(c *chunk) error {
		if used < 0 || used > c.size {
			return fmt.Errorf("%d of %d bytes in use: %w", used, c.size, engine.ErrInvalid)
		}
		return nil
	}, func(c *chunk) { c.used, c.deleted = used, deleted })
}

// TruncateChunks removes the chunks from number n on.
func (x *tx) TruncateChunks(ctx context.Context, id, n int64) error {
	return x.writing(ctx, func() error {
		a, err := x.find(id)
		if err != nil {
			return err
		}
		if n < 0 {
			return fmt.Errorf("chunk %d: %w", n, engine.ErrInvalid)
		}
		if n >= a.chunks {
			return nil
		}
		if a, err = x.own(id); err != nil {
			return err
		}
		for k := range a.inline {
			if k >= n {
				delete(a.inline, k)
			}
		}
		a.manifests = a.manifests[:min(int64(len(a.manifests)), ceilDiv(n, manifestSize))]
		a.chunks = n
		return nil
	})
}
