package writeback

import (
	"iter"

	"github.com/kohakuvault/kvault/engine"
)

// Overlay is a snapshot of the cache within a range of keys. It never changes, so it is safe for
// concurrent use without a lock. The zero value is empty.
type Overlay struct {
	entries *tree // nil if there are none
	within  engine.Range
	// sending has the elements that are being flushed or in doubt, and appends the pending ones behind
	// them; nil if there are none.
	sending, appends *runs
}

// Overlay returns a snapshot of the cache within r, in which newer entries hide those being
// flushed. It takes constant time.
func (c *Cache) Overlay(r engine.Range) Overlay {
	o := Overlay{within: r}
	if c.view.Len() > 0 {
		o.entries = c.view.Copy()
	}
	if c.sending.Len() > 0 {
		o.sending = c.sending.Copy()
	} else if c.doubt.runs.Len() > 0 {
		o.sending = c.doubt.runs.Copy()
	}
	if c.appends.Len() > 0 {
		o.appends = c.appends.Copy()
	}
	return o
}

// Within returns the part of o that lies in r.
func (o Overlay) Within(r engine.Range) Overlay {
	o.within = o.within.Intersect(r)
	return o
}

// Lookup returns the entry of key. It may be a tombstone.
func (o Overlay) Lookup(key string) (Entry, bool) {
	if o.entries == nil || !o.within.Contains(key) {
		return Entry{}, false
	}
	if e, ok := o.entries.Get(key); ok {
		return *e, true
	}
	return Entry{}, false
}

// Empty reports whether there are no entries.
func (o Overlay) Empty() bool {
	for range o.ascend() {
		return false
	}
	return true
}

// Len returns the number of entries. It visits all of them.
func (o Overlay) Len() int {
	n := 0
	for range o.ascend() {
		n++
	}
	return n
}

// Items returns the entries in ascending order.
func (o Overlay) Items() []Item {
	var items []Item
	for key, e := range o.ascend() {
		items = append(items, Item{key, *e})
	}
	return items
}

func (o Overlay) walk(reverse bool) iter.Seq2[string, *Entry] {
	if reverse {
		return o.descend()
	}
	return o.ascend()
}

func (o Overlay) ascend() iter.Seq2[string, *Entry] {
	return func(yield func(string, *Entry) bool) {
		if o.entries == nil {
			return
		}
		o.entries.Ascend(o.within.Start, func(key string, e *Entry) bool {
			return o.within.Contains(key) && yield(key, e)
		})
	}
}

func (o Overlay) descend() iter.Seq2[string, *Entry] {
	return func(yield func(string, *Entry) bool) {
		if o.entries == nil {
			return
		}
		if o.within.End == "" {
			o.entries.Reverse(func(key string, e *Entry) bool { return key >= o.within.Start && yield(key, e) })
			return
		}
		o.entries.Descend(o.within.End, func(key string, e *Entry) bool {
			return key == o.within.End || key >= o.within.Start && yield(key, e)
		})
	}
}
