// Package writeback holds the writes that a vault has accepted and not yet handed to its engine, and lays them over
// what the engine lists. It is data only: it does no I/O and takes no locks.
package writeback

import (
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/tidwall/btree"
)

// Entry is a pending put, or a pending delete (a tombstone) if Deleted. The cache keeps Value as it is given: nobody may
// change it afterwards.
type Entry struct {
	Value   []byte
	Meta    engine.Meta
	Deleted bool
	// Added is when the key came to differ from the store: an entry that replaces another takes over the earlier time.
	Added time.Time
}

// Item is an entry with its key.
type Item struct {
	Key string
	Entry
}

// tree is an ordered map whose copies share what they have in common, so that an Overlay costs next to nothing.
type tree = btree.Map[string, *Entry]

// Cache is a set of pending writes, of which one part may be on its way to the engine. The zero value is empty and ready.
// The caller serialises all calls; an Overlay taken from it needs no lock.
type Cache struct {
	// view is what a reader sees: pending over flushing. While nothing is flushed, it is what is pending.
	view tree
	// fresh is what became pending since BeginFlush; empty while nothing is flushed.
	fresh    tree
	flushing bool
	// appends are the elements that are pending, and sending those that are being flushed.
	appends, sending runs
	gen              uint64

	oldest      time.Time // earliest Added that is pending
	oldestFlush time.Time // earliest Added that is being flushed
	bytes       int64     // of what is pending
	flushBytes  int64     // of what is being flushed
	hiddenBytes int64     // that part of flushBytes which newer pending entries replace
}

// Size is what an entry counts: the bytes of its key and of its value. A tombstone is its key.
func Size(key string, valueLen int) int64 { return int64(len(key)) + int64(valueLen) }

// pending is the tree that new entries go to.
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

// Lookup finds the newest entry of key, whether pending or being flushed. A tombstone is found too.
func (c *Cache) Lookup(key string) (Entry, bool) {
	if e, ok := c.view.Get(key); ok {
		return *e, true
	}
	return Entry{}, false
}

// Bytes is the size of all entries, pending and being flushed; an entry and the newer one that will replace it count both.
func (c *Cache) Bytes() int64 { return c.bytes + c.flushBytes }

// SizeWith is what Bytes would be after a Put of key with a value of valueLen bytes.
func (c *Cache) SizeWith(key string, valueLen int) int64 {
	return c.Bytes() + c.growth(key, valueLen)
}

// SizeWithAll is what Bytes would be after a Put of each key with a value of so many bytes.
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

// Len is the number of different keys and columns, pending or being flushed.
func (c *Cache) Len() int { return c.view.Len() + c.columns() }

// Pending is the number of keys and columns that the next flush would write.
func (c *Cache) Pending() int { return c.pending().Len() + c.appends.Len() }

// Oldest is since when something has been pending without a break, and false if nothing is.
func (c *Cache) Oldest() (time.Time, bool) {
	if c.Pending() == 0 {
		return time.Time{}, false
	}
	return c.oldest, true
}
