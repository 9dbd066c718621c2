package writeback_test

import (
	"context"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/writeback"
)

// elems are elements of one byte for the column that the first part names, as in "col:abc".
type elems struct{ target, elements string }

func (l elems) Target() string                                             { return l.target }
func (l elems) Column() string                                             { return l.target[:1] }
func (elems) Groups() []string                                             { return nil }
func (elems) Follows(_, _ engine.Append) bool                              { return true }
func (l elems) Size() int64                                                { return int64(len(l.elements)) }
func (elems) Check(context.Context, engine.Arrays) error                   { return nil }
func (l elems) Bind(context.Context, engine.Arrays) (engine.Append, error) { return l, nil }
func (elems) Write(context.Context, engine.Arrays) error                   { return nil }
func (l elems) Join(next engine.Append) engine.Append {
	return elems{l.target, l.elements + next.(elems).elements}
}

func behind(o writeback.Overlay, target string) string {
	all := ""
	for _, a := range o.Appends(target) {
		all += a.(elems).elements
	}
	return all
}

func TestAppends(t *testing.T) {
	type cache = *writeback.Cache
	add := func(target, elements string) func(cache) {
		return func(c cache) { c.Append(elems{target, elements}, time.Unix(1, 0)) }
	}
	begin := func(c cache) { c.BeginFlush() }
	end := func(ok bool) func(cache) { return func(c cache) { c.EndFlush(ok) } }
	for _, tt := range []struct {
		name         string
		steps        []func(cache)
		a, b         string // what is seen behind two columns
		bytes        int64
		len, pending int
	}{
		{"nothing", nil, "", "", 0, 0, 0},
		{"joined", []func(cache){add("a", "1"), add("b", "x"), add("a", "23")}, "123", "x", 4, 2, 2},
		{"while flushing", []func(cache){add("a", "1"), begin}, "1", "", 1, 1, 0},
		{"more while flushing", []func(cache){add("a", "1"), begin, add("a", "2"), add("b", "x")}, "12", "x", 3, 2, 2},
		{"flushed", []func(cache){add("a", "1"), begin, end(true)}, "", "", 0, 0, 0},
		{"flushed with more", []func(cache){add("a", "1"), begin, add("a", "2"), end(true)}, "2", "", 1, 1, 1},
		{"failed", []func(cache){add("a", "1"), begin, end(false)}, "1", "", 1, 1, 1},
		{"failed with more", []func(cache){add("a", "1"), begin, add("b", "x"), add("a", "2"), end(false)}, "12", "x", 3, 2, 2},
		{"failed twice", []func(cache){add("a", "1"), begin, add("a", "2"), end(false), begin, add("a", "3"), end(false)}, "123", "", 3, 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var c writeback.Cache
			for _, step := range tt.steps {
				step(&c)
			}
			o := c.Overlay(engine.Range{})
			if a, b := behind(o, "a"), behind(o.Within(engine.Range{Start: "x"}), "b"); a != tt.a || b != tt.b {
				t.Errorf("behind a %q, behind b %q; want %q, %q", a, b, tt.a, tt.b)
			}
			if c.Bytes() != tt.bytes || c.Len() != tt.len || c.Pending() != tt.pending {
				t.Errorf("%d bytes, %d entries, %d pending; want %d, %d, %d", c.Bytes(), c.Len(), c.Pending(), tt.bytes, tt.len, tt.pending)
			}
			if _, waiting := c.Waiting("a"); (waiting != nil) != (tt.pending > 0) {
				t.Errorf("%v waits", waiting)
			}
			c.EndFlush(false)
			b := c.BeginFlush()
			all := ""
			for _, a := range b.Appends {
				all += a.(elems).elements
			}
			if all != tt.a+tt.b || b.Len() != len(b.Appends) {
				t.Errorf("the next flush writes %q, %d entries; want %q", all, b.Len(), tt.a+tt.b)
			}
		})
	}
}

// An overlay does not change with the cache that it came from.
func TestOverlayOfAppends(t *testing.T) {
	var c writeback.Cache
	c.Append(elems{"a", "1"}, time.Now())
	o := c.Overlay(engine.Range{})
	c.Append(elems{"a", "2"}, time.Now())
	c.BeginFlush()
	flushing := c.Overlay(engine.Range{})
	c.Append(elems{"a", "3"}, time.Now())
	c.EndFlush(true)
	if got := behind(o, "a") + " " + behind(flushing, "a"); got != "1 12" {
		t.Errorf("the overlays have %q", got)
	}
}

func TestAgeOfAppends(t *testing.T) {
	var c writeback.Cache
	c.Append(elems{"a", "1"}, time.Unix(10, 0))
	c.Append(elems{"a", "1"}, time.Unix(20, 0))
	c.Put("key", at("value", 30))
	if at, ok := c.Oldest(); !ok || at.Unix() != 10 {
		t.Errorf("Oldest is %v, %v", at, ok)
	}
	c.BeginFlush()
	if at, ok := c.Oldest(); ok {
		t.Errorf("Oldest is %v while nothing is pending", at)
	}
	c.Append(elems{"b", "1"}, time.Unix(40, 0))
	if at, _ := c.Oldest(); at.Unix() != 40 {
		t.Errorf("Oldest is %v", at)
	}
	c.EndFlush(false)
	if at, _ := c.Oldest(); at.Unix() != 10 {
		t.Errorf("Oldest is %v after a flush that failed", at)
	}
}
