package column

import (
	"context"

	"github.com/kohakuvault/kvault/internal/unexported"
)

// Append adds x at the end. It writes x and the length, not a whole chunk. With the vault's cache
// on (EnableCache, WithCache) and outside a transaction, x goes there, as Put does with keys: at
// once for this Vault, and to the file with the next flush.
func (c *Column[T]) Append(ctx context.Context, x T) error { return c.add(ctx, "append", x) }

// Extend adds all of xs at the end, or none. It costs little more than one Append, and goes through
// the cache like one.
func (c *Column[T]) Extend(ctx context.Context, xs []T) error { return c.add(ctx, "extend", xs...) }

func (c *Column[T]) add(ctx context.Context, op string, xs ...T) error {
	r, err := encode(c.codec, xs...)
	if err != nil {
		return fail(op, c.name, err)
	}
	return c.handle.add(ctx, op, c.pending(r))
}

// add appends elements by way of the vault's cache, if it is on and the call is no transaction's.
func (h *handle) add(ctx context.Context, op string, p *pending) error {
	r := p.run
	if h.tx == nil && r.len() > 0 && h.v.CacheStats().Enabled {
		if cached, err := unexported.CacheAppends(ctx, h.v, p.kept()); cached {
			return once(op, h.name, err)
		}
	}
	return h.run(ctx, op, h.v.Update, p.typ, p.size, func(l layout) error {
		if r.len() == 0 {
			return nil
		}
		return l.append(ctx, r)
	})
}

// Set replaces element i.
func (c *Column[T]) Set(ctx context.Context, i int64, x T) error {
	r, err := encode(c.codec, x)
	if err != nil {
		return fail("set", c.name, err)
	}
	return c.update(ctx, "set", func(l layout) error {
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
	r, err := encode(c.codec, x)
	if err != nil {
		return fail("insert", c.name, err)
	}
	return c.update(ctx, "insert", func(l layout) error { return insertAt(ctx, l, i, r) })
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
func (c *Column[T]) Delete(ctx context.Context, i int64) error {
	return c.update(ctx, "delete", func(l layout) error {
		at, err := index(i, l.length(), false)
		if err != nil {
			return err
		}
		return l.remove(ctx, at)
	})
}

// Clear removes all elements and gives their space back to the file.
func (c *Column[T]) Clear(ctx context.Context) error {
	return c.update(ctx, "clear", func(l layout) error { return l.clear(ctx) })
}

// Compact gives back the space of elements that were replaced or removed, where sizes differ. It
// rewrites such a column. Others never keep any.
func (c *Column[T]) Compact(ctx context.Context) error {
	return c.update(ctx, "compact", func(l layout) error { return l.compact(ctx) })
}
