package mem_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/enginetest"
	"github.com/kohakuvault/kvault/engine/mem"
)

func TestConformance(t *testing.T) {
	enginetest.Run(t, func(*testing.T) engine.Store { return mem.New() })
}

func TestUserMetadataIsTheCallersOwn(t *testing.T) {
	s, ctx := mem.New(), t.Context()
	user := map[string]string{"a": "1"}
	results, err := s.Apply(ctx, []engine.Op{{Kind: engine.Put, Key: "k", Meta: engine.Meta{User: user}}})
	if err != nil {
		t.Fatal(err)
	}
	user["a"] = "given"
	results[0].Entry.Meta.User["a"] = "result"
	e, err := s.Stat(ctx, "k")
	if err != nil || e.Meta.User["a"] != "1" {
		t.Errorf("metadata %v, %v; want 1", e.Meta.User, err)
	}
	e.Meta.User["a"] = "stat"
	if e, _ := s.Stat(ctx, "k"); e.Meta.User["a"] != "1" {
		t.Errorf("metadata %v, want 1", e.Meta.User)
	}
}

func TestEveryValueHasAVersion(t *testing.T) {
	s, ctx := mem.New(), t.Context()
	tags := map[string]bool{}
	for range 3 {
		results, err := s.Apply(ctx, []engine.Op{{Kind: engine.Put, Key: "k"}})
		if err != nil {
			t.Fatal(err)
		}
		m := results[0].Entry.Meta
		if len(m.Tag) != 16 || tags[m.Tag] || m.ModTime.IsZero() || m.ModTime.Location() != time.UTC {
			t.Errorf("metadata of a put that came without: %+v", m)
		}
		tags[m.Tag] = true
	}
}

func TestStats(t *testing.T) {
	s, ctx := mem.New(), t.Context()
	for i := range 3 {
		op := engine.Op{Kind: engine.Put, Key: fmt.Sprint("key", i), Value: []byte("value")}
		if _, err := s.Apply(ctx, []engine.Op{op}); err != nil {
			t.Fatal(err)
		}
	}
	st, err := s.Stats(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want := engine.Stats{Engine: "memory", Location: ":memory:", FileBytes: 27, Detail: map[string]string{"keys": "3"}}
	if diff := cmp.Diff(want, st); diff != "" {
		t.Errorf("Stats (-want +got):\n%s", diff)
	}
}

// TestLargeStore: a hundred thousand single puts, deletes and counts must not take time that grows
// with the square.
func TestLargeStore(t *testing.T) {
	s, ctx := mem.New(), t.Context()
	const n = 100_000
	do := func(op engine.Op) {
		if _, err := s.Apply(ctx, []engine.Op{op}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		do(engine.Op{Kind: engine.Put, Key: fmt.Sprintf("%06d", i*7919%n)})
	}
	for i := range n / 2 {
		do(engine.Op{Kind: engine.Delete, Key: fmt.Sprintf("%06d", i)})
		if got, err := s.Count(ctx, engine.Range{}); err != nil || got != int64(n-i-1) {
			t.Fatalf("Count after %d deletes: %d, %v", i+1, got, err)
		}
	}
	do(engine.Op{Kind: engine.DeleteRange, Range: engine.Range{Start: "06", End: "08"}})
	if got, err := s.Count(ctx, engine.Range{}); err != nil || got != n/2-20_000 {
		t.Errorf("Count after a range was deleted: %d, %v", got, err)
	}
}
