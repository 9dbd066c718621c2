package kvault_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/mem"
)

// single is a store that makes one change at a time, with a hook in front of each. It can be read
// once it is closed.
type single struct {
	*mem.Single
	mu     sync.Mutex
	before func(engine.Op) mem.Fault
	// each, if not nil, takes the place of ApplyEach.
	each   func([]engine.Op) ([]engine.Result, []error)
	closed bool
}

func newSingle(t *testing.T) *single {
	s := &single{}
	s.Single = mem.NewSingle(&mem.SingleOptions{Op: func(op engine.Op) mem.Fault {
		s.mu.Lock()
		before := s.before
		s.mu.Unlock()
		if before == nil {
			return mem.Fault{}
		}
		return before(op)
	}})
	t.Cleanup(func() {
		if err := s.Single.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *single) on(before func(engine.Op) mem.Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = before
}

// fail has changes of key end with f.
func (s *single) fail(key string, f mem.Fault) {
	s.on(func(op engine.Op) mem.Fault {
		if op.Key == key {
			return f
		}
		return mem.Fault{}
	})
}

func (s *single) ApplyEach(ctx context.Context, ops []engine.Op) ([]engine.Result, []error) {
	if s.each != nil {
		return s.each(ops)
	}
	return s.Single.ApplyEach(ctx, ops)
}

func (s *single) Close() error { s.closed = true; return nil }

// stored is what the store holds.
func (s *single) stored(t *testing.T) map[string]string {
	t.Helper()
	page, err := s.List(t.Context(), engine.Query{Limit: 1000})
	if err != nil || page.More {
		t.Fatal(page.More, err)
	}
	got := map[string]string{}
	for _, it := range page.Items {
		value, err := s.Get(t.Context(), it.Key)
		if err != nil {
			t.Fatal(err)
		}
		got[it.Key] = string(value)
	}
	return got
}

// pendingOnSingle is a vault with four entries pending, a delete among them.
func pendingOnSingle(t *testing.T) (*kvault.Vault, *single) {
	t.Helper()
	s := newSingle(t)
	v := newOn(t, s, quick)
	put(t, v, "gone", "old", "b", "old")
	enable(t, v, 1<<20, 1<<20)
	put(t, v, "a", "1", "b", "2", "c", "3")
	if _, err := v.Delete(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	return v, s
}

var (
	beforeFlush = map[string]string{"gone": "old", "b": "old"}
	afterFlush  = map[string]string{"a": "1", "b": "2", "c": "3"}
)

// onlyBut is afterFlush without the change of key.
func onlyBut(key string) map[string]string {
	want := maps.Clone(afterFlush)
	delete(want, key)
	if old, ok := beforeFlush[key]; ok {
		want[key] = old
	}
	return want
}

func wantStored(t *testing.T, s *single, want map[string]string) {
	t.Helper()
	if got := s.stored(t); !maps.Equal(got, want) {
		t.Errorf("the store holds %q, want %q", got, want)
	}
}

func wantFlushError(t *testing.T, err, cause error, entry kvault.CacheEntry) {
	t.Helper()
	f, ok := errors.AsType[*kvault.FlushError](err)
	if !ok || cause != nil && !errors.Is(err, cause) || f.Entry != entry {
		t.Errorf("error %v, want %v of %+v", err, cause, entry)
	}
}

func TestEachChangeOfAFlushFails(t *testing.T) {
	for _, key := range []string{"a", "b", "c", "gone"} {
		for _, tt := range []struct {
			fault mem.Fault
			entry kvault.CacheEntry
		}{
			{mem.Fault{Err: errBoom}, kvault.CacheEntry{Key: key}},
			{mem.Fault{Err: kvault.ErrUnknown}, kvault.CacheEntry{}},
			{mem.Fault{Err: kvault.ErrUnknown, Done: true}, kvault.CacheEntry{}},
			{mem.Fault{Err: kvault.ErrConflict}, kvault.CacheEntry{}},
		} {
			t.Run(fmt.Sprintf("%s: %v, done %t", key, tt.fault.Err, tt.fault.Done), func(t *testing.T) {
				v, s := pendingOnSingle(t)
				s.fail(key, tt.fault)
				n, err := v.FlushCache(t.Context())
				wantFlushError(t, err, tt.fault.Err, tt.entry)
				if n != 3 || !strings.Contains(err.Error(), `1 of 4 entries were not written: "`+key+`"`) {
					t.Errorf("%d entries were written: %v", n, err)
				}
				want := afterFlush
				if !tt.fault.Done {
					want = onlyBut(key)
				}
				wantStored(t, s, want)
				compare(t, v, afterFlush)
				if st := v.CacheStats(); st.Entries != 1 || st.Bytes == 0 || st.FailedFlushes != 1 || st.LastError == nil {
					t.Errorf("the cache has %+v", st)
				}
				s.on(nil)
				if n, err := v.FlushCache(t.Context()); n != 1 || err != nil {
					t.Errorf("FlushCache = %d, %v", n, err)
				}
				wantStored(t, s, afterFlush)
				wantBytes(t, v, 0, 0)
			})
		}
	}
}

// A newer entry of a key that is being flushed stays pending, whatever becomes of the older one.
func TestNewerEntriesDuringAFlushOfEach(t *testing.T) {
	for _, f := range []mem.Fault{{}, {Err: errBoom}, {Err: kvault.ErrUnknown, Done: true}} {
		for _, deleted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v, deleted %t", f.Err, deleted), func(t *testing.T) {
				v, s := pendingOnSingle(t)
				want := maps.Clone(afterFlush)
				s.on(func(op engine.Op) mem.Fault {
					if op.Key != "b" {
						return mem.Fault{}
					}
					if deleted {
						if found, err := v.Delete(t.Context(), "b"); !found || err != nil {
							t.Errorf("Delete = %t, %v", found, err)
						}
					} else if err := v.Put(t.Context(), "b", []byte("newer")); err != nil {
						t.Error(err)
					}
					return f
				})
				if deleted {
					delete(want, "b")
				} else {
					want["b"] = "newer"
				}
				if _, err := v.FlushCache(t.Context()); !errors.Is(err, f.Err) {
					t.Errorf("FlushCache: %v", err)
				}
				s.on(nil)
				compare(t, v, want)
				wantBytes(t, v, int64(len("b")+len(want["b"])), 1)
				if n, err := v.FlushCache(t.Context()); n != 1 || err != nil {
					t.Errorf("FlushCache = %d, %v", n, err)
				}
				wantStored(t, s, want)
				wantBytes(t, v, 0, 0)
			})
		}
	}
}

