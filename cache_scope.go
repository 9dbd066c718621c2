package kvault

import (
	"context"
	"errors"
	"slices"
)

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
	if err := v.life.enter(); err != nil {
		v.cache.drop(cfg) // Close has written everything, or has said why not
		return nil
	}
	defer v.life.leave()
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
