package kvault

import (
	"context"
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
