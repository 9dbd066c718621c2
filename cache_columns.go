package kvault

import (
	"context"

	"github.com/kohakuvault/kvault/engine"
)

// CacheAppends takes elements on their way to the end of columns to the cache, all of them or none. It reports false, having done
// nothing, if they belong in the store itself: because the cache is off, or they are larger than all of it. It is for packages
// that keep columns; package column is the one to use.
//
// Once cached they are read through Arrays of a View, and reach the store with the next flush. An error with cached set that is
// a failed flush says so: they are kept.
func (v *Vault) CacheAppends(ctx context.Context, list ...engine.Append) (cached bool, err error) {
	err = v.change(ctx, func() error {
		cached, err = v.cache.append(ctx, list, func(a engine.Append) error { return v.checkAppend(ctx, a) })
		return err
	})
	return cached, err
}

func (v *Vault) checkAppend(ctx context.Context, a engine.Append) error {
	return v.view(ctx, func(tx *Tx) error {
		arrays, err := tx.Arrays()
		if err != nil {
			return err
		}
		return a.Check(ctx, arrays)
	})
}

// append caches elements. The first ones for a column since it was flushed are checked.
func (c *cache) append(ctx context.Context, list []engine.Append, check func(engine.Append) error) (cached bool, err error) {
	b := batch{appends: list}
	if !c.takes(b.own()) {
		return false, nil
	}
	for {
		epoch, unknown := c.unknown(list)
		for _, a := range unknown {
			if err := check(a); err != nil {
				return true, err
			}
		}
		moved := false
		cached, err = c.admit(ctx, b, func() bool {
			for _, a := range list {
				moved = moved || c.epoch != epoch && !c.entries.Appending(a.Target())
			}
			return !moved
		})
		if !moved {
			return cached, err
		}
	}
}

// unknown are the elements for columns that nothing is pending for.
func (c *cache) unknown(list []engine.Append) (epoch uint64, unknown []engine.Append) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range list {
		if !c.entries.Appending(a.Target()) {
			unknown = append(unknown, a)
		}
	}
	return c.epoch, unknown
}
