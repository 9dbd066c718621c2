package writeback

import (
	"time"

	"github.com/kohakuvault/kvault/engine"
)

// Batch is the content of one flush.
type Batch struct {
	Items   []Item // sorted by key
	Appends []engine.Append
	// Doubt has an ID if the appends are those of an earlier flush, to be written under it. Others may
	// then be pending.
	Doubt Doubt
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
	c.start(&b)
	if c.appends.Len() > 0 {
		c.bytes = sizeOf(&c.appends)
		c.flushBytes -= c.bytes
		c.oldest = c.oldestFlush
	}
	return b
}

// BeginDoubt starts a flush of the elements in doubt alone, and returns them. If there are none it
// returns an empty batch and starts nothing. It panics during a flush.
func (c *Cache) BeginDoubt() (b Batch) {
	if c.flushing {
		panic("writeback: BeginDoubt while a flush is under way")
	}
	if !c.InDoubt() {
		return b
	}
	c.fresh = *c.view.Copy() // they stay pending
	c.start(&b)
	size := sizeOf(&c.sending)
	c.bytes, c.flushBytes = c.flushBytes-size, size
	c.oldest = c.oldestFlush
	return b
}

// start starts a flush of the elements in doubt, or else of those that are pending.
func (c *Cache) start(b *Batch) {
	c.flushing = true
	c.gen++
	c.flushBytes, c.bytes = c.bytes, 0
	c.oldestFlush, c.oldest = c.oldest, time.Time{}
	if c.InDoubt() {
		// The flush goes on to be in doubt until it has ended.
		b.Doubt = Doubt{ID: c.doubt.ID, Since: c.doubt.Since}
		c.sending, c.doubt.runs = c.doubt.runs, runs{}
	} else {
		c.sending, c.appends = c.appends, runs{}
	}
	b.Appends = c.sending.Values()
}

// FlushBytes returns the size of the entries that are being flushed.
func (c *Cache) FlushBytes() int64 { return c.flushBytes }

// Settle drops entries of the running flush that have reached the engine, before it ends. Those that
// newer entries replace stay replaced.
func (c *Cache) Settle(items []Item, appends []engine.Append) {
	for _, it := range items {
		size := Size(it.Key, len(it.Value))
		c.flushBytes -= size
		if _, replaced := c.fresh.Get(it.Key); replaced {
			c.hiddenBytes -= size
		} else {
			c.view.Delete(it.Key)
		}
	}
	for _, a := range appends {
		c.flushBytes -= a.Size()
		c.sending.Delete(a.Target())
	}
}

// EndFlush ends the running flush, if there is one. With ok its entries are dropped. Otherwise they
// are pending again, except those that a newer entry replaces.
func (c *Cache) EndFlush(ok bool) {
	if !c.flushing {
		return
	}
	if ok {
		c.view, c.doubt = c.fresh, Doubt{}
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
