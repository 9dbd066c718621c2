package writeback

import "time"

// Gen changes at each BeginFlush that has something to write: a reader that finds it unchanged knows that nothing newer
// than its Overlay has reached the engine meanwhile.
func (c *Cache) Gen() uint64 { return c.gen }

// Flushing reports whether a flush is under way.
func (c *Cache) Flushing() bool { return c.flushing }

// BeginFlush starts a flush of all that is pending, and returns it sorted by key. Until EndFlush it stays visible, and
// what is put from now on belongs to the next flush. If nothing is pending it returns nil and starts nothing. It panics
// if a flush is under way already, because two at a time could reach the engine in the wrong order.
func (c *Cache) BeginFlush() []Item {
	if c.flushing {
		panic("writeback: BeginFlush while a flush is under way")
	}
	if c.view.Len() == 0 {
		return nil
	}
	items := make([]Item, 0, c.view.Len())
	c.view.Scan(func(key string, e *Entry) bool {
		items = append(items, Item{key, *e})
		return true
	})
	c.flushing = true
	c.gen++
	c.oldestFlush, c.oldest = c.oldest, time.Time{}
	c.flushBytes, c.bytes = c.bytes, 0
	return items
}

// EndFlush ends the flush, if one is under way. With ok its entries are dropped; otherwise they are pending again, save
// those that have a newer entry by now.
func (c *Cache) EndFlush(ok bool) {
	if !c.flushing {
		return
	}
	if ok {
		c.view = c.fresh
	} else {
		if c.fresh.Len() == 0 || c.oldestFlush.Before(c.oldest) {
			c.oldest = c.oldestFlush
		}
		c.bytes += c.flushBytes - c.hiddenBytes
	}
	c.fresh = tree{}
	c.flushing = false
	c.flushBytes, c.hiddenBytes = 0, 0
}
