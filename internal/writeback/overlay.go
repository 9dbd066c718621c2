package writeback

import (
	"iter"

	"github.com/kohakuvault/kvault/engine"
)

// Overlay is what the cache held within a range of keys at one moment. It never changes, so it is safe for concurrent
// use without a lock. The zero value is empty.
type Overlay struct {
	entries *tree // nil if there are none
	within  engine.Range
	// sending and appends are those of the Cache; nil if there are none.
	sending, appends *runs
}

// Overlay is the present state of the cache within r, newer entries before those being flushed. It takes constant time.
func (c *Cache) Overlay(r engine.Range) Overlay {
	o := Overlay{within: r}
	if c.view.Len() > 0 {
		o.entries = c.view.Copy()
	}
	if c.sending.Len() > 0 {
		o.sending = c.sending.Copy()
	}
	if c.appends.Len() > 0 {
		o.appends = c.appends.Copy()
	}
	return o
}

// Within is the part of o that lies in r too.
func (o Overlay) Within(r engine.Range) Overlay {
	o.within = o.within.Intersect(r)
	return o
}

// Lookup finds the entry of key. A tombstone is found too.
func (o Overlay) Lookup(key string) (Entry, bool) {
	if o.entries == nil || !o.within.Contains(key) {
		return Entry{}, false
	}
	if e, ok := o.entries.Get(key); ok {
		return *e, true
	}
	return Entry{}, false
}

// Empty says that there are no entries.
func (o Overlay) Empty() bool {
	for range o.ascend() {
		return false
	}
	return true
}

// Len is the number of entries. It visits them all.
func (o Overlay) Len() int {
	n := 0
	for range o.ascend() {
		n++
	}
	return n
}

// Items are the entries in ascending order.
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
