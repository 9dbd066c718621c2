package kvault

import (
	"context"
	"slices"

	"github.com/kohakuvault/kvault/engine"
)

// cacheAppends is unexported.CacheAppends.
func (v *Vault) cacheAppends(ctx context.Context, list []engine.Append) (cached bool, err error) {
	err = v.change(ctx, func() error {
		cached, err = v.cache.append(ctx, list, func(list []engine.Append, which []int) (bool, error) {
			return v.bindAppends(ctx, list, which)
		})
		return err
	})
	return cached, err
}

// bindAppends binds the runs at the indexes which of list to their columns, all in one snapshot. It
// reports false if they belong in the store itself.
func (v *Vault) bindAppends(ctx context.Context, list []engine.Append, which []int) (cacheable bool, err error) {
	err = v.viewArrays(ctx, func(tx *Tx) error {
		arrays, err := tx.arrays()
		if err != nil {
			return err
		}
		for _, i := range which {
			bound, err := list[i].Bind(ctx, arrays)
			if bound == nil || err != nil {
				return err
			}
			list[i] = bound
		}
		cacheable = true
		return nil
	})
	return cacheable, err
}

// append caches elements. It first binds to its column each run that does not simply follow
// another.
func (c *cache) append(ctx context.Context, list []engine.Append, bind func([]engine.Append, []int) (bool, error)) (cached bool, err error) {
	if b := (batch{appends: list}); !c.fits(b.own()) {
		return false, nil
	}
	for {
		bound := slices.Clone(list)
		epoch, unbound := c.unbound(bound)
		if len(unbound) > 0 {
			if cacheable, err := bind(bound, unbound); !cacheable || err != nil {
				return err != nil, err
			}
		}
		moved := false
		cached, err = c.admit(ctx, batch{appends: bound}, func() bool {
			moved = len(unbound) > 0 && c.epoch != epoch || !c.follow(bound)
			return !moved
		})
		if !moved {
			return cached, err
		}
	}
}

// unbound returns the indexes of the runs that must be bound, and the current epoch.
func (c *cache) unbound(list []engine.Append) (epoch uint64, which []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, a := range list {
		if !a.Follows(c.entries.Waiting(a.Target())) {
			which = append(which, i)
		}
	}
	return c.epoch, which
}

func (c *cache) follow(list []engine.Append) bool {
	return !slices.ContainsFunc(list, func(a engine.Append) bool { return !a.Follows(c.entries.Waiting(a.Target())) })
}
