package kvault

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// EnableCache turns the write-back cache on. Put, PutAll, Delete and streams of no more than one
// chunk then take effect at once for this Vault. They reach the file with the next flush, all
// pending ones in one transaction, or entry by entry on an engine that makes one change at a time
// (see New). What is pending when the program dies is lost. Every other call that writes flushes
// first.
//
// Calling it again replaces the settings and loses nothing. If the pending entries exceed the new
// capacity, they are flushed. While a WithCache runs, its settings take precedence.
//
// If a write causes a flush that fails, the error says so, and the write stays in the cache for a
// later flush.
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

// configure changes the settings by set; next returns those that are in force then. If the pending
// entries exceed their capacity, configure flushes first. It calls both functions with mu held.
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

// DisableCache flushes the cache and undoes EnableCache. If the cache is locked (ErrBusy) or the
// flush fails, it stays enabled and keeps everything.
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

// FlushCache writes all pending entries in one transaction, and returns the number of entries
// written; a pending delete counts as one. If the cache is locked it does nothing and returns 0. If
// it fails, nothing was written and everything is still pending: see FlushError. On an engine that
// makes one change at a time it writes entry by entry, and those that failed are still pending: see
// New.
func (v *Vault) FlushCache(ctx context.Context) (n int, err error) {
	err = v.during(func() error {
		n, err = v.cache.flush(ctx, always)
		return err
	})
	return n, failFlush("flush cache", err)
}

// LockCache prevents flushes until unlock is called, so that all writes up to then reach the file
// in one transaction, if the engine has any (see New). A write that would need a flush fails with
// ErrBusy and changes nothing. Locks nest: the last unlock ends them. Calling one unlock twice has
// no effect. Close flushes in spite of a lock. With the cache off every write would reach the file
// by itself: ErrInvalid.
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

// WithCache runs fn with the cache on, and flushes it when fn returns, fails or panics. If the
// flush fails, its error joins fn's. The pending entries then stay visible, and are written by the
// next flush, by the next call that writes to the file directly, or by Close. If the cache is
// locked when fn returns, the same holds without an error.
//
// Until fn returns, the settings of o apply to all goroutines. After that those of the enclosing
// WithCache or EnableCache apply again.
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
		v.cache.drop(cfg) // Close has written everything, or has returned the error
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

// pop flushes and removes a scope, even if the flush fails.
func (c *cache) pop(ctx context.Context, cfg *cacheConfig) error {
	defer c.drop(cfg)
	_, err := c.flush(ctx, func() bool {
		// No entry may be cached under settings after which no flush follows.
		c.forget(cfg)
		outer := c.config()
		return !cfg.keep || outer != nil && c.entries.Bytes() > outer.capacity
	})
	return err
}

// DiscardCache discards all pending entries, and returns the number of entries discarded.
// DiscardCached discards one. Both wait for a running flush, and ignore LockCache.
func (v *Vault) DiscardCache(ctx context.Context) (n int, err error) {
	err = v.during(func() error {
		return v.cache.discard(ctx, func() { n = v.cache.discardAll() })
	})
	return n, fail("discard cache", "", err)
}

// DiscardCached discards one pending entry, and reports whether there was one. Reads then see what
// the file holds for the key, or in the column. It is the way out when an entry can never be
// written: a rule of another program's table refuses it, or another program dropped or renamed the
// column. Until it is discarded every flush fails, and so does Close. The error of the flush names
// the entry, see FlushError.
//
// Elements that one call of Table.Append in package column has added belong together: discarding
// those of one column discards all pending elements of the others.
//
// On an engine that makes one change at a time (see New), elements may be in doubt: the column may
// have them already. Discarding them says that they are not to be written again, and removes nothing
// from the column. Look afterwards which of them it has. If the column was dropped meanwhile, they
// are gone with it, and have to be discarded nevertheless: every flush, and every read of columns,
// fails until then, because it cannot write them.
//
// It waits for a running flush, and ignores LockCache. Options.OnError may call it.
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

// discard runs drop, which removes entries from the cache, with mu held and while no flush runs.
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
	n := c.entries.Pending()
	for c.entries.Pending() > 0 { // twice if elements wait behind others in doubt
		c.entries.BeginFlush()
		c.entries.EndFlush(true)
	}
	return n
}
