package kvault

import (
	"context"

	"github.com/kohakuvault/kvault/internal/writeback"
)

// always is the condition of a flush that is always wanted.
func always() bool { return true }

// flush waits for a running flush, and then writes all pending entries in one transaction. It does
// nothing if the cache is locked, or if want, which it calls with mu held, returns false. It
// returns the number of entries written.
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

// begin takes all pending entries for a flush. The caller holds sem and mu, and must send the
// batch.
func (c *cache) begin() writeback.Batch {
	b := c.entries.BeginFlush()
	if b.Len() > 0 {
		c.epoch++
		c.sending = c.entries.FlushBytes()
	}
	return b
}

// settle writes the elements in doubt again, so that a reader of columns can tell what the store
// has. It does so even if the cache is locked: their flush began before that.
func (c *cache) settle(ctx context.Context) error {
	if err := c.acquire(ctx); err != nil {
		return err
	}
	defer c.release()
	return c.resend(ctx)
}

// resend is settle for a caller that holds sem.
func (c *cache) resend(ctx context.Context) error {
	c.mu.Lock()
	b := c.entries.BeginDoubt()
	if b.Len() > 0 {
		c.epoch++
		c.sending = c.entries.FlushBytes()
	}
	c.mu.Unlock()
	if b.Len() == 0 {
		return nil
	}
	_, err := c.sendOne(ctx, b)
	return err
}

// send writes the batch that begin returned, and what is pending behind elements in doubt. What the
// store has taken leaves the cache, and the rest is pending again.
func (c *cache) send(ctx context.Context, b writeback.Batch) (n int, err error) {
	for b.Len() > 0 {
		written, err := c.sendOne(ctx, b)
		n += written
		if err != nil || b.Doubt.ID == "" {
			return n, err
		}
		c.mu.Lock()
		b = c.begin()
		c.mu.Unlock()
	}
	return n, nil
}

func (c *cache) sendOne(ctx context.Context, b writeback.Batch) (n int, err error) {
	committed := false
	defer func() { c.finish(committed, err) }() // nothing is lost even if the engine panics
	written, err := c.write(ctx, b)
	if err == nil {
		committed = true
		return b.Len(), nil
	}
	if n = written.Len(); n > 0 {
		c.mu.Lock()
		c.entries.Settle(written.Items, written.Appends)
		c.mu.Unlock()
	}
	return n, err
}

// commit runs do, the commit of a flush that adds to columns. New snapshots wait until the flush
// has ended: one that began during the commit could not tell whether the store has the elements.
func (c *cache) commit(do func() error) error {
	c.mu.Lock()
	c.epoch++
	if c.committing == nil { // else this is another try
		c.committing = make(chan struct{})
	}
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

// exclusive runs fn, which changes the store directly. It flushes the cache first, and cached
// writers wait until fn has returned. With the cache off and empty, it only runs fn.
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

// enterExclusive checks the lock, makes cached writers wait and takes all pending entries,
// atomically.
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

// flushExclusive flushes the cache, so that the store is complete. It fails if the cache is locked.
func (c *cache) flushExclusive(ctx context.Context) error {
	return c.exclusive(ctx, func() error { return nil })
}

// close flushes everything, locked or not, and ends the background goroutine. No other call runs.
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
