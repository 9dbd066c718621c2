package column

import (
	"context"
	"iter"

	"github.com/kohakuvault/kvault"
)

// Where visits the numbers of the elements that keep reports true for, in order. Of changes made meanwhile it sees what All does.
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
	err := c.view(ctx, "pick", func(l layout) error {
		return neighbours(numbers, l.length(), func(from, to int64) (err error) {
			xs, err = readAll(ctx, l, c.codec, from, to, xs)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return xs, nil
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
