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

// Waiting returns the elements of target that are being flushed or in doubt, and those that are
// pending; nil if there are none.
func (c *Cache) Waiting(target string) (flushing, waiting engine.Append) {
	flushing, sent := c.sending.Get(target)
	if !sent {
		flushing, _ = c.doubt.runs.Get(target)
	}
	waiting, _ = c.appends.Get(target)
	return flushing, waiting
}

// Sending reports whether elements of any column are being flushed.
func (c *Cache) Sending() bool { return c.sending.Len() > 0 }

// columns is the number of different targets, pending or being flushed.
func (c *Cache) columns() int {
	if c.flushing {
		return union(&c.appends, &c.sending)
	}
	return union(&c.appends, &c.doubt.runs)
}

// union is the number of targets in a or b.
func union(a, b *runs) int {
	n := a.Len()
	b.Scan(func(target string, _ engine.Append) bool {
		if _, both := a.Get(target); !both {
			n++
		}
		return true
	})
	return n
}

// sizeOf is the size of all elements of r in bytes.
func sizeOf(r *runs) (n int64) {
	r.Scan(func(_ string, a engine.Append) bool {
		n += a.Size()
		return true
	})
	return n
}

// Doubt is a batch of elements of which nobody knows whether the engine has them. It is written
// again as it is, under the same ID, before any elements that came later.
type Doubt struct {
	// ID names the commit, and Since is when it was tried first.
	ID    string
	Since time.Time
	runs  runs
}

// DoubtAppends says that nobody knows whether the elements of the running flush were written, whose
// commit has that id. When the flush ends with an error, they are in doubt. Further elements are not
// joined with them.
func (c *Cache) DoubtAppends(id string, since time.Time) { c.doubt.ID, c.doubt.Since = id, since }

// InDoubt reports whether elements are in doubt, or are being written again: the engine may have
// them, and then those that Overlay has of them come twice.
func (c *Cache) InDoubt() bool { return c.doubt.ID != "" }

// unsend makes the elements that were being flushed pending again, before those that came later,
// unless they are in doubt now.
func (c *Cache) unsend() {
	if c.doubt.ID != "" && c.sending.Len() > 0 {
		c.doubt.runs = c.sending
		return
	}
	c.doubt = Doubt{} // those in doubt were settled
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
