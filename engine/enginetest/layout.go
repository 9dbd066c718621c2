package enginetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/kohakuvault/kvault/engine"
)

// relayout moves all values to a layout, and returns the keys of those that were moved.
func relayout(t *testing.T, l engine.Layouter, to engine.Layout) (moved []string) {
	t.Helper()
	err := l.Relayout(t.Context(), to, func(r engine.Relayout) {
		if r.Err != nil {
			t.Errorf("%q, %d bytes: %v", r.Key, r.Size, r.Err)
		}
		moved = append(moved, r.Key)
	})
	if err != nil {
		t.Fatal(err)
	}
	return moved
}

func entriesOf(t *testing.T, s engine.Store) map[string]engine.Entry {
	t.Helper()
	entries := map[string]engine.Entry{}
	for _, item := range listAll(t, s, engine.Query{Limit: 100}) {
		entries[item.Key] = item.Entry
	}
	return entries
}

// Whichever way values are moved, they stay what they are, with all that is known of them, and a
// second call finds nothing to do.
func testRelayout(t *testing.T, s engine.Store) {
	l := s.(engine.Layouter)
	want := fill(t, s)
	entries := entriesOf(t, s)
	same := func(t *testing.T, to engine.Layout) {
		t.Helper()
		relayout(t, l, to)
		filled(t, s, want)
		if got := entriesOf(t, s); !reflect.DeepEqual(got, entries) {
			t.Errorf("entries are %v, were %v", got, entries)
		}
		if moved := relayout(t, l, to); len(moved) > 0 {
			t.Errorf("moved again: %q", moved)
		}
	}
	same(t, engine.OneRow)
	same(t, engine.Chunks)
	same(t, engine.OneRow)
	if err := l.Relayout(t.Context(), 0, nil); !errors.Is(err, engine.ErrInvalid) {
		t.Errorf("no layout: %v", err)
	}
	wantErr(t, "Relayout", l.Relayout(canceled(t), engine.Chunks, nil), context.Canceled)
}

// Values that are written, renamed and removed meanwhile are those that were written last, and open
// blobs keep theirs.
func testRelayoutWhileWriting(t *testing.T, s engine.Store) {
	l := s.(engine.Layouter)
	const keys = 20
	key := func(i int) string { return fmt.Sprint("k", i%keys) }
	for i := range keys {
		apply(t, s, stagedOp(key(i), stage(t, s, 5000, noise(200_000+i))))
	}
	blob := openBlob(t, s, key(3))
	done := make(chan error)
	go func() {
		to := engine.OneRow
		for range 6 {
			if err := l.Relayout(context.WithoutCancel(t.Context()), to, nil); err != nil {
				done <- err
				return
			}
			to = engine.OneRow + engine.Chunks - to
		}
		done <- nil
	}()
	want := map[string][]byte{}
	for i := range 3 * keys {
		value := noise(100_000 + i)
		apply(t, s, stagedOp(key(i), stage(t, s, 7000, value)))
		want[key(i)] = value
		if i%7 == 0 {
			apply(t, s, deleteOp(key(i)))
			delete(want, key(i))
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	blobHolds(t, blob, noise(200_003))
	filled(t, s, want)
	relayout(t, l, engine.OneRow)
	filled(t, s, want)
}