// An engine that breaks its contract, or is gone, costs nothing.
func TestFlushOfEachLosesNothing(t *testing.T) {
	for name, each := range map[string]func([]engine.Op) ([]engine.Result, []error){
		"too few answers": func([]engine.Op) ([]engine.Result, []error) { return nil, []error{nil} },
		"panic":           func([]engine.Op) ([]engine.Result, []error) { panic(errBoom) },
	} {
		t.Run(name, func(t *testing.T) {
			v, s := pendingOnSingle(t)
			s.each = each
			func() {
				defer func() {
					if r := recover(); name == "panic" && r != errBoom {
						t.Errorf("recovered %v", r)
					}
				}()
				_, err := v.FlushCache(t.Context())
				wantFlushError(t, err, nil, kvault.CacheEntry{})
			}()
			compare(t, v, afterFlush)
			wantStored(t, s, beforeFlush)
			s.each = nil
			if n, err := v.FlushCache(t.Context()); n != 4 || err != nil {
				t.Errorf("FlushCache = %d, %v", n, err)
			}
			wantStored(t, s, afterFlush)
		})
	}
}

func TestManyFailuresOfAFlushOfEach(t *testing.T) {
	s := newSingle(t)
	v := newOn(t, s, quick)
	enable(t, v, 1<<20, 1<<20)
	for i := range 100 {
		put(t, v, fmt.Sprintf("%03d", i), "x")
	}
	s.on(func(engine.Op) mem.Fault { return mem.Fault{Err: errBoom} })
	_, err := v.FlushCache(t.Context())
	wantFlushError(t, err, errBoom, kvault.CacheEntry{Key: "000"})
	if text := err.Error(); !strings.Contains(text, "100 of 100") || !strings.Contains(text, "and 92 more") {
		t.Errorf("message %q", text)
	}
}

