package kvault

import (
	"context"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/writeback"
)

// lookup finds the newest pending entry of key.
func (c *cache) lookup(key string) (writeback.Entry, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries.Lookup(key)
}

// overlay is what is pending within r, and the epoch in which it is; any is false if nothing is pending at all.
func (c *cache) overlay(r engine.Range) (over writeback.Overlay, epoch uint64, any bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries.Overlay(r), c.epoch, c.entries.Len() > 0
}

func (c *cache) unmoved(epoch uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.epoch == epoch
}

// snapshotTries is how often a reader that was overtaken by a flush starts again before it makes flushes wait.
const snapshotTries = 8

// consistent runs read with an overlay that fits what the store holds while read runs: nothing moves from the one to the
// other meanwhile. If something did, read runs again. An empty overlay fits any later state.
func (c *cache) consistent(ctx context.Context, r engine.Range, read func(writeback.Overlay) error) error {
	for range snapshotTries {
		over, epoch, any := c.overlay(r)
		if err := read(over); err != nil || !any || c.unmoved(epoch) {
			return err
		}
	}
	if err := c.acquire(ctx); err != nil {
		return err
	}
	defer c.release()
	over, _, _ := c.overlay(r)
	return read(over)
}
