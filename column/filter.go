package column

import (
	"context"
	"iter"

	"github.com/kohakuvault/kvault"
)

// Where visits the numbers of the elements that keep reports true for, in order. Of changes made
// meanwhile it sees what All does.
//
//	for i, err := range sizes.Where(ctx, func(n int64) bool { return n > 1<<20 }) {
func (c *Column[T]) Where(ctx context.Context, keep func(T) bool) iter.Seq2[int64, error] {
	return func(yield func(int64, error) bool) {
		i := int64(0)
		for block, err := range c.Blocks(ctx) {
			if err != nil {
				yield(-1, err)
				return
			}
			for _, x := range block {
				if keep(x) && !yield(i, nil) {
					return
				}
				i++
			}
		}
	}
}

// Count returns how many elements keep reports true for, all of one state of the column.
func (c *Column[T]) Count(ctx context.Context, keep func(T) bool) (n int64, err error) {
	err = c.scan(ctx, func(block []T) {
		for _, x := range block {
			if keep(x) {
				n++
			}
		}
	})
	return n, err
}

// Pick returns the elements of those numbers, in that order. Neighbours are read together.
func (c *Column[T]) Pick(ctx context.Context, numbers []int64) ([]T, error) {
	xs := make([]T, 0, len(numbers))
	err := c.view(ctx, "pick", func(l layout) (err error) {
		for r := new(run); len(numbers) > 0 && err == nil; {
			xs, numbers, err = pickPage(ctx, l, c.codec, numbers, xs, r)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return xs, nil
}

// BlocksAt visits the elements of those numbers, in that order, many at a time: it is to Pick what
// BlocksOf is to Slice. The slice is reused for the next block. It is fastest if the numbers
// ascend.
func (c *Column[T]) BlocksAt(ctx context.Context, numbers []int64) iter.Seq2[[]T, error] {
	return func(yield func([]T, error) bool) {
		var block []T
		r, left := new(run), numbers
		for len(left) > 0 {
			err := c.view(ctx, "pick", func(l layout) (err error) {
				block, left, err = pickPage(ctx, l, c.codec, left, block[:0], r)
				return err
			})
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(block, nil) {
				return
			}
		}
	}
}

// pickPage appends elements to xs until it has read a page, and returns what is left of their
// numbers.
func pickPage[T any](ctx context.Context, l layout, codec Codec[T], numbers []int64, xs []T, r *run) ([]T, []int64, error) {
	for page := 0; len(numbers) > 0 && page < pageBytes; page += max(1, len(r.data)) {
		list, err := pickRun(ctx, l, codec.Size(), numbers, r)
		if err != nil {
			return nil, nil, err
		}
		for _, i := range list {
			x, err := codec.Decode(r.at(int(i - list[0])))
			if err != nil {
				return nil, nil, ofElement(i, err)
			}
			xs = append(xs, x)
		}
		numbers = numbers[len(list):]
	}
	return xs, numbers, nil
}

// pickRun reads the elements of the first numbers into r, together with those between them, as long
// as they ascend and lie close together. It returns the numbers of those that it read.
func pickRun(ctx context.Context, l layout, size int, numbers []int64, r *run) (list []int64, err error) {
	const (
		near       = 4096 // bytes, which take no longer to read than to begin anew
		mostAtOnce = 8192
	)
	gap := int64(8)
	if size > 0 {
		gap = int64(near / size)
	}
	for _, number := range numbers[:min(len(numbers), mostAtOnce)] {
		next, err := index(number, l.length(), false)
		if err != nil {
			return nil, err
		}
		if n := len(list); n > 0 && (next <= list[n-1] || next-list[n-1] > gap+1) {
			break
		}
		list = append(list, next)
	}
	from, last := list[0], list[len(list)-1]
	if err := l.read(ctx, from, last+1, r); err != nil {
		return nil, err
	}
	for last-from >= int64(r.len()) { // a page holds fewer
		list = list[:len(list)-1]
		last = list[len(list)-1]
	}
	return list, nil
}

// neighbours calls do for each run of numbers of which each is one more than the one before.
func neighbours(numbers []int64, n int64, do func(from, to int64) error) error {
	for len(numbers) > 0 {
		from, err := index(numbers[0], n, false)
		if err != nil {
			return err
		}
		to := from + 1
		for numbers = numbers[1:]; len(numbers) > 0; numbers = numbers[1:] {
			next, err := index(numbers[0], n, false)
			if err != nil {
				return err
			}
			if next != to {
				break
			}
			to++
		}
		if err := do(from, to); err != nil {
			return err
		}
	}
	return nil
}

// scan runs do on all elements, in order, of one state of the column.
func (c *Column[T]) scan(ctx context.Context, do func(block []T)) error {
	if c.tx == nil {
		return c.inSnapshot(ctx, func(c *Column[T]) error { return c.scan(ctx, do) })
	}
	for block, err := range c.Blocks(ctx) {
		if err != nil {
			return err
		}
		do(block)
	}
	return nil
}

// inSnapshot runs fn on the column within one snapshot.
func (c *Column[T]) inSnapshot(ctx context.Context, fn func(c *Column[T]) error) error {
	var own error
	err := c.v.View(ctx, func(tx *kvault.Tx) error {
		own = fn(c.In(tx))
		return own
	})
	if own != nil {
		return own
	}
	return fail("read", c.name, err)
}
