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
func (c *Column[T]) Len(ctx context.Context) (n int64, err error) {
	err = c.view(ctx, "length", func(l layout) error { n = l.length(); return nil })
	return n, err
}

// Get returns element i.
func (c *Column[T]) Get(ctx context.Context, i int64) (x T, err error) {
	err = c.view(ctx, "get", func(l layout) error {
		at, err := index(i, l.length(), false)
		if err != nil {
			return err
		}
		r := new(run)
		if err := l.read(ctx, at, at+1, r); err != nil {
			return err
		}
		if x, err = c.codec.Decode(r.at(0)); err != nil {
			return fmt.Errorf("element %d: %w", at, err)
		}
		return nil
	})
	return x, err
}

// Slice returns the elements from number from up to but not including number to. Bounds count from
// the end if negative, and are moved to the nearest element if there is none by that number, so
// math.MaxInt64 is the end.
func (c *Column[T]) Slice(ctx context.Context, from, to int64) ([]T, error) {
	xs := []T{}
	err := c.view(ctx, "slice", func(l layout) (err error) {
		from, to := clamp(from, l.length()), clamp(to, l.length())
		xs, err = readAll(ctx, l, c.codec, from, to, xs)
		return err
	})
	if err != nil {
		return nil, err
	}
	return xs, nil
}

// readAll appends the elements from number from up to number to.
func readAll[T any](ctx context.Context, l layout, codec Codec[T], from, to int64, xs []T) ([]T, error) {
	for r := new(run); from < to; from += int64(r.len()) {
		if err := l.read(ctx, from, to, r); err != nil {
			return nil, err
		}
		var err error
		if xs, err = decode(codec, xs, r, from); err != nil {
			return nil, err
		}
	}
	return xs, nil
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
	want, err := encode(c.codec, x)
	if err != nil {
		return -1, fail("search", c.name, err)
	}
	equal := bytes.Equal
	if nullable, ok := c.codec.(withNulls); ok {
		equal = nullable.same
	}
	found := int64(-1)
	err = c.view(ctx, "search", func(l layout) error {
		r := new(run)
		for from, n := int64(0), l.length(); from < n; {
			if err := l.read(ctx, from, n, r); err != nil {
				return err
			}
			for i := range r.len() {
				if equal(r.at(i), want.at(0)) {
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
