package workload

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/kohakuvault/kvault"
)

// Cached puts values into a vault's cache, deletes some, and flushes it. What was in the cache when a
// flush succeeded is acknowledged; what was in it when one failed may be there, and is flushed again.
type Cached struct {
	Prefix string
	Keys   int
	// Batch is how many changes are made between two flushes.
	Batch int
	// Flushes and Failed count the flushes that succeeded, and those that did not.
	Flushes, Failed int
	Report

	wanted map[string]uint64 // the last version of each key; 0: deleted
}

// Run goes on until ctx ends, and then until a flush succeeds, for at most a minute. v has its cache
// on, and flushes by itself only when told.
func (c *Cached) Run(ctx context.Context, v Vault) error {
	c.wanted = map[string]uint64{}
	for version := uint64(1); ctx.Err() == nil; version++ {
		key := fmt.Sprint(c.Prefix, rand.N(c.Keys))
		err := bounded(ctx, func(ctx context.Context) error {
			if rand.N(10) == 0 {
				c.wanted[key] = 0
				_, err := v.Delete(ctx, key)
				return err
			}
			c.wanted[key] = version
			return v.Put(ctx, key, newValue(key, version, rand.N(3000)))
		})
		if err != nil {
			return fmt.Errorf("the cache takes no change: %w", err)
		}
		if version%uint64(c.Batch) == 0 {
			_ = c.flush(ctx, v)
		}
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if err := c.flush(ctx, v); err == nil || time.Now().After(end) {
			return err
		}
	}
}

func (c *Cached) flush(ctx context.Context, v Vault) error {
	err := c.call(ctx, func(ctx context.Context) error {
		_, err := v.FlushCache(ctx)
		return err
	})
	if err != nil {
		c.Failed++
		return err
	}
	c.Flushes++
	return nil
}

// Verify reads all keys by another vault than that of Run.
func (c *Cached) Verify(ctx context.Context, v Vault) error {
	for key, want := range c.wanted {
		var value []byte
		err := c.read(ctx, func(ctx context.Context) (err error) {
			value, err = v.Get(ctx, key)
			return err
		}, notFound...)
		switch {
		case errors.Is(err, kvault.ErrNotFound):
			if want > 0 {
				c.wrong("%s is missing, where version %d was flushed", key, want)
			}
			continue
		case err != nil:
			return fmt.Errorf("read %s: %w", key, err)
		}
		if got, err := checkValue(key, value); err != nil || got != want {
			c.wrong("%s has version %d (%v), where %d was flushed; 0 is a deletion", key, got, err, want)
		}
	}
	return nil
}
