package driver

import (
	"context"
	"sync/atomic"
	"time"
)

// waitBusy waits for a lock of another connection, a little longer each time, and says whether
// SQLite is to try again: until the patience is used up, or the context ends.
func (c *Conn) waitBusy(ctx context.Context, count int) bool {
	const first, longest = time.Millisecond, 25 * time.Millisecond
	left := time.Duration(c.patienceEnds - c.waited.Load())
	if left <= 0 {
		return false
	}
	begun := time.Now()
	defer func() { c.waited.Add(int64(time.Since(begun))) }()
	t := time.NewTimer(min(first<<min(count, 8), longest, left))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// SetContext makes ctx bound what the connection does from now on, and lets it wait for locks anew.
func (c *Conn) SetContext(ctx context.Context) {
	c.c.SetInterrupt(ctx)
	c.SetPatience(c.busyTimeout)
}

// Context is what SetContext has set.
func (c *Conn) Context() context.Context { return c.c.GetInterrupt() }

// SetPatience bounds how long the connection waits for locks from now on, all of them together.
func (c *Conn) SetPatience(d time.Duration) { c.patienceEnds = c.waited.Load() + int64(max(d, 0)) }

// CountWaits makes the connection add the time that it waits for locks to waited, which other
// goroutines may read.
func (c *Conn) CountWaits(waited *atomic.Int64) {
	c.waited = waited
	c.SetPatience(c.busyTimeout)
}
