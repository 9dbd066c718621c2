package column

import (
	"context"

	"github.com/kohakuvault/kvault/internal/unexported"
)

// Append adds x at the end. It writes x and the length, not a whole chunk. With the vault's cache
// on (EnableCache, WithCache) and outside a transaction, x goes there, as Put does with keys: at
// once for this Vault, and to the file with the next flush.
func (c *Column[T]) Append(ctx context.Context, x T) error {
	r, err := encode(c, "append", x)
	return c.h.add(ctx, "append", r, err)
}

// Extend adds all of xs at the end, or none. It costs little more than one Append, and goes through
// the cache like one.
func (c *Column[T]) Extend(ctx context.Context, xs []T) error {
	r, err := encode(c, "extend", xs...)
	return c.h.add(ctx, "extend", r, err)
}

// add appends elements by way of the vault's cache, if it is on and the call is no transaction's.
// Like set and insert it takes what encode returned.
func (h *handle) add(ctx context.Context, op string, r *run, err error) error {
	if err != nil {
		return err
	}
	if h.tx == nil && r.len() > 0 && h.v.CacheStats().Enabled {
		if cached, err := unexported.CacheAppends(ctx, h.v, h.pending(r).kept()); cached {
			return once(op, h.name, err)
		}
	}
	return h.update(ctx, op, func(l layout) error {
		if r.len() == 0 {
			return nil
		}
		return l.append(ctx, r)
	})
}

// Set replaces element i.
func (c *Column[T]) Set(ctx context.Context, i int64, x T) error {
	r, err := encode(c, "set", x)
	return c.h.set(ctx, i, r, err)
}

func (h *handle) set(ctx context.Context, i int64, r *run, err error) error {
	if err != nil {
		return err
	}
	return h.update(ctx, "set", func(l layout) error {
		at, err := index(i, l.length(), false)
		if err != nil {
			return err
		}
		return l.set(ctx, at, r.at(0))
	})
}

// Insert puts x before element i, or at the end if i is the number of elements. All elements behind
// it are moved.
func (c *Column[T]) Insert(ctx context.Context, i int64, x T) error {
	r, err := encode(c, "insert", x)
	return c.h.insert(ctx, i, r, err)
}

func (h *handle) insert(ctx context.Context, i int64, r *run, err error) error {
	if err != nil {
		return err
	}
	return h.update(ctx, "insert", func(l layout) error { return insertAt(ctx, l, i, r) })
}

func insertAt(ctx context.Context, l layout, i int64, r *run) error {
	at, err := index(i, l.length(), true)
	if err != nil {
		return err
	}
	if at == l.length() {
		return l.append(ctx, r)
	}
	return l.insert(ctx, at, r.at(0))
}

// Delete removes element i. All elements behind it are moved.
func (c *Column[T]) Delete(ctx context.Context, i int64) error { return c.h.remove(ctx, i) }

func (h *handle) remove(ctx context.Context, i int64) error {
	return h.update(ctx, "delete", func(l layout) error {
		at, err := index(i, l.length(), false)
		if err != nil {
			return err
		}
		return l.remove(ctx, at)
	})
}

// Clear removes all elements and gives their space back to the file.
func (c *Column[T]) Clear(ctx context.Context) error { return c.h.clear(ctx) }

func (h *handle) clear(ctx context.Context) error {
	return h.update(ctx, "clear", func(l layout) error { return l.clear(ctx) })
}

// Compact gives back the space of elements that were replaced or removed, where sizes differ. It
// rewrites such a column. Others never keep any.
func (c *Column[T]) Compact(ctx context.Context) error { return c.h.compact(ctx) }

func (h *handle) compact(ctx context.Context) error {
	return h.update(ctx, "compact", func(l layout) error { return l.compact(ctx) })
}
