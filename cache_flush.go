package kvault

import (
	"context"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/writeback"
)

// flushError is a flush that failed, in the middle of whatever call needed it.
type flushError struct{ err error }

func (f *flushError) Error() string { return "flush cache: " + f.err.Error() }
func (f *flushError) Unwrap() error { return f.err }

// failFlush is fail for a call that does nothing but flush.
func failFlush(err error) error {
	if f, ok := err.(*flushError); ok {
		err = f.err
	}
	return fail("flush cache", "", err)
}

// always is a condition of flush.
func always() bool { return true }

// flush writes what is pending in one transaction, unless the cache is locked or want, asked under the lock at the last
// moment, says no. It returns how many entries it wrote. A flush that is running already is waited for.
func (c *cache) flush(ctx context.Context, want func() bool) (int, error) {
	if err := c.acquire(ctx); err != nil {
		return 0, err
	}
	defer c.release()
	c.mu.Lock()
	var items []writeback.Item
	if c.locks == 0 && want() {
		items = c.begin()
	}
	c.mu.Unlock()
	return c.send(ctx, items)
}

// begin takes what is pending for a flush. The caller holds sem and mu, and sends the items.
func (c *cache) begin() []writeback.Item {
	items := c.entries.BeginFlush()
	if len(items) > 0 {
		c.epoch++
		c.sending = c.entries.Bytes()
	}
	return items
}

// send writes the items that begin returned. They leave the cache if the store has committed them, and else are pending
// again.
func (c *cache) send(ctx context.Context, items []writeback.Item) (n int, err error) {
	if len(items) == 0 {
		return 0, nil
	}
	ops := make([]engine.Op, len(items))
	for i, it := range items {
		ops[i] = engine.Op{Kind: engine.Put, Key: it.Key, Value: it.Value, Meta: it.Meta}
		if it.Deleted {
			ops[i] = engine.Op{Kind: engine.Delete, Key: it.Key}
		}
	}
	committed := false
	defer func() { c.finish(committed, err) }() // should the engine panic, nothing is lost either
	if _, err = c.write(ctx, ops); err != nil {
		return 0, &flushError{err}
	}
	committed = true
	return len(items), nil
}

func (c *cache) finish(committed bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries.EndFlush(committed)
	c.sending = 0
	c.epoch++
	c.lastError = err
	if committed {
		c.flushes++
		return
	}
	c.failed++
	c.nudge()
}

// exclusive runs fn, which changes the store directly: whatever is pending is written first, and whoever would add to the
// cache waits until fn is done. With the cache off and empty, fn just runs.
func (c *cache) exclusive(ctx context.Context, fn func() error) error {
	c.mu.Lock()
	off, locked := c.off(), c.locks > 0
	if off {
		c.beginDirect()
	}
	c.mu.Unlock()
	if off {
		defer c.endDirect()
		return fn()
	}
	if locked {
		return errLocked
	}
	if err := c.acquire(ctx); err != nil {
		return err
	}
	defer c.release()
	items, err := c.enterExclusive()
	if err != nil {
		return err
	}
	defer c.endDirect()
	if _, err := c.send(ctx, items); err != nil {
		return err
	}
	return fn()
}

// enterExclusive checks the lock, shuts cached writers out and takes what is pending, all at one moment.
func (c *cache) enterExclusive() ([]writeback.Item, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.locks > 0 {
		return nil, errLocked
	}
	c.beginDirect()
	return c.begin(), nil
}

func (c *cache) beginDirect() {
	if c.direct == 0 {
		c.directDone = make(chan struct{})
	}
	c.direct++
}

func (c *cache) endDirect() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	c.direct--
	if c.direct == 0 {
		close(c.directDone)
	}
}

// settle writes what is pending, so that the store is complete. It fails if the cache is locked.
func (c *cache) settle(ctx context.Context) error {
	return c.exclusive(ctx, func() error { return nil })
}

// close writes everything, locked or not, and ends the background. No other call is running.
func (c *cache) close() error {
	ctx := context.Background()
	if err := c.acquire(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	items := c.begin()
	c.mu.Unlock()
	_, err := c.send(ctx, items)
	c.release()
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.closed = true
	c.tune()
	c.mu.Unlock()
	c.work.Wait()
	return nil
}
