package writeback

import (
	"slices"

	"github.com/kohakuvault/kvault/engine"
)

// Discard drops the pending entry of key, and reports whether there was one. It panics during a
// flush, which may have written the entry.
func (c *Cache) Discard(key string) bool {
	c.mustNotFlush()
	e, ok := c.view.Delete(key)
	if ok {
		c.bytes -= Size(key, len(e.Value))
	}
	return ok
}

// DiscardAppends drops the pending elements of a column, and reports whether there were any. It
// also drops all elements of their groups, and of the groups of those, and so on. It panics during
// a flush.
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

// discard drops pending elements, and adds their groups to groups.
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
