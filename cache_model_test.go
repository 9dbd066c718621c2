package kvault_test

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/mem"
)

// TestCacheChangesNoAnswer runs the same random calls with and without a cache, and compares with a
// map.
func TestCacheChangesNoAnswer(t *testing.T) {
	for seed := range uint64(15) {
		r := rand.New(rand.NewPCG(seed, 7))
		v, f := newFaultyVault(t, quick)
		want := map[string]string{}
		for range 150 {
			if r.IntN(20) == 0 {
				f.fail("apply", 1, kvault.ErrBusy)
			}
			step(t, v, r, want)
			compare(t, v, want)
		}
		if err := v.DisableCache(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := f.stored(t); !maps.Equal(got, want) {
			t.Fatalf("seed %d: store holds %q, want %q", seed, got, want)
		}
	}
}

// The same on a store that makes one change at a time, where each change of a flush may fail, or
// seem to.
func TestCacheChangesNoAnswerOfSingleChanges(t *testing.T) {
	failed := 0
	var mu sync.Mutex // guards the faults: changes are made at once
	for seed := range uint64(15) {
		r, faults := rand.New(rand.NewPCG(seed, 7)), rand.New(rand.NewPCG(seed, 8))
		s := newSingle(t)
		v := newOn(t, s, quick)
		want := map[string]string{}
		for range 150 {
			s.on(func(engine.Op) mem.Fault {
				mu.Lock()
				defer mu.Unlock()
				return lostOrRefused(faults)
			})
			if _, err := v.FlushCache(t.Context()); err != nil {
				failed++
			}
			compare(t, v, want)
			s.on(nil)
			step(t, v, r, want)
			compare(t, v, want)
		}
		if err := v.DisableCache(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := s.stored(t); !maps.Equal(got, want) {
			t.Fatalf("seed %d: store holds %q, want %q", seed, got, want)
		}
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	}
	if failed < 100 {
		t.Errorf("only %d flushes failed", failed)
	}
}

func lostOrRefused(r *rand.Rand) mem.Fault {
	switch r.IntN(6) {
	case 0:
		return mem.Fault{Err: errBoom}
	case 1:
		return mem.Fault{Err: kvault.ErrUnknown}
	case 2:
		return mem.Fault{Err: kvault.ErrUnknown, Done: true}
	}
	return mem.Fault{}
}

// step makes one random call, and the same change to want.
func step(t *testing.T, v *kvault.Vault, r *rand.Rand, want map[string]string) {
	t.Helper()
	ctx := t.Context()
	key, other := string(rune('a'+r.IntN(8))), string(rune('a'+r.IntN(8)))
	value := strings.Repeat("x", r.IntN(30))
	old, there := want[key]
	var err error
	switch r.IntN(14) {
	case 0:
		err = v.EnableCache(ctx, &kvault.CacheOptions{Capacity: int64(10 + r.IntN(100))})
	case 1:
		err = v.DisableCache(ctx)
	case 2:
		_, err = v.FlushCache(ctx)
	case 3, 4:
		var found bool
		if found, err = v.Delete(ctx, key); found != there {
			t.Errorf("Delete(%q) = %v, want %v", key, found, there)
		}
		delete(want, key)
	case 5:
		var got []byte
		if got, err = v.Pop(ctx, key); string(got) != old || errors.Is(err, kvault.ErrNotFound) == there {
			t.Errorf("Pop(%q) = %q, %v; want %q", key, got, err, old)
		}
		if !there {
			err = nil
		}
		delete(want, key)
	case 6:
		var existed bool
		if _, existed, err = v.SetDefault(ctx, key, []byte(value)); existed != there {
			t.Errorf("SetDefault(%q) existed %v, want %v", key, existed, there)
		}
		if !there {
			want[key] = value
		}
	case 7:
		if err = v.Rename(ctx, key, other, nil); errors.Is(err, kvault.ErrNotFound) == there {
			t.Errorf("Rename(%q) = %v", key, err)
		} else if there {
			delete(want, key)
			want[other] = old
		} else {
			err = nil
		}
	case 8:
		err = v.PutAll(ctx, maps.All(map[string][]byte{key: []byte(value), other: []byte(value)}))
		if errors.Is(err, kvault.ErrUnsupported) { // on a store that makes one change at a time
			err = errors.Join(v.Put(ctx, key, []byte(value)), v.Put(ctx, other, []byte(value)))
		}
		want[key], want[other] = value, value
	case 9:
		_, err = v.PutReader(ctx, key, strings.NewReader(value), nil)
		want[key] = value
	default:
		err = v.Put(ctx, key, []byte(value))
		want[key] = value
	}
	if err != nil {
		t.Fatal(err)
	}
}

// compare checks every way to read against want.
func compare(t *testing.T, v *kvault.Vault, want map[string]string) {
	t.Helper()
	ctx := t.Context()
	got := map[string]string{}
	for it, err := range v.Items(ctx, nil) {
		if err != nil {
			t.Fatal(err)
		}
		got[it.Key] = string(it.Value)
	}
	if !maps.Equal(got, want) {
		t.Fatalf("Items = %q, want %q", got, want)
	}
	if n, err := v.Len(ctx); err != nil || n != int64(len(want)) {
		t.Fatalf("Len = %d, %v; want %d", n, err, len(want))
	}
	for key := range "abcdefgh" {
		key := string(rune('a' + key))
		value, there := want[key]
		if found, err := v.Exists(ctx, key); err != nil || found != there {
			t.Fatalf("Exists(%q) = %v, %v; want %v", key, found, err, there)
		}
		if e, err := v.Stat(ctx, key); there && (err != nil || e.Size != int64(len(value))) {
			t.Fatalf("Stat(%q) = %+v, %v", key, e, err)
		}
		var out bytes.Buffer
		if _, err := v.GetTo(ctx, key, &out); there && (err != nil || out.String() != value) {
			t.Fatalf("GetTo(%q) = %q, %v; want %q", key, out.String(), err, value)
		}
	}
}
