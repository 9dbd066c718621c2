package writeback_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/writeback"
)

// page makes an engine page of "key=value" words; a last word "..." says that there is more.
func page(words string) engine.Page {
	var p engine.Page
	for w := range strings.FieldsSeq(words) {
		if w == "..." {
			p.More = true
			continue
		}
		key, value, _ := strings.Cut(w, "=")
		p.Items = append(p.Items, engine.Item{Entry: engine.Entry{Key: key, Size: int64(len(value))}, Value: []byte(value)})
	}
	return p
}

// overlay makes an overlay of "key=value" words, and "key-" for tombstones.
func overlay(words string) writeback.Overlay {
	var c writeback.Cache
	for w := range strings.FieldsSeq(words) {
		if key, ok := strings.CutSuffix(w, "-"); ok {
			c.Put(key, tombstone)
			continue
		}
		key, value, _ := strings.Cut(w, "=")
		c.Put(key, put(value))
	}
	return c.Overlay(engine.Range{})
}

func showPage(items []engine.Item) string {
	words := []string{}
	for _, it := range items {
		words = append(words, fmt.Sprintf("%s=%s", it.Key, it.Value))
	}
	return strings.Join(words, " ")
}

func TestMerge(t *testing.T) {
	rng := func(start, end string) engine.Range { return engine.Range{Start: start, End: end} }
	all := engine.Query{Limit: 10, Values: true}
	desc := engine.Query{Limit: 10, Values: true, Reverse: true}
	limit := func(q engine.Query, n int) engine.Query { q.Limit = n; return q }
	within := func(q engine.Query, start, end string) engine.Query { q.Range = rng(start, end); return q }
	maxBytes := func(q engine.Query, n int64) engine.Query { q.MaxBytes = n; return q }
	tests := []struct {
		name          string
		q             engine.Query
		overlay, page string
		want          string
		more          bool
		next          engine.Range
	}{
		{"nothing at all", all, "", "", "", false, rng("", "")},
		{"empty overlay", all, "", "a=1 b=2", "a=1 b=2", false, rng("", "")},
		{"empty page", all, "b=2 a=1", "", "a=1 b=2", false, rng("", "")},
		{"adds before, between, after", all, "a=A c=C e=E", "b=1 d=2", "a=A b=1 c=C d=2 e=E", false, rng("", "")},
		{"replaces", all, "a=A c=C", "a=1 b=2 c=3", "a=A b=2 c=C", false, rng("", "")},
		{"removes", all, "a- c- x-", "a=1 b=2 c=3", "b=2", false, rng("", "")},
		{"descending", desc, "a=A c=C d- e=E", "d=4 c=3 b=2", "e=E c=C b=2 a=A", false, rng("", "")},
		{"outside the query", within(all, "b", "d"), "a=A b=B d=D", "c=3", "b=B c=3", false, rng("", "")},
		{"outside the query, descending", within(desc, "b", "d"), "a=A b=B d=D", "c=3", "c=3 b=B", false, rng("", "")},

		{"keys beyond a page wait", all, "a=A c=C", "b=1 ...", "a=A b=1", true, rng("b\x00", "")},
		{"keys beyond a page wait, descending", desc, "a=A c=C", "b=1 ...", "c=C b=1", true, rng("", "b")},
		{"a page of tombstones moves on", all, "a- b-", "a=1 b=2 ...", "", true, rng("b\x00", "")},
		{"a page of tombstones moves on, descending", desc, "a- b-", "b=2 a=1 ...", "", true, rng("", "a")},
		{"tombstone at the page's end", all, "b-", "a=1 b=2 ...", "a=1", true, rng("b\x00", "")},
		{"more, but the range is used up", within(all, "a", "b\x00"), "", "a=1 b=2 ...", "a=1 b=2", false, rng("", "")},
		{"more, but the range is used up, descending", within(desc, "a", ""), "", "b=2 a=1 ...", "b=2 a=1", false, rng("", "")},
		{"an empty page cannot have more", all, "a=A", "...", "a=A", false, rng("", "")},

		{"limit reached by the overlay", limit(all, 2), "a=A b=B c=C", "d=1", "a=A b=B", true, rng("b\x00", "")},
		{"limit reached by the page", limit(all, 2), "a=A c=C", "b=1", "a=A b=1", true, rng("b\x00", "")},
		{"limit reached, descending", limit(desc, 2), "a=A c=C", "b=1", "c=C b=1", true, rng("", "b")},
		{"limit just reached", limit(all, 2), "a=A", "b=1", "a=A b=1", false, rng("", "")},
		{"limit just reached, tombstones follow", limit(all, 2), "a=A c- d-", "b=1 c=2", "a=A b=1", false, rng("", "")},
		{"limit reached after a tombstone", limit(all, 1), "b-", "a=1 b=2 c=3", "a=1", true, rng("b\x00", "")},
		{"limit cuts into a page with more", limit(all, 2), "a=A b=B", "c=1 d=2 ...", "a=A b=B", true, rng("b\x00", "")},

		{"bytes", maxBytes(all, 4), "b=22", "a=11 c=3", "a=11 b=22", true, rng("b\x00", "")},
		{"bytes are exceeded by one item", maxBytes(all, 3), "a=4444", "b=1", "a=4444", true, rng("a\x00", "")},
		{"bytes of what is replaced do not count", maxBytes(all, 4), "a=1", "a=333 b=333", "a=1 b=333", false, rng("", "")},
		{"empty values fit", maxBytes(all, 2), "b= c=", "a=22 d=", "a=22 b= c= d=", false, rng("", "")},
		{"no byte bound", maxBytes(all, -1), "a=4444 b=4444", "", "a=4444 b=4444", false, rng("", "")},

		{"empty key, descending", limit(desc, 1), "", "=1 ...", "=1", false, rng("", "")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			items, next, more := overlay(tt.overlay).Merge(tt.q, page(tt.page))
			if got := showPage(items); got != tt.want {
				t.Errorf("items %q, want %q", got, tt.want)
			}
			if more != tt.more || next != tt.next {
				t.Errorf("more %v from %q, want %v from %q", more, next, tt.more, tt.next)
			}
		})
	}
}

func TestMergeItems(t *testing.T) {
	var c writeback.Cache
	meta := engine.Meta{Tag: "t", ContentType: "text/plain"}
	c.Put("a", writeback.Entry{Value: []byte("value"), Meta: meta})
	c.Put("b", writeback.Entry{})
	o := c.Overlay(engine.Range{})

	items, _, _ := o.Merge(engine.Query{Limit: 5}, engine.Page{})
	if len(items) != 2 || items[0].Size != 5 || items[0].Meta.Tag != "t" || items[0].Value != nil || items[1].Value != nil {
		t.Errorf("without values: %+v", items)
	}
	items, _, _ = o.Merge(engine.Query{Limit: 5, Values: true}, engine.Page{})
	if len(items) != 2 || string(items[0].Value) != "value" || items[1].Value == nil {
		t.Fatalf("with values: %+v", items)
	}
	items[0].Value[0] = 'X'
	if e, _ := c.Lookup("a"); string(e.Value) != "value" {
		t.Errorf("a merged item shares its value with the cache, which now holds %q", e.Value)
	}
}
