package kvault

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// EnableCache turns the write-back cache on: Put, PutAll, Delete and streams of no more than one chunk then take effect at
// once for this Vault, and reach the file with the next flush, all pending ones in one transaction. Anything pending
// when the program dies is lost. Every other call that writes flushes first.
//
// Calling it again replaces the settings and loses nothing; if more is pending than the new capacity allows, it is flushed.
// While a WithCache is running, its settings come first.
//
// A write that fails because the flush it caused has failed says so, and stays in the cache for a later flush.
func (v *Vault) EnableCache(ctx context.Context, o *CacheOptions) error {
	cfg, err := o.resolved(func(capacity int64) int64 { return min(DefaultThreshold, capacity) })
	if err == nil {
		err = v.change(ctx, func() error { return v.cache.enable(ctx, cfg) })
	}
	return fail("enable cache", "", err)
}

func (c *cache) enable(ctx context.Context, cfg *cacheConfig) error {
	return c.configure(ctx, func() (next *cacheConfig) {
		if len(c.scopes) > 0 {
			return c.config()
		}
		return cfg
	}, func() { c.base = cfg })
}

// configure changes the settings by set, after which those that next returns are in force. If more is pending than they
// allow, it is flushed first. Both functions are called with mu held.
func (c *cache) configure(ctx context.Context, next func() *cacheConfig, set func()) error {
	c.mu.Lock()
	if c.entries.Bytes() <= next().capacity {
		set()
		c.tune()
		c.mu.Unlock()
		return nil
	}
	c.mu.Unlock()
	return c.exclusive(ctx, func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		set()
		c.tune()
		return nil
	})
}

// DisableCache flushes the cache and undoes EnableCache. If the cache is locked (ErrBusy) or the flush fails, it stays enabled
// and keeps everything.
func (v *Vault) DisableCache(ctx context.Context) error {
	return failFlush("disable cache", v.during(func() error { return v.cache.disable(ctx) }))
}

func (c *cache) disable(ctx context.Context) error {
	return c.exclusive(ctx, func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.base = nil
		c.tune()
		return nil
	})
}

// FlushCache writes what is pending, in one transaction, and returns how many entries that were; a pending delete is one
// too. If the cache is locked it does nothing and returns 0. If it fails, nothing was written and everything is still
// pending: see FlushError.
func (v *Vault) FlushCache(ctx context.Context) (n int, err error) {
	err = v.during(func() error {
		n, err = v.cache.flush(ctx, always)
		return err
	})
	return n, failFlush("flush cache", err)
}

// LockCache keeps anything from being flushed until unlock is called, so that what is written
// meanwhile reaches the file in one transaction. A write that would need a flush fails with ErrBusy
// and changes nothing. Locks nest: the last unlock counts; calling one unlock twice does no harm.
// Close flushes in spite of a lock. With the cache off there is nothing to lock, and every write
// would reach the file by itself: ErrInvalid.
func (v *Vault) LockCache() (unlock func(), err error) {
	if err := v.during(v.cache.lock); err != nil {
		return nil, fail("lock cache", "", err)
	}
	return sync.OnceFunc(v.cache.unlock), nil
}

func (c *cache) lock() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.config() == nil {
		return invalid("the cache is off: call EnableCache first, or use WithCache or Update")
	}
	c.locks++
	return nil
}

func (c *cache) unlock() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.locks--
	if c.locks == 0 {
		c.nudge()
	}
}

// CacheStats describes the cache. It works on a closed vault too.
func (v *Vault) CacheStats() CacheStats { return v.cache.stats() }

