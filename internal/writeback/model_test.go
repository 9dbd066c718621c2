package writeback_test

import (
	"maps"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/writeback"
)

// world is an engine and a cache above it, once as they are and once as a plain map of what a
// reader should see.
type world struct {
	rng    *rand.Rand
	stored map[string]string
	cache  writeback.Cache
	moving []writeback.Item
	want   map[string]string
}

var modelKeys = []string{"\x00", "a", "a\x00", "a\x00\x00", "aa", "ab", "a\xff", "b", "ba", "c", "\xfe", "\xff", "\xff\x00", "\xff\xff"}

func (w *world) key() string { return modelKeys[w.rng.Intn(len(modelKeys))] }

func (w *world) step() {
	switch n := w.rng.Intn(10); {
	case n < 5:
		key, value := w.key(), strings.Repeat("v", w.rng.Intn(6))
		w.cache.Put(key, put(value))
		w.want[key] = value
	case n < 8:
		key := w.key()
		w.cache.Put(key, tombstone)
		delete(w.want, key)
	case !w.cache.Flushing():
		w.moving = w.cache.BeginFlush().Items
	default:
		ok := w.rng.Intn(2) == 0
		if ok {
			w.apply()
		}
		w.cache.EndFlush(ok)
	}
}

func (w *world) apply() {
	for _, it := range w.moving {
		if it.Deleted {
			delete(w.stored, it.Key)
		} else {
			w.stored[it.Key] = string(it.Value)
		}
	}
}

// inRange is the naive answer to q, with neither limit.
func inRange(m map[string]string, q engine.Query) []string {
	var keys []string
	for key := range m {
		if q.Contains(key) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	if q.Reverse {
		slices.Reverse(keys)
	}
	return keys
}

// list is the engine: it answers with pages as short as it likes.
func (w *world) list(q engine.Query) engine.Page {
	var p engine.Page
	limit, size := 1+w.rng.Intn(q.Limit), int64(0)
	for _, key := range inRange(w.stored, q) {
		value := w.stored[key]
		size += int64(len(value))
		if n := len(p.Items); n == limit || n > 0 && q.Values && q.MaxBytes > 0 && size > q.MaxBytes {
			p.More = true
			break
		}
		it := engine.Item{Entry: engine.Entry{Key: key, Size: int64(len(value))}}
		if q.Values {
			it.Value = []byte(value)
		}
		p.Items = append(p.Items, it)
	}
	return p
}

func (w *world) query() engine.Query {
	q := engine.Query{Limit: 1 + w.rng.Intn(6), Reverse: w.rng.Intn(2) == 0, Values: w.rng.Intn(2) == 0, MaxBytes: int64(w.rng.Intn(8))}
	if w.rng.Intn(2) == 0 {
		q.Start = w.key()
	}
	if w.rng.Intn(2) == 0 {
		q.End = w.key()
	}
	return q
}

// pages reads the whole answer to q page by page, checking each.
func (w *world) pages(t *testing.T, q engine.Query) []engine.Item {
	t.Helper()
	var all []engine.Item
	for range 10 * len(modelKeys) {
		o := w.cache.Overlay(q.Range)
		items, next, more := o.Merge(q, w.list(q))
		if len(items) > q.Limit {
			t.Fatalf("%+v: %d items", q, len(items))
		}
		size := 0
		for _, it := range items {
			size += len(it.Value)
		}
		if q.Values && q.MaxBytes > 0 && int64(size) > q.MaxBytes && len(items) > 1 {
			t.Fatalf("%+v: %d bytes in %d items", q, size, len(items))
		}
		all = append(all, items...)
		if !more {
			return all
		}
		if next == q.Range || next.Intersect(q.Range) != next || next.Empty() {
			t.Fatalf("%+v: next is %q", q, next)
		}
		q.Range = next
	}
	t.Fatalf("%+v: no end of pages", q)
	return nil
}

func (w *world) check(t *testing.T) {
	t.Helper()
	q := w.query()
	got, want := w.pages(t, q), inRange(w.want, q)
	if len(got) != len(want) {
		t.Fatalf("%+v: %d items, want %q", q, len(got), want)
	}
	for i, it := range got {
		value := w.want[want[i]]
		if it.Key != want[i] || it.Size != int64(len(value)) || q.Values && string(it.Value) != value || !q.Values && it.Value != nil {
			t.Fatalf("%+v: item %d is %+v, want %q=%q", q, i, it, want[i], value)
		}
	}
}

// TestMergeModel lists a cache over an engine at random moments, with every kind of query, and
// compares with a map.
func TestMergeModel(t *testing.T) {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	for round := range int64(200) {
		w := &world{rng: rand.New(rand.NewSource(seed + round)), stored: map[string]string{}}
		for range w.rng.Intn(len(modelKeys)) {
			w.stored[w.key()] = "stored"[:w.rng.Intn(6)]
		}
		w.want = maps.Clone(w.stored)
		for range 100 {
			w.step()
			w.check(t)
			if t.Failed() {
				t.Fatalf("in round %d", round)
			}
		}
		w.cache.EndFlush(false)
		w.checkBytes(t)
	}
}

// checkBytes compares the running totals with a count from scratch.
func (w *world) checkBytes(t *testing.T) {
	t.Helper()
	var bytes int64
	items := w.cache.Overlay(engine.Range{}).Items()
	for _, it := range items {
		bytes += int64(len(it.Key) + len(it.Value))
	}
	if w.cache.Bytes() != bytes || w.cache.Len() != len(items) || w.cache.Pending() != len(items) {
		t.Fatalf("Bytes %d, Len %d, Pending %d; want %d and %d", w.cache.Bytes(), w.cache.Len(), w.cache.Pending(), bytes, len(items))
	}
}
