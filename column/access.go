package column

import (
	"bytes"
	"context"
	"fmt"
)

// index resolves i, which may count from the end, in a column of n elements; n itself counts as an
// element if end is set.
func index(i, n int64, end bool) (int64, error) {
	at := i
	if at < 0 {
		at += n
	}
	if at < 0 || at > n || at == n && !end {
		return 0, &worded{fmt.Sprintf("index %d is out of range: there are %d elements", i, n), ErrRange}
	}
	return at, nil
}

// Len returns the number of elements.
func (c *Column[T]) Len(ctx context.Context) (n int64, err error) { return c.h.length(ctx) }

func (h *handle) length(ctx context.Context) (n int64, err error) {
	err = h.view(ctx, "length", func(l layout) error { n = l.length(); return nil })
	return n, err
}

// Get returns element i.
func (c *Column[T]) Get(ctx context.Context, i int64) (x T, err error) {
	r, err := c.h.get(ctx, i)
	if err == nil {
		x, err = c.codec.Decode(r.at(0))
		err = c.h.decoded("get", r.from, err)
	}
	return x, err
}

// get returns a run of element i.
func (h *handle) get(ctx context.Context, i int64) (*run, error) {
	r := new(run)
	err := h.view(ctx, "get", func(l layout) (err error) {
		if r.from, err = index(i, l.length(), false); err != nil {
			return err
		}
		return l.read(ctx, r.from, r.from+1, r)
	})
	return r, err
}

// decoded says of which element a codec gave err, if it gave one.
func (h *handle) decoded(op string, i int64, err error) error {
	if err == nil {
		return nil
	}
	return fail(op, h.name, ofElement(i, err))
}

// Slice returns the elements from number from up to but not including number to. Bounds count from
// the end if negative, and are moved to the nearest element if there is none by that number, so
// math.MaxInt64 is the end.
func (c *Column[T]) Slice(ctx context.Context, from, to int64) ([]T, error) {
	xs := []T{}
	err := c.h.slice(ctx, from, to, decodeTo(c, &xs))
	if err != nil {
		xs = nil
	}
	return xs, err
}

// slice hands the elements from number from up to number to over to do, a page at a time.
func (h *handle) slice(ctx context.Context, from, to int64, do func(r *run) error) error {
	return h.view(ctx, "slice", func(l layout) error {
		from, to := clamp(from, l.length()), clamp(to, l.length())
		for r := (&run{from: from}); r.from < to; r.from += int64(r.len()) {
			err := l.read(ctx, r.from, to, r)
			if err == nil {
				err = do(r)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func clamp(i, n int64) int64 {
	if i < 0 {
		i += n
	}
	return min(max(i, 0), n)
}

// Index returns the number of the first element that equals x, or -1 if none does. Elements are
// equal if they are encoded alike, so a NaN equals itself, and zero is not minus zero.
func (c *Column[T]) Index(ctx context.Context, x T) (int64, error) {
	want, err := encode(c, "search", x)
	return c.h.index(ctx, want, err)
}

// index returns the number of the first element that equals the one in want, or -1.
func (h *handle) index(ctx context.Context, want *run, err error) (int64, error) {
	if err != nil {
		return -1, err
	}
	x, equal := want.at(0), bytes.Equal
	if h.nulls {
		equal = same
	}
	found := int64(-1)
	err = h.view(ctx, "search", func(l layout) error {
		r := new(run)
		for from, n := int64(0), l.length(); from < n; {
			if err := l.read(ctx, from, n, r); err != nil {
				return err
			}
			for i := range r.len() {
				if equal(r.at(i), x) {
					found = from + int64(i)
					return nil
				}
			}
			from += int64(r.len())
		}
		return nil
	})
	if err != nil {
		return -1, err
	}
	return found, nil
}

// Contains says whether an element equals x, as Index has it.
func (c *Column[T]) Contains(ctx context.Context, x T) (bool, error) {
	i, err := c.Index(ctx, x)
	return i >= 0, err
}
