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
	drop := func(unwanted func(engine.Append) bool) (any bool) {
		for _, r := range []*runs{&c.doubt.runs, &c.appends} {
			for _, a := range r.Values() {
				if unwanted(a) {
					c.discard(r, a, groups)
					any = true
				}
			}
		}
		return any
	}
	found = drop(func(a engine.Append) bool { return a.Column() == column })
	for more := found; more; {
		more = drop(func(a engine.Append) bool {
			return slices.ContainsFunc(a.Groups(), func(g string) bool { return groups[g] })
		})
	}
	if c.doubt.runs.Len() == 0 {
		c.doubt = Doubt{}
	}
	return found
}

// discard drops elements of r, and adds their groups to groups.
func (c *Cache) discard(r *runs, a engine.Append, groups map[string]bool) {
	r.Delete(a.Target())
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
