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

// overlay is what is pending within r, and the epoch in which it is; any is false if nothing is pending at all. With columns it is
// not taken while elements of columns are in the cache or in the store, and nobody can tell which.
func (c *cache) overlay(ctx context.Context, r engine.Range, columns bool) (over writeback.Overlay, epoch uint64, any bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for columns && c.committing != nil {
		done := c.committing
		c.mu.Unlock()
		err := wait(ctx, done)
		c.mu.Lock()
		if err != nil {
			return over, 0, false, err
		}
	}
	return c.entries.Overlay(r), c.epoch, c.entries.Len() > 0, nil
}

func (c *cache) unmoved(epoch uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.epoch == epoch
}

// snapshotTries is how often a reader that was overtaken by a flush starts again before it makes flushes wait.
const snapshotTries = 8

// consistent runs read with an overlay that fits what the store holds while read runs: nothing moves
// from the one to the other meanwhile. If something did, read runs again. An empty overlay fits any
// later state. Without columns the overlay's keys fit, but not its elements of columns. undo, if not
// nil, releases what read has acquired before consistent waits for a flush: with a rollback journal, a
// flush cannot commit while a snapshot is open.
func (c *cache) consistent(ctx context.Context, r engine.Range, columns bool, read func(writeback.Overlay) error, undo func()) error {
	for range snapshotTries {
		over, epoch, any, err := c.overlay(ctx, r, columns)
		if err != nil {
			return err
		}
		if err := read(over); err != nil || !any || c.unmoved(epoch) {
			return err
		}
		if undo != nil {
			undo()
		}
	}
	if err := c.acquire(ctx); err != nil {
		return err
	}
	defer c.release()
	over, _, _, err := c.overlay(ctx, r, columns)
	if err != nil {
		return err
	}
	return read(over)
}