func TestCloseOverAFlushOfEach(t *testing.T) {
	v, s := pendingOnSingle(t)
	s.fail("b", mem.Fault{Err: errBoom})
	wantFlushError(t, v.Close(), errBoom, kvault.CacheEntry{Key: "b"})
	if s.closed {
		t.Error("the store is closed")
	}
	wantStored(t, s, onlyBut("b"))
	compare(t, v, afterFlush)
	s.on(nil)
	if err := v.Close(); err != nil || !s.closed {
		t.Errorf("Close: %v", err)
	}
	wantStored(t, s, afterFlush)
}

func TestDiscardAfterAFlushOfEach(t *testing.T) {
	for name, discard := range map[string]func(v *kvault.Vault) (bool, error){
		"one": func(v *kvault.Vault) (bool, error) {
			return v.DiscardCached(context.Background(), kvault.CacheEntry{Key: "b"})
		},
		"all": func(v *kvault.Vault) (bool, error) {
			n, err := v.DiscardCache(context.Background())
			return n == 1, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			v, s := pendingOnSingle(t)
			s.fail("b", mem.Fault{Err: errBoom})
			if _, err := v.FlushCache(t.Context()); err == nil {
				t.Fatal("the flush did not fail")
			}
			if found, err := discard(v); !found || err != nil {
				t.Errorf("discard: %t, %v", found, err)
			}
			wantBytes(t, v, 0, 0)
			compare(t, v, onlyBut("b"))
			if err := v.Close(); err != nil {
				t.Error(err)
			}
			wantStored(t, s, onlyBut("b"))
		})
	}
}

// What such a store cannot do says what can be done in its place, and changes nothing.
func TestUnsupportedOnSingleChanges(t *testing.T) {
	s := newSingle(t)
	v := newOn(t, s, nil)
	put(t, v, "a/1", "x")
	ctx := t.Context()
	two := maps.All(map[string][]byte{"k": nil, "l": nil})
	for _, tt := range []struct {
		call, way string
		do        func() error
	}{
		{"update", "one by one", func() error { return v.Update(ctx, func(*kvault.Tx) error { return nil }) }},
		{"view", "by itself", func() error { return v.View(ctx, func(*kvault.Tx) error { return nil }) }},
		{"put", "EnableCache", func() error { return v.PutAll(ctx, two) }},
		{"rename prefix", "call Rename for each", func() error { _, err := v.RenamePrefix(ctx, "a", "b", nil); return err }},
		{"copy prefix", "call Copy for each", func() error { _, err := v.CopyPrefix(ctx, "a", "b", nil); return err }},
	} {
		err := tt.do()
		if e, ok := errors.AsType[*kvault.Error](err); !ok || e.Op != tt.call || !errors.Is(err, kvault.ErrUnsupported) ||
			!strings.Contains(err.Error(), tt.way) {
			t.Errorf("%s: error %v", tt.call, err)
		}
	}
	wantStored(t, s, map[string]string{"a/1": "x"})
	enable(t, v, 1<<20, 1<<20)
	if err := v.PutAll(ctx, two); err != nil {
		t.Error(err)
	}
	compareKeys := map[string]string{"a/1": "x", "k": "", "l": ""}
	compare(t, v, compareKeys)
	if err := v.Close(); err != nil {
		t.Error(err)
	}
	wantStored(t, s, compareKeys)
}
