package writeback

import "github.com/kohakuvault/kvault/engine"

// Discard drops the pending entry of key, and reports whether there was one. It panics if a flush
// is under way, which may have written the entry.
func (c *Cache) Discard(key string) bool {
	c.mustNotFlush()
	e, ok := c.view.Delete(key)
	if ok {
		c.bytes -= Size(key, len(e.Value))
	}
	return ok
}

// DiscardAppends drops the elements that are pending for a column, and reports whether there were
// any. It panics as Discard does.
func (c *Cache) DiscardAppends(column string) bool {
	c.mustNotFlush()
	var gone []engine.Append
	c.appends.Scan(func(_ string, a engine.Append) bool {
		if a.Column() == column {
			gone = append(gone, a)
		}
		return true
	})
	for _, a := range gone {
		c.appends.Delete(a.Target())
		c.bytes -= a.Size()
	}
	return len(gone) > 0
}

func (c *Cache) mustNotFlush() {
	if c.flushing {
		panic("writeback: discard while a flush is under way")
	}
}
