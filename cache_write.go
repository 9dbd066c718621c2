package kvault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/writeback"
)

var errLocked error = &worded{"the cache is locked, and this call would have to flush it: try again when LockCache is released", ErrBusy}

// put caches a copy of value. If cached is false, the value belongs in the store itself.
func (c *cache) put(ctx context.Context, key string, value []byte, meta engine.Meta) (e writeback.Entry, cached bool, err error) {
	if !c.fits(writeback.Size(key, len(value))) {
		return e, false, nil
	}
	e = writeback.Entry{Value: copyOf(value), Meta: meta} // the caller may reuse its own
	cached, err = c.admit(ctx, batchOf([]writeback.Item{{Key: key, Entry: e}}), nil)
	return e, cached, err
}

// fits reports whether the cache may accept an entry of that size, so that copying it makes sense.
// admit decides.
func (c *cache) fits(size int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	cfg := c.config()
	return cfg != nil && size <= cfg.capacity
}

// remove caches the deletion of key and reports whether key existed; stored asks the store. If
// cached is false, the caller must delete the key from the store itself.
func (c *cache) remove(ctx context.Context, key string, stored func() (bool, error)) (found, cached bool, err error) {
	for {
		c.mu.Lock()
		on, epoch := c.config() != nil, c.epoch
		e, pending := c.entries.Lookup(key)
		c.mu.Unlock()
		switch {
		case !on:
			return false, false, nil
		case pending && e.Deleted:
			return false, true, nil
		case !pending:
			if found, err = stored(); err != nil || !found {
				return false, true, err
			}
		}
		moved := false
		stillThere := func() bool {
			now, ok := c.entries.Lookup(key)
			if ok {
				moved = now.Deleted
			} else {
				moved = pending || c.epoch != epoch
			}
			return !moved
		}
		cached, err = c.admit(ctx, batchOf([]writeback.Item{{Key: key, Entry: writeback.Entry{Deleted: true}}}), stillThere)
		if !moved {
			found = cached && (err == nil || isKept(err))
			return found, cached, err
		}
	}
}

// admit adds all of b to the pending entries, flushing first if they would not fit. If b belongs in
// the store itself, because the cache is off or too small, admit does nothing and reports false. It
// does nothing either if only is not nil and returns false; admit calls it with mu held, just
// before adding.
func (c *cache) admit(ctx context.Context, b batch, only func() bool) (cached bool, err error) {
	size := b.own()
	for {
		c.mu.Lock()
		cfg := c.config()
		switch {
		case cfg == nil || size > cfg.capacity:
			c.mu.Unlock()
			return false, nil
		case c.direct > 0:
			done := c.directDone
			c.mu.Unlock()
			if err := wait(ctx, done); err != nil {
				return true, err
			}
		case c.overfull(b, size):
			locked := c.locks > 0
			c.mu.Unlock()
			if locked {
				return true, errLocked
			}
			if _, err := c.flush(ctx, func() bool { return c.overfull(b, size) }); err != nil {
				return true, err
			}
		default:
			if only != nil && !only() {
				c.mu.Unlock()
				return true, nil
			}
			c.insert(b)
			due := c.overThreshold()
			c.mu.Unlock()
			if due {
				return true, kept(c.flush(ctx, c.overThreshold))
			}
			return true, nil
		}
	}
}

// batch is one change, with what its size is computed from.
type batch struct {
	items   []writeback.Item
	lengths map[string]int // of the values by key, if there are several items
	appends []engine.Append
}

func batchOf(items []writeback.Item) batch {
	b := batch{items: items}
	if len(items) != 1 {
		b.lengths = make(map[string]int, len(items))
		for _, it := range items {
			b.lengths[it.Key] = len(it.Value)
		}
	}
	return b
}

// own returns the size that an empty cache would have with the batch in it.
func (b batch) own() int64 {
	if len(b.items) == 1 {
		return writeback.Size(b.items[0].Key, len(b.items[0].Value))
	}
	return b.size(&writeback.Cache{})
}

// size returns the size that c would have with the batch in it.
func (b batch) size(c *writeback.Cache) int64 {
	if len(b.items) == 1 {
		return c.SizeWith(b.items[0].Key, len(b.items[0].Value))
	}
	n := c.SizeWithAll(b.lengths)
	for _, a := range b.appends {
		n += a.Size()
	}
	return n
}

func wait(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// The caller of overfull, insert and overThreshold holds mu.

// overfull reports whether b exceeds the capacity. own is the size of b by itself, the most that it
// can add: only if that does not fit, overfull looks up the entries that b replaces.
func (c *cache) overfull(b batch, own int64) bool {
	cfg := c.config()
	return cfg != nil && c.entries.Bytes()+own > cfg.capacity && b.size(&c.entries) > cfg.capacity
}

func (c *cache) insert(b batch) {
	now := time.Now()
	c.lastWrite = now
	wasEmpty := c.entries.Pending() == 0
	for _, it := range b.items {
		it.Added = now
		c.entries.Put(it.Key, it.Entry)
	}
	for _, a := range b.appends {
		c.entries.Append(a, now)
	}
	if wasEmpty {
		c.nudge()
	}
}

// overThreshold does not count entries that are being flushed, so that a writer does not wait for a
// flush that another goroutine began.
func (c *cache) overThreshold() bool {
	cfg := c.config()
	return cfg != nil && c.locks == 0 && c.entries.Bytes()-c.sending >= cfg.threshold
}

// keptError is the error of a flush that failed after the cache had accepted the write.
type keptError struct{ err error }

func (k *keptError) Error() string {
	return fmt.Sprintf("the write is kept in the cache for a later flush: %v", k.err)
}
func (k *keptError) Unwrap() error { return k.err }

func kept(_ int, err error) error {
	if err == nil {
		return nil
	}
	return &keptError{err}
}

func isKept(err error) bool {
	var k *keptError
	return errors.As(err, &k)
}