// WithCache runs fn with the cache on, and flushes it when fn returns, fails or panics. A flush that fails joins fn's error;
// what is pending then stays visible, and is written by the next flush, by the next call that writes to the file directly,
// or by Close. If the cache is locked when fn returns, the same holds without an error.
//
// The settings are those of o until fn returns, for all goroutines; then those of the enclosing WithCache or EnableCache come
// back.
func (v *Vault) WithCache(ctx context.Context, o *CacheOptions, fn func() error) (err error) {
	cfg, err := o.resolved(func(capacity int64) int64 { return capacity / 4 })
	if err == nil {
		err = v.change(ctx, func() error { return v.cache.push(ctx, cfg) })
	}
	if err != nil {
		return fail("with cache", "", err)
	}
	returned := false
	defer func() {
		flushErr := v.endScope(ctx, cfg)
		switch {
		case flushErr == nil:
		case returned:
			err = errors.Join(err, flushErr)
		case v.opt.OnError != nil: // fn panicked
			v.opt.OnError(flushErr)
		}
	}()
	err = fn()
	returned = true
	return err
}

func (c *cache) push(ctx context.Context, cfg *cacheConfig) error {
	return c.configure(ctx, func() *cacheConfig { return cfg }, func() { c.scopes = append(c.scopes, cfg) })
}

func (v *Vault) endScope(ctx context.Context, cfg *cacheConfig) error {
	if err := v.inFlight.enter(); err != nil {
		v.cache.drop(cfg) // Close has written everything, or has said why not
		return nil
	}
	defer v.inFlight.leave()
	return failFlush("with cache", v.cache.pop(ctx, cfg))
}

// drop removes a scope.
func (c *cache) drop(cfg *cacheConfig) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(cfg)
}

func (c *cache) forget(cfg *cacheConfig) {
	if i := slices.Index(c.scopes, cfg); i >= 0 {
		c.scopes = slices.Delete(c.scopes, i, i+1)
		c.tune()
	}
}

// pop removes a scope and flushes. Whatever happens to the flush, the scope is gone.
func (c *cache) pop(ctx context.Context, cfg *cacheConfig) error {
	defer c.drop(cfg)
	_, err := c.flush(ctx, func() bool {
		// Nothing may enter the cache under settings that no flush will follow.
		c.forget(cfg)
		outer := c.config()
		return !cfg.keep || outer != nil && c.entries.Bytes() > outer.capacity
	})
	return err
}

// DiscardCache throws away all that is pending in the cache, and returns how many entries that
// were. DiscardCached does so with one. It waits for a flush that is running, and does not care
// about LockCache.
func (v *Vault) DiscardCache(ctx context.Context) (n int, err error) {
	err = v.during(func() error {
		return v.cache.discard(ctx, func() { n = v.cache.discardAll() })
	})
	return n, fail("discard cache", "", err)
}

// DiscardCached throws away one entry that is pending in the cache, and reports whether there was
// one. What the file holds for the key, or in the column, counts again. It is the way out when one
// entry can never be written, as when a rule of another program's table refuses it, or when another
// program dropped or renamed a column: until then every flush fails, and Close. The error
// of a flush names the entry, see FlushError.
//
// Elements that one call of Table.Append in package column has added belong together: with those of
// one column, all that waits for the others is thrown away.
//
// It waits for a flush that is running, and does not care about LockCache. Options.OnError may call
// it.
func (v *Vault) DiscardCached(ctx context.Context, e CacheEntry) (found bool, err error) {
	if (e.Key == "") == (e.Column == "") {
		return false, fail("discard cached", e.Key, invalid("want a key, or the name of a column"))
	}
	err = v.during(func() error {
		return v.cache.discard(ctx, func() {
			if e.Key != "" {
				found = v.cache.entries.Discard(e.Key)
			} else {
				found = v.cache.entries.DiscardAppends(e.Column)
			}
		})
	})
	return found, fail("discard cached", e.Key, err)
}

// discard runs drop, which takes entries from the cache, with mu held and while nothing is flushed.
func (c *cache) discard(ctx context.Context, drop func()) error {
	if err := c.acquire(ctx); err != nil {
		return err
	}
	defer c.release()
	c.mu.Lock()
	defer c.mu.Unlock()
	drop()
	c.epoch++
	c.noPause()
	return nil
}

func (c *cache) discardAll() int {
	b := c.entries.BeginFlush()
	c.entries.EndFlush(true)
	return b.Len()
}
