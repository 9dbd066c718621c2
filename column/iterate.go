package column

import (
	"context"
	"iter"
	"math"

	"github.com/kohakuvault/kvault"
)

// All visits the elements in order. It reads a page at a time and holds nothing open between pages,
// so the loop body may call any method; of changes made meanwhile it sees those behind the page it
// is at. Within one state of the column, use In and a transaction. An error ends the loop.
func (c *Column[T]) All(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) { all(ctx, c, yield) }
}

// all is what All does. What an iterator does is in a function, so that it is compiled once for a
// type, not again wherever the compiler puts the method in place of a call.
func all[T any](ctx context.Context, c *Column[T], yield func(T, error) bool) {
	blocks(ctx, c, 0, math.MaxInt64, func(block []T, err error) bool {
		if err != nil {
			var none T
			return yield(none, err)
		}
		for _, x := range block {
			if !yield(x, nil) {
				return false
			}
		}
		return true
	})
}

// Blocks visits the elements in order, many at a time: about 1 MiB, or a chunk if that is less. It
// is the fastest way through a column, and else like All. The slice is reused for the next block.
func (c *Column[T]) Blocks(ctx context.Context) iter.Seq2[[]T, error] {
	return c.BlocksOf(ctx, 0, math.MaxInt64)
}

// BlocksOf visits the elements from number from up to but not including number to, as Blocks does.
// Bounds are those of Slice; negative ones count from the end that the column has at the beginning.
func (c *Column[T]) BlocksOf(ctx context.Context, from, to int64) iter.Seq2[[]T, error] {
	return func(yield func([]T, error) bool) { blocks(ctx, c, from, to, yield) }
}

// blocks is what Blocks and BlocksOf do.
func blocks[T any](ctx context.Context, c *Column[T], from, to int64, yield func([]T, error) bool) {
	p := pages{handle: &c.h, from: from, to: to}
	for block := []T(nil); ; {
		err := p.next(ctx)
		if err == nil {
			block, err = decodePage(c, block, &p.page)
			err = fail("read", c.h.name, err)
		}
		if err != nil {
			yield(nil, err)
			return
		}
		if len(block) == 0 || !yield(block, nil) {
			return
		}
	}
}

// pages reads the elements from number from up to number to, a page at a time.
type pages struct {
	*handle
	from, to int64
	page     run
}

// next reads the next page. It is empty at the end.
func (p *pages) next(ctx context.Context) error {
	err := p.view(ctx, "read", func(l layout) error {
		p.page.data, p.page.ends = p.page.data[:0], p.page.ends[:0]
		n := l.length()
		if p.from < 0 || p.to < 0 {
			p.from, p.to = clamp(p.from, n), clamp(p.to, n)
		}
		if stop := min(p.to, n); p.from < stop {
			return l.read(ctx, p.from, stop, &p.page)
		}
		return nil
	})
	p.page.from = p.from
	p.from += int64(p.page.len())
	return err
}

// whole hands all elements, in order, of one state of the column over to do, a page at a time.
func (h *handle) whole(ctx context.Context, do func(page *run) error) error {
	if h.tx == nil && h.elements != nil {
		return h.inSnapshot(ctx, func(h *handle) error { return h.whole(ctx, do) })
	}
	p := pages{handle: h, to: math.MaxInt64}
	for {
		if err := p.next(ctx); err != nil || p.page.len() == 0 {
			return err
		}
		if err := do(&p.page); err != nil {
			return fail("read", h.name, err)
		}
	}
}

// inSnapshot runs fn on the column within one snapshot.
func (h *handle) inSnapshot(ctx context.Context, fn func(h *handle) error) error {
	var own error
	err := View(ctx, h.v, func(tx *kvault.Tx) error {
		in := h.in(tx)
		own = fn(&in)
		return own
	})
	if own != nil {
		return own
	}
	return fail("read", h.name, err)
}
