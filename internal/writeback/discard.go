package writeback

import (
	"slices"

	"github.com/kohakuvault/kvault/engine"
)

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
// any. With them go those that share a group with them, and so on. It panics as Discard does.
func (c *Cache) DiscardAppends(column string) (found bool) {
	c.mustNotFlush()
	groups := map[string]bool{}
	for _, a := range c.appends.Values() {
		if a.Column() == column {
			c.discard(a, groups)
			found = true
		}
	}
	for more := found; more; {
		more = false
		for _, a := range c.appends.Values() {
			if slices.ContainsFunc(a.Groups(), func(g string) bool { return groups[g] }) {
				c.discard(a, groups)
				more = true
			}
		}
	}
	return found
}

// discard drops elements that are pending, and notes what they are a part of.
func (c *Cache) discard(a engine.Append, groups map[string]bool) {
	c.appends.Delete(a.Target())
	c.bytes -= a.Size()
	for _, g := range a.Groups() {
		groups[g] = true
	}
}

func (c *Cache) mustNotFlush() {
	if c.flushing {
		panic("writeback: discard while a flush is under way")
	}
}
