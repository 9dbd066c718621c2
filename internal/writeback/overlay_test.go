package writeback_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/writeback"
)

func letters() *writeback.Cache {
	var c writeback.Cache
	for _, key := range []string{"a", "b", "c", "d", "e"} {
		c.Put(key, put("old"))
	}
	c.BeginFlush()
	c.Put("b", tombstone)
	c.Put("d", put("new"))
	return &c
}

func TestOverlayRange(t *testing.T) {
	tests := []struct{ start, end, want string }{
		{"", "", "a=old b- c=old d=new e=old"},
		{"b", "", "b- c=old d=new e=old"},
		{"b\x00", "", "c=old d=new e=old"},
		{"", "d", "a=old b- c=old"},
		{"b", "d", "b- c=old"},
		{"b", "b", ""},
		{"d", "b", ""},
		{"f", "", ""},
		{"", "a", ""},
	}
	c := letters()
	for _, tt := range tests {
		r := engine.Range{Start: tt.start, End: tt.end}
		for how, o := range map[string]writeback.Overlay{
			"Overlay": c.Overlay(r), "Within": c.Overlay(engine.Range{}).Within(r), "both": c.Overlay(r).Within(r),
		} {
			if got := strings.Join(show(o.Items()), " "); got != tt.want {
				t.Errorf("%s of %q: %q, want %q", how, r, got, tt.want)
			}
			if o.Len() != len(strings.Fields(tt.want)) {
				t.Errorf("%s of %q: Len %d for %q", how, r, o.Len(), tt.want)
			}
		}
	}
}

func TestOverlayLookup(t *testing.T) {
	o := letters().Overlay(engine.Range{Start: "b", End: "e"})
	for key, want := range map[string]string{"a": "none", "b": "gone", "c": "old", "d": "new", "e": "none", "cc": "none"} {
		got := "none"
		if e, ok := o.Lookup(key); ok && e.Deleted {
			got = "gone"
		} else if ok {
			got = string(e.Value)
		}
		if got != want {
			t.Errorf("Lookup(%q): %s, want %s", key, got, want)
		}
	}
}

func TestZeroOverlay(t *testing.T) {
	var o writeback.Overlay
	if _, ok := o.Lookup("a"); ok || o.Len() != 0 || o.Items() != nil || o.Within(engine.Range{Start: "a"}).Len() != 0 {
		t.Error("the zero Overlay is not empty")
	}
	page := engine.Page{Items: []engine.Item{{Entry: engine.Entry{Key: "a"}}}}
	items, _, more := o.Merge(engine.Query{Limit: 5}, page)
	if diff := cmp.Diff(page.Items, items); diff != "" || more {
		t.Errorf("merged page changed, more %v:\n%s", more, diff)
	}
}

func TestOverlayIsFrozen(t *testing.T) {
	var c writeback.Cache
	for i := range 1000 {
		c.Put(fmt.Sprintf("%04d", i), put("old"))
	}
	o := c.Overlay(engine.Range{})
	before := show(o.Items())
	c.Put("0500", put("new"))
	c.Put("0501", tombstone)
	c.Put("x", put("new"))
	c.BeginFlush()
	during := c.Overlay(engine.Range{})
	c.Put("0502", put("newer"))
	c.EndFlush(true)
	if diff := cmp.Diff(before, show(o.Items())); diff != "" {
		t.Errorf("an overlay changed after it was taken (-before +after):\n%s", diff)
	}
	if e, ok := during.Lookup("0502"); !ok || string(e.Value) != "old" || during.Len() != 1001 {
		t.Errorf("an overlay taken while flushing changed: %+v, %v, %d entries", e, ok, during.Len())
	}
}

// TestOverlayConcurrent is for the race detector: overlays are read while the cache is written.
func TestOverlayConcurrent(t *testing.T) {
	var c writeback.Cache
	c.Put("0", put("0"))
	done := make(chan error)
	const readers = 4
	for i := range 200 {
		c.Put(fmt.Sprint(i%50), put("v"))
		if i%(200/readers) == 0 {
			o := c.Overlay(engine.Range{})
			go func() { done <- sameTwice(o) }()
		}
	}
	for range readers {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func sameTwice(o writeback.Overlay) error {
	first := show(o.Items())
	for range 100 {
		if diff := cmp.Diff(first, show(o.Items())); diff != "" {
			return fmt.Errorf("an overlay changed:\n%s", diff)
		}
	}
	return nil
}
