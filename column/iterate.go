package column

import (
	"context"
	"iter"
	"math"
	"slices"
)

// All visits the elements in order. It reads a page at a time and holds nothing open between pages,
// so the loop body may call any method; of changes made meanwhile it sees those behind the page it
// is at. Within one state of the column, use In and a transaction. An error ends the loop.
func (c *Column[T]) All(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for block, err := range c.Blocks(ctx) {
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, x := range block {
				if !yield(x, nil) {
					return
				}
			}
		}
	}
}

// Blocks visits the elements in order, many at a time: about 1 MiB, or a chunk if that is less. It
// is the fastest way through a column, and else like All. The slice is reused for the next block.
func (c *Column[T]) Blocks(ctx context.Context) iter.Seq2[[]T, error] {
	return c.BlocksOf(ctx, 0, math.MaxInt64)
}

// BlocksOf visits the elements from number from up to but not including number to, as Blocks does.
// Bounds are those of Slice; negative ones count from the end that the column has at the beginning.
func (c *Column[T]) BlocksOf(ctx context.Context, from, to int64) iter.Seq2[[]T, error] {
	return func(yield func([]T, error) bool) {
		var block []T
		r := new(run)
		for at, end := from, to; ; {
			block = block[:0]
			err := c.view(ctx, "read", func(l layout) (err error) {
				n := l.length()
				if at < 0 || end < 0 {
					at, end = clamp(at, n), clamp(end, n)
				}
				if stop := min(end, n); at < stop {
					block, err = readBlock(ctx, l, c.codec, at, stop, block, r)
				}
				return err
			})
			if err != nil {
				yield(nil, err)
				return
			}
			if len(block) == 0 || !yield(block, nil) {
				return
			}
			at += int64(len(block))
		}
	}
}

// readBlock reads the next elements, reusing the memory of block and r.
func readBlock[T any](ctx context.Context, l layout, codec Codec[T], from, to int64, block []T, r *run) ([]T, error) {
	m, direct := codec.(memory[T])
	if direct = direct && littleEndian; direct {
		r.space = func(n int) []byte {
			block = slices.Grow(block[:0], n/codec.Size())[:n/codec.Size()]
			return m.bytesOf(block)
		}
	}
	err := l.read(ctx, from, to, r)
	if err != nil || direct {
		return block, err
	}
	return decode(codec, block[:0], r, from)
}
