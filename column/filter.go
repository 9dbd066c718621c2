package column

import (
	"context"
	"iter"
	"math"
)

// Where visits the numbers of the elements that keep reports true for, in order. Of changes made
// meanwhile it sees what All does.
//
//	for i, err := range sizes.Where(ctx, func(n int64) bool { return n > 1<<20 }) {
func (c *Column[T]) Where(ctx context.Context, keep func(T) bool) iter.Seq2[int64, error] {
	return func(yield func(int64, error) bool) { where(ctx, c, keep, yield) }
}

// where is what Where does.
func where[T any](ctx context.Context, c *Column[T], keep func(T) bool,
	yield func(int64, error) bool) {
	i := int64(0)
	blocks(ctx, c, 0, math.MaxInt64, func(block []T, err error) bool {
		if err != nil {
			return yield(-1, err)
		}
		for _, x := range block {
			if keep(x) && !yield(i, nil) {
				return false
			}
			i++
		}
		return true
	})
}

// Count returns how many elements keep reports true for, all of one state of the column.
func (c *Column[T]) Count(ctx context.Context, keep func(T) bool) (n int64, err error) {
	var block []T
	err = c.h.whole(ctx, func(page *run) (err error) {
		if block, err = decodePage(c, block, page); err != nil {
			return err
		}
		for _, x := range block {
			if keep(x) {
				n++
			}
		}
		return nil
	})
	return n, err
}

// Pick returns the elements of those numbers, in that order. Neighbours are read together.
func (c *Column[T]) Pick(ctx context.Context, numbers []int64) ([]T, error) {
	xs := make([]T, 0, len(numbers))
	_, err := c.h.pick(ctx, numbers, math.MaxInt, new(run), decodeTo(c, &xs))
	if err != nil {
		xs = nil
	}
	return xs, err
}

// BlocksAt visits the elements of those numbers, in that order, many at a time: it is to Pick what
// BlocksOf is to Slice. The slice is reused for the next block. It is fastest if the numbers
// ascend.
func (c *Column[T]) BlocksAt(ctx context.Context, numbers []int64) iter.Seq2[[]T, error] {
	return func(yield func([]T, error) bool) { blocksAt(ctx, c, numbers, yield) }
}

// blocksAt is what BlocksAt does.
func blocksAt[T any](ctx context.Context, c *Column[T], numbers []int64,
	yield func([]T, error) bool) {
	var block []T
	take := decodeTo(c, &block)
	for r := new(run); len(numbers) > 0; {
		var err error
		block = block[:0]
		if numbers, err = c.h.pick(ctx, numbers, pageBytes, r, take); err != nil {
			yield(nil, err)
			return
		}
		if !yield(block, nil) {
			return
		}
	}
}

// pick reads elements by their numbers into r, as many bytes as most or a few more, and returns
// what is left of the numbers. It hands those that lie close together over to take.
func (h *handle) pick(ctx context.Context, numbers []int64, most int, r *run,
	take func(r *run) error) ([]int64, error) {
	err := h.view(ctx, "pick", func(l layout) error {
		for read := 0; len(numbers) > 0 && read < most; read += max(1, len(r.data)) {
			err := pickRun(ctx, l, h.size, numbers, r)
			if err == nil {
				err = take(r)
			}
			if err != nil {
				return err
			}
			numbers = numbers[len(r.numbers):]
		}
		return nil
	})
	return numbers, err
}

// pickRun reads the elements of the first numbers into r, together with those between them, as long
// as they ascend and lie close together.
func pickRun(ctx context.Context, l layout, size int, numbers []int64, r *run) error {
	const (
		near       = 4096 // bytes, which take no longer to read than to begin anew
		mostAtOnce = 8192
	)
	list := r.numbers[:0]
	gap := int64(8)
	if size > 0 {
		gap = int64(near / size)
	}
	for _, number := range numbers[:min(len(numbers), mostAtOnce)] {
		next, err := index(number, l.length(), false)
		if err != nil {
			return err
		}
		if n := len(list); n > 0 && (next <= list[n-1] || next-list[n-1] > gap+1) {
			break
		}
		list = append(list, next)
	}
	r.from = list[0]
	if err := l.read(ctx, r.from, list[len(list)-1]+1, r); err != nil {
		return err
	}
	for list[len(list)-1]-r.from >= int64(r.len()) { // a page holds fewer
		list = list[:len(list)-1]
	}
	r.numbers = list
	return nil
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
