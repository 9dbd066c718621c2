package kvault

import (
	"context"

	"github.com/kohakuvault/kvault/internal/writeback"
)

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
	var b writeback.Batch
	if c.locks == 0 && want() {
		b = c.begin()
	}
	c.mu.Unlock()
	return c.send(ctx, b)
}

// begin takes what is pending for a flush. The caller holds sem and mu, and sends the batch.
func (c *cache) begin() writeback.Batch {
	b := c.entries.BeginFlush()
	if b.Len() > 0 {
		c.epoch++
		c.sending = c.entries.Bytes()
	}
	return b
}

// send writes the batch that begin returned. It leaves the cache if the store has committed it, and else is pending again.
func (c *cache) send(ctx context.Context, b writeback.Batch) (n int, err error) {
	if b.Len() == 0 {
		return 0, nil
	}
	committed := false
	defer func() { c.finish(committed, err) }() // should the engine panic, nothing is lost either
	if err = c.write(ctx, b); err != nil {
		return 0, err
	}
	committed = true
	return b.Len(), nil
}

// commit runs do, the commit of a flush that adds to columns. Snapshots wait for the end of the flush meanwhile: one that began now
// could not tell whether the elements are in the store already.
func (c *cache) commit(do func() error) error {
	c.mu.Lock()
	c.epoch++
	c.committing = make(chan struct{})
	c.mu.Unlock()
	return do()
}

func (c *cache) finish(committed bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries.EndFlush(committed)
	c.sending = 0
	c.epoch++
	c.lastError = err
	if c.committing != nil {
		close(c.committing)
		c.committing = nil
	}
	if committed {
		c.flushes++
		c.noPause()
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
	b, err := c.enterExclusive()
	if err != nil {
		return err
	}
	defer c.endDirect()
	if _, err := c.send(ctx, b); err != nil {
		return err
	}
	return fn()
}

// enterExclusive checks the lock, shuts cached writers out and takes what is pending, all at one moment.
func (c *cache) enterExclusive() (b writeback.Batch, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.locks > 0 {
		return b, errLocked
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
	b := c.begin()
	c.mu.Unlock()
	_, err := c.send(ctx, b)
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
