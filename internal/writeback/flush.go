package writeback

import (
	"time"

	"github.com/kohakuvault/kvault/engine"
)

// Batch is the content of one flush.
type Batch struct {
	Items   []Item // sorted by key
	Appends []engine.Append
}

// Len returns the number of keys and columns.
func (b *Batch) Len() int { return len(b.Items) + len(b.Appends) }

// Gen returns a number that changes at each BeginFlush with something to write. A reader that finds
// it unchanged knows that the engine has nothing newer than its Overlay.
func (c *Cache) Gen() uint64 { return c.gen }

// Flushing reports whether a flush is running.
func (c *Cache) Flushing() bool { return c.flushing }

// BeginFlush starts a flush of all pending entries, and returns them. They stay visible until
// EndFlush; later entries belong to the next flush. If nothing is pending it returns an empty batch
// and starts nothing. It panics during a flush, because two at a time could reach the engine in the
// wrong order.
func (c *Cache) BeginFlush() (b Batch) {
	if c.flushing {
		panic("writeback: BeginFlush while a flush is under way")
	}
	if c.Pending() == 0 {
		return b
	}
	b.Items = make([]Item, 0, c.view.Len())
	c.view.Scan(func(key string, e *Entry) bool {
		b.Items = append(b.Items, Item{key, *e})
		return true
	})
	b.Appends = c.appends.Values()
	c.sending, c.appends = c.appends, runs{}
	c.flushing = true
	c.gen++
	c.oldestFlush, c.oldest = c.oldest, time.Time{}
	c.flushBytes, c.bytes = c.bytes, 0
	return b
}

// EndFlush ends the running flush, if there is one. With ok its entries are dropped. Otherwise they
// are pending again, except those that a newer entry replaces.
func (c *Cache) EndFlush(ok bool) {
	if !c.flushing {
		return
	}
	if ok {
		c.view = c.fresh
	} else {
		if c.Pending() == 0 || c.oldestFlush.Before(c.oldest) {
			c.oldest = c.oldestFlush
		}
		c.bytes += c.flushBytes - c.hiddenBytes
		c.unsend()
	}
	c.fresh, c.sending = tree{}, runs{}
	c.flushing = false
	c.flushBytes, c.hiddenBytes = 0, 0
}
