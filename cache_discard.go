package kvault

import "context"

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
