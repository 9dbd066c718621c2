package writeback_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/writeback"
)

func put(value string) writeback.Entry { return writeback.Entry{Value: []byte(value)} }

func at(value string, sec int64) writeback.Entry {
	return writeback.Entry{Value: []byte(value), Added: time.Unix(sec, 0)}
}

var tombstone = writeback.Entry{Deleted: true}

// show renders items as "key=value" and "key-" for tombstones.
func show(items []writeback.Item) []string {
	out := []string{}
	for _, it := range items {
		if it.Deleted {
			out = append(out, it.Key+"-")
		} else {
			out = append(out, fmt.Sprintf("%s=%s", it.Key, it.Value))
		}
	}
	return out
}

type state struct {
	Visible      []string
	Bytes        int64
	Len, Pending int
	Flushing     bool
}

func stateOf(c *writeback.Cache) state {
	return state{show(c.Overlay(engine.Range{}).Items()), c.Bytes(), c.Len(), c.Pending(), c.Flushing()}
}

func TestCache(t *testing.T) {
	begin := func(want ...string) func(*testing.T, *writeback.Cache) {
		return func(t *testing.T, c *writeback.Cache) {
			if got := show(c.BeginFlush().Items); !slices.Equal(got, want) {
				t.Errorf("BeginFlush gave %q, want %q", got, want)
			}
		}
	}
	end := func(ok bool) func(*testing.T, *writeback.Cache) {
		return func(_ *testing.T, c *writeback.Cache) { c.EndFlush(ok) }
	}
	set := func(key string, e writeback.Entry) func(*testing.T, *writeback.Cache) {
		return func(_ *testing.T, c *writeback.Cache) { c.Put(key, e) }
	}
	steps := func(s ...func(*testing.T, *writeback.Cache)) []func(*testing.T, *writeback.Cache) { return s }
	tests := []struct {
		name  string
		steps []func(*testing.T, *writeback.Cache)
		want  state
	}{
		{"zero value", nil, state{[]string{}, 0, 0, 0, false}},
		{"puts", steps(set("b", put("22")), set("a", put("1"))), state{[]string{"a=1", "b=22"}, 5, 2, 2, false}},
		{"replacing counts the new one only", steps(set("a", put("1")), set("a", put("4444"))), state{[]string{"a=4444"}, 5, 1, 1, false}},
		{"empty value", steps(set("a", writeback.Entry{})), state{[]string{"a="}, 1, 1, 1, false}},
		{"a tombstone counts its key", steps(set("key", tombstone)), state{[]string{"key-"}, 3, 1, 1, false}},
		{"a tombstone drops its value", steps(set("key", writeback.Entry{Value: []byte("x"), Deleted: true})), state{[]string{"key-"}, 3, 1, 1, false}},
		{"tombstone over put", steps(set("key", put("value")), set("key", tombstone)), state{[]string{"key-"}, 3, 1, 1, false}},
		{"put over tombstone", steps(set("key", tombstone), set("key", put("v"))), state{[]string{"key=v"}, 4, 1, 1, false}},
		{"flushing nothing", steps(begin()), state{[]string{}, 0, 0, 0, false}},
		{"ending no flush", steps(set("a", put("1")), end(true)), state{[]string{"a=1"}, 2, 1, 1, false}},
		{
			"while flushing", steps(set("b", put("1")), set("a", tombstone), begin("a-", "b=1")),
			state{[]string{"a-", "b=1"}, 3, 2, 0, true},
		},
		{
			"newer entries while flushing", steps(set("a", put("1")), set("b", put("1")), begin("a=1", "b=1"), set("b", put("22")), set("c", put("3"))),
			state{[]string{"a=1", "b=22", "c=3"}, 9, 3, 2, true},
		},
		{"flushed", steps(set("a", put("1")), begin("a=1"), end(true)), state{[]string{}, 0, 0, 0, false}},
		{
			"flushed with newer entries", steps(set("a", put("1")), begin("a=1"), set("a", tombstone), set("b", put("2")), end(true)),
			state{[]string{"a-", "b=2"}, 3, 2, 2, false},
		},
		{"failed", steps(set("a", put("1")), begin("a=1"), end(false)), state{[]string{"a=1"}, 2, 1, 1, false}},
		{
			"failed with newer entries",
			steps(set("a", put("1")), set("b", put("1")), set("c", put("1")), begin("a=1", "b=1", "c=1"),
				set("b", put("22")), set("b", put("333")), set("c", tombstone), set("d", put("4")), end(false)),
			state{[]string{"a=1", "b=333", "c-", "d=4"}, 2 + 4 + 1 + 2, 4, 4, false},
		},
		{
			"failed twice, then flushed",
			steps(set("a", put("1")), begin("a=1"), set("a", put("22")), end(false), begin("a=22"), set("b", put("1")), end(false),
				begin("a=22", "b=1"), end(true)),
			state{[]string{}, 0, 0, 0, false},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var c writeback.Cache
			for _, step := range tt.steps {
				step(t, &c)
			}
			if diff := cmp.Diff(tt.want, stateOf(&c)); diff != "" {
				t.Errorf("state (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCacheLookup(t *testing.T) {
	var c writeback.Cache
	c.Put("a", put("old"))
	c.Put("b", put("b"))
	c.BeginFlush()
	c.Put("a", put("new"))
	c.Put("c", tombstone)
	for key, want := range map[string]string{"a": "new", "b": "b"} {
		if e, ok := c.Lookup(key); !ok || e.Deleted || string(e.Value) != want {
			t.Errorf("Lookup(%q) = %+v, %v; want %q", key, e, ok, want)
		}
	}
	if e, ok := c.Lookup("c"); !ok || !e.Deleted {
		t.Errorf("Lookup of a tombstone = %+v, %v", e, ok)
	}
	if e, ok := c.Lookup("d"); ok {
		t.Errorf("Lookup of a missing key = %+v", e)
	}
}

func TestCacheKeepsMeta(t *testing.T) {
	var c writeback.Cache
	meta := engine.Meta{Tag: "t", ModTime: time.Unix(1, 2), ContentType: "text/plain", Sum: 3, HasSum: true, User: map[string]string{"a": "b"}}
	c.Put("k", writeback.Entry{Value: []byte("v"), Meta: meta})
	e, _ := c.Lookup("k")
	if diff := cmp.Diff(meta, e.Meta); diff != "" {
		t.Errorf("Meta (-want +got):\n%s", diff)
	}
}

func TestCacheSizeWith(t *testing.T) {
	var c writeback.Cache
	c.Put("aa", put("1"))  // 3
	c.Put("bb", put("22")) // 4
	c.BeginFlush()
	c.Put("bb", put("4444")) // 6
	tests := []struct {
		items map[string]int
		want  int64
	}{
		{nil, 13},
		{map[string]int{"aa": 10}, 25}, // what is being flushed counts on
		{map[string]int{"bb": 0}, 9},
		{map[string]int{"c": 5}, 19},
		{map[string]int{"aa": 0, "bb": 5, "c": 1}, 18},
	}
	for _, tt := range tests {
		if got := c.SizeWithAll(tt.items); got != tt.want {
			t.Errorf("SizeWithAll(%v) = %d, want %d", tt.items, got, tt.want)
		}
		for key, n := range tt.items {
			if len(tt.items) == 1 && c.SizeWith(key, n) != tt.want {
				t.Errorf("SizeWith(%q, %d) = %d, want %d", key, n, c.SizeWith(key, n), tt.want)
			}
		}
	}
	c.Put("aa", put("0123456789"))
	if got := c.Bytes(); got != 25 {
		t.Errorf("after the put Bytes = %d, want 25 as foretold", got)
	}
}

func TestCacheOldest(t *testing.T) {
	var c writeback.Cache
	check := func(when string, want int64) {
		t.Helper()
		if got, ok := c.Oldest(); ok != (want != 0) || ok && got.Unix() != want {
			t.Errorf("%s: Oldest = %v, %v; want second %d", when, got, ok, want)
		}
	}
	check("empty", 0)
	c.Put("a", at("1", 20))
	c.Put("b", at("1", 10))
	c.Put("c", at("1", 30))
	check("three entries", 10)
	c.Put("b", at("2", 40))
	check("the oldest was replaced", 10)
	if e, _ := c.Lookup("b"); e.Added.Unix() != 10 {
		t.Errorf("Added of a replaced entry is %v, want the earlier time", e.Added)
	}
	c.BeginFlush()
	check("all being flushed", 0)
	c.Put("b", at("3", 50))
	check("one newer", 50)
	c.EndFlush(false)
	check("flush failed", 10)
	if e, _ := c.Lookup("a"); e.Added.Unix() != 20 {
		t.Errorf("Added after a failed flush is %v, want it kept", e.Added)
	}
	c.BeginFlush()
	c.EndFlush(false)
	check("failed again with nothing newer", 10)
	c.BeginFlush()
	c.Put("d", at("1", 60))
	c.EndFlush(true)
	check("flushed", 60)
}

func TestCacheGen(t *testing.T) {
	var c writeback.Cache
	seen := []uint64{c.Gen()}
	c.BeginFlush()
	if c.Gen() != seen[0] {
		t.Error("Gen changed although nothing was to be flushed")
	}
	for range 3 {
		c.Put("a", put("1"))
		if c.Gen() != seen[len(seen)-1] {
			t.Error("Gen changed by a put")
		}
		c.BeginFlush()
		if slices.Contains(seen, c.Gen()) {
			t.Errorf("Gen %d was seen before a flush", c.Gen())
		}
		seen = append(seen, c.Gen())
		c.EndFlush(true)
		if c.Gen() != seen[len(seen)-1] {
			t.Error("Gen changed by the end of a flush")
		}
	}
}

func TestBeginFlushTwicePanics(t *testing.T) {
	var c writeback.Cache
	c.Put("a", put("1"))
	c.BeginFlush()
	defer func() {
		if recover() == nil {
			t.Error("a second BeginFlush did not panic")
		}
	}()
	c.BeginFlush()
}
