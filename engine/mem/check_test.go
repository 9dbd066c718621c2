package mem

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/kohakuvault/kvault/engine"
)

func TestCheckFindsDamage(t *testing.T) {
	s := New()
	for _, key := range []string{"a", "b", "c"} {
		if _, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: key, Value: []byte(key)}}); err != nil {
			t.Fatal(err)
		}
	}
	rec, _ := s.state.Load().keys.Get("b")
	rec.data[0] = 'X' // what only a fault of memory, or of this package, can do
	var found []engine.Problem
	if err := s.Check(t.Context(), func(p engine.Problem) { found = append(found, p) }, nil); err != nil {
		t.Fatalf("Check: %v", err)
	}
	if len(found) != 1 || found[0].Key != "b" || !errors.Is(found[0].Err, engine.ErrCorrupt) {
		t.Errorf("problems: %+v, want one with b", found)
	}
}

func TestCheckStopsWhenCanceled(t *testing.T) {
	s := New()
	for i := range 10 {
		if _, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: fmt.Sprint(i)}}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Check(ctx, nil, func(done, _ int64) {
		if done == 3 {
			cancel()
		} else if done > 3 {
			t.Errorf("went on to %d after it was canceled", done)
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}
