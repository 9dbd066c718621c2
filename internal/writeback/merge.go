package writeback

import "github.com/kohakuvault/kvault/engine"

// Merge merges o into page, the engine's result for q. The overlay must have been taken before the
// page was read.
//
// Pending puts replace and add items, tombstones remove them, in the order of q. Merge returns at
// most q.Limit items, and with q.Values no more than q.MaxBytes of values, or one larger value. The
// values are copies. If more, there may be further items in next, the range of the next page. It is
// always less than q.Range, even if tombstones removed every item of this page.
func (o Overlay) Merge(q engine.Query, page engine.Page) (items []engine.Item, next engine.Range, more bool) {
	m := merger{q: q}
	partial := page.More && len(page.Items) > 0
	within := q.Range
	if partial {
		within = covered(q, page.Items[len(page.Items)-1].Key)
	}
	if o.entries == nil {
		m.items = page.Items
	} else {
		m.run(o.Within(within), page.Items)
	}
	if !m.full {
		if !partial {
			return m.items, engine.Range{}, false
		}
		m.last = page.Items[len(page.Items)-1].Key
	}
	if q.Reverse && m.last == "" {
		return m.items, engine.Range{}, false // no key precedes it, and an empty End would mean no bound
	}
	if next = q.After(m.last, q.Reverse); next.Empty() {
		return m.items, engine.Range{}, false
	}
	return m.items, next, true
}

// covered returns the part of q's range that a page covers whose last item is last.
func covered(q engine.Query, last string) engine.Range {
	if q.Reverse {
		return q.Intersect(engine.Range{Start: last})
	}
	return q.Intersect(engine.Range{End: last + "\x00"})
}

// merger collects one merged page.
type merger struct {
	q     engine.Query
	items []engine.Item
	bytes int64
	last  string // the last key merged
	full  bool   // an item did not fit
}

func (m *merger) run(o Overlay, stored []engine.Item) {
	for key, e := range o.walk(m.q.Reverse) {
		for len(stored) > 0 && m.before(stored[0].Key, key) {
			if !m.add(stored[0]) {
				return
			}
			stored = stored[1:]
		}
		if len(stored) > 0 && stored[0].Key == key {
			stored = stored[1:]
		}
		if e.Deleted {
			m.last = key
		} else if !m.add(m.item(key, e)) {
			return
		}
	}
	for _, it := range stored {
		if !m.add(it) {
			return
		}
	}
}

func (m *merger) before(a, b string) bool {
	if m.q.Reverse {
		return a > b
	}
	return a < b
}

// add adds an item to the page, unless the page is full.
func (m *merger) add(it engine.Item) bool {
	n := int64(len(it.Value))
	if len(m.items) > 0 && (len(m.items) >= m.q.Limit || m.q.MaxBytes > 0 && m.bytes+n > m.q.MaxBytes) {
		m.full = true
		return false
	}
	m.items = append(m.items, it)
	m.bytes += n
	m.last = it.Key
	return true
}

func (m *merger) item(key string, e *Entry) engine.Item {
	it := engine.Item{Entry: engine.Entry{Key: key, Size: int64(len(e.Value)), Meta: e.Meta}}
	if m.q.Values {
		it.Value = append([]byte{}, e.Value...)
	}
	return it
}
