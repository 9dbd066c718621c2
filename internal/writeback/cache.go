// Package writeback holds the writes that a vault has accepted and not yet applied to its engine,
// and merges them into listings of the engine. It is pure data: it does no I/O and takes no locks.
package writeback

import (
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/tidwall/btree"
)

// Entry is a pending put, or a pending delete (a tombstone) if Deleted. The cache keeps Value
// without a copy: the caller must not change it.
type Entry struct {
	Value   []byte
	Meta    engine.Meta
	Deleted bool
	// Added is the time since which the key differs from the store: an entry that replaces another
	// keeps the earlier time.
	Added time.Time
}

// Item is an entry with its key.
type Item struct {
	Key string
	Entry
}

// tree is an ordered map whose copies share their nodes, so that an Overlay costs next to nothing.
type tree = btree.Map[string, *Entry]

// Cache is a set of pending writes, some of which may be in a running flush. The zero value is
// empty and ready. The caller serializes all calls; an Overlay needs no lock.
type Cache struct {
	// view is what a reader sees: the pending entries, and those being flushed that no pending one
	// replaces. While no flush runs, it has the pending entries alone.
	view tree
	// fresh has the entries that became pending since BeginFlush; empty while no flush runs.
	fresh    tree
	flushing bool
	// appends has the pending elements, and sending those that are being flushed. Before the pending
	// ones come those in doubt.
	appends, sending runs
	doubt            Doubt
	gen              uint64

	oldest      time.Time // earliest Added of the pending entries
	oldestFlush time.Time // earliest Added of those being flushed
	bytes       int64     // of the pending entries
	flushBytes  int64     // of those being flushed
	hiddenBytes int64     // the part of flushBytes that newer pending entries replace
}

// Size returns the size of an entry: that of its key and its value. A tombstone has that of its
// key.
func Size(key string, valueLen int) int64 { return int64(len(key)) + int64(valueLen) }

// pending returns the tree for new entries.
func (c *Cache) pending() *tree {
	if c.flushing {
		return &c.fresh
	}
	return &c.view
}

// Put adds an entry, or replaces the pending one of the same key.
func (c *Cache) Put(key string, e Entry) {
	if e.Deleted {
		e.Value = nil
	}
	first := c.Pending() == 0
	entry := &e
	old, replaces := c.pending().Set(key, entry)
	if replaces {
		c.bytes -= Size(key, len(old.Value))
		if old.Added.Before(e.Added) {
			entry.Added = old.Added
		}
	}
	c.bytes += Size(key, len(e.Value))
	if first || entry.Added.Before(c.oldest) {
		c.oldest = entry.Added
	}
	if !c.flushing {
		return
	}
	if hidden, ok := c.view.Set(key, entry); ok && !replaces {
		c.hiddenBytes += Size(key, len(hidden.Value))
	}
}

// Lookup returns the newest entry of key, pending or being flushed. It may be a tombstone.
func (c *Cache) Lookup(key string) (Entry, bool) {
	if e, ok := c.view.Get(key); ok {
		return *e, true
	}
	return Entry{}, false
}

// Bytes returns the size of all entries, pending and being flushed. An entry that is being flushed
// and the newer one that replaces it both count.
func (c *Cache) Bytes() int64 { return c.bytes + c.flushBytes }

// SizeWith returns what Bytes would return after a Put of key with a value of valueLen bytes.
func (c *Cache) SizeWith(key string, valueLen int) int64 {
	return c.Bytes() + c.growth(key, valueLen)
}

// SizeWithAll returns what Bytes would return after a Put of each key with a value of the given
// length.
func (c *Cache) SizeWithAll(items map[string]int) int64 {
	n := c.Bytes()
	for key, valueLen := range items {
		n += c.growth(key, valueLen)
	}
	return n
}

func (c *Cache) growth(key string, valueLen int) int64 {
	n := Size(key, valueLen)
	if old, ok := c.pending().Get(key); ok {
		n -= Size(key, len(old.Value))
	}
	return n
}

// Len returns the number of different keys and columns, pending or being flushed.
func (c *Cache) Len() int { return c.view.Len() + c.columns() }

// Pending returns the number of keys and columns that the next flush would write.
func (c *Cache) Pending() int {
	return c.pending().Len() + union(&c.appends, &c.doubt.runs)
}

// Oldest returns the time since which entries have been pending without a break, and false if none
// is.
func (c *Cache) Oldest() (time.Time, bool) {
	if c.Pending() == 0 {
		return time.Time{}, false
	}
	return c.oldest, true
}
