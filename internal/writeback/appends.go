package writeback

import (
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/tidwall/btree"
)

// runs are appends by target. Copies share their nodes.
type runs = btree.Map[string, engine.Append]

// Append adds elements after the pending ones of the same target.
func (c *Cache) Append(a engine.Append, added time.Time) {
	if c.Pending() == 0 || added.Before(c.oldest) {
		c.oldest = added
	}
	c.bytes += a.Size()
	join(&c.appends, a)
}

func join(to *runs, a engine.Append) {
	if before, ok := to.Get(a.Target()); ok {
		a = before.Join(a)
	}
	to.Set(a.Target(), a)
}

// Waiting returns the elements of target that are being flushed, and those that are pending; nil if
// there are none.
func (c *Cache) Waiting(target string) (flushing, waiting engine.Append) {
	flushing, _ = c.sending.Get(target)
	waiting, _ = c.appends.Get(target)
	return flushing, waiting
}

// Sending reports whether elements of any column are being flushed.
func (c *Cache) Sending() bool { return c.sending.Len() > 0 }

// columns is the number of different targets, pending or being flushed.
func (c *Cache) columns() int {
	n := c.appends.Len()
	c.sending.Scan(func(target string, _ engine.Append) bool {
		if _, waits := c.appends.Get(target); !waits {
			n++
		}
		return true
	})
	return n
}

// unsend makes the elements that were being flushed pending again, before those that came later.
func (c *Cache) unsend() {
	c.appends.Scan(func(_ string, a engine.Append) bool {
		join(&c.sending, a)
		return true
	})
	c.appends = c.sending
}

// Appends returns the elements that follow those in the engine for target, in order.
func (o Overlay) Appends(target string) []engine.Append {
	var list []engine.Append
	for _, r := range []*runs{o.sending, o.appends} {
		if r == nil {
			continue
		}
		if a, ok := r.Get(target); ok {
			list = append(list, a)
		}
	}
	return list
}
