package kvault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kohakuvault/kvault"
)

func wantBytes(t *testing.T, v *kvault.Vault, want int64, entries int) {
	t.Helper()
	if s := v.CacheStats(); s.Bytes != want || s.Entries != entries {
		t.Errorf("cache holds %d bytes in %d entries, want %d in %d", s.Bytes, s.Entries, want, entries)
	}
}

func TestCacheSizeOfAnEntry(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	put(t, v, "stored", "1")
	enable(t, v, 1000, 1000)
	put(t, v, "key", "value")
	wantBytes(t, v, 8, 1)
	put(t, v, "key", "longer value") // the new one counts only
	wantBytes(t, v, 15, 1)
	put(t, v, "key", "")
	wantBytes(t, v, 3, 1)
	if _, err := v.Delete(t.Context(), "stored"); err != nil {
		t.Fatal(err)
	}
	wantBytes(t, v, 9, 2)
	if _, err := v.Delete(t.Context(), "was never there"); err != nil {
		t.Fatal(err)
	}
	wantBytes(t, v, 9, 2)
	if n, err := v.FlushCache(t.Context()); err != nil || n != 2 {
		t.Errorf("FlushCache = %d, %v", n, err)
	}
	wantBytes(t, v, 0, 0)
	f.wantStored(t, "key", "")
}

// The original counts a replaced entry twice, and so flushes for nothing.
func TestCacheReplacingDoesNotFillIt(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	enable(t, v, 20, 20)
	for range 100 {
		put(t, v, "key", "0123456789")
	}
	if n := f.count("apply"); n != 0 {
		t.Errorf("%d flushes for one key", n)
	}
}

func TestCacheThresholdFlushes(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	enable(t, v, 100, 10)
	put(t, v, "a", "12345678") // 9 bytes
	f.wantStored(t)
	put(t, v, "b", "") // reaches 10
	f.wantStored(t, "a", "12345678", "b", "")
	wantBytes(t, v, 0, 0)
}

func TestCacheOverflowFlushesFirst(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	enable(t, v, 10, 10)
	put(t, v, "a", "1234567") // 8 bytes
	put(t, v, "b", "12")      // would be 11
	f.wantStored(t, "a", "1234567")
	wantBytes(t, v, 3, 1)
	wantGet(t, v, "b", "12")
}

func TestCacheWritesThroughWhatIsLargerThanIt(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	enable(t, v, 10, 10)
	put(t, v, "a", "1", "big", "12345678")
	if got := f.batches(); len(got) != 2 || got[0][0].Key != "a" || got[1][0].Key != "big" {
		t.Errorf("batches %+v; want what was pending, then the large value", got)
	}
	wantBytes(t, v, 0, 0)
	put(t, v, "fits", "123456") // exactly the capacity
	f.wantStored(t, "a", "1", "big", "12345678", "fits", "123456")
	if _, err := v.Delete(t.Context(), strings.Repeat("a key longer than the cache", 2)); err != nil {
		t.Error(err)
	}
}

func TestCacheDefaults(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	fill := func(n int) { // n bytes with the key
		t.Helper()
		if err := v.Put(t.Context(), "k", make([]byte, n-1)); err != nil {
			t.Fatal(err)
		}
	}
	want := func(flushes int) {
		t.Helper()
		if n := f.count("apply"); n != flushes {
			t.Errorf("%d flushes, want %d", n, flushes)
		}
	}
	if err := v.WithCache(t.Context(), &kvault.CacheOptions{Capacity: 1000}, func() error {
		fill(249)
		want(0)
		fill(250) // a quarter
		want(1)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := v.EnableCache(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if c := v.CacheStats().Capacity; c != 64<<20 {
		t.Errorf("capacity is %d", c)
	}
	fill(16<<20 - 1)
	want(1)
	fill(16 << 20)
	want(2)
	if err := v.EnableCache(t.Context(), &kvault.CacheOptions{Capacity: 1000}); err != nil {
		t.Fatal(err)
	}
	fill(999)
	want(2)
	fill(1000) // the threshold is no more than the capacity
	want(3)
}

func TestCacheOptionsAreChecked(t *testing.T) {
	v := newVault(t, quick)
	for name, o := range map[string]kvault.CacheOptions{
		"negative capacity":        {Capacity: -1},
		"negative threshold":       {Threshold: -1},
		"threshold above capacity": {Capacity: 10, Threshold: 11},
		"negative idle":            {IdleFlush: -1},
		"negative age":             {MaxAge: -1},
	} {
		t.Run(name, func(t *testing.T) {
			wantErr(t, v.EnableCache(t.Context(), &o), kvault.ErrInvalid)
			wantErr(t, v.WithCache(t.Context(), &o, func() error { t.Error("it ran"); return nil }), kvault.ErrInvalid)
			if v.CacheStats().Enabled {
				t.Error("the cache is on")
			}
		})
	}
}

func TestFlushIsOneTransaction(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	put(t, v, "gone", "")
	enable(t, v, 1<<20, 1<<20)
	for i := range 500 {
		put(t, v, fmt.Sprintf("%03d", 499-i), "x")
	}
	if _, err := v.Delete(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	if n, err := v.FlushCache(t.Context()); err != nil || n != 501 {
		t.Errorf("FlushCache = %d, %v", n, err)
	}
	got := f.batches()
	if len(got) != 2 || len(got[1]) != 501 {
		t.Fatalf("%d batches", len(got))
	}
	var keys []string
	for _, op := range got[1] {
		keys = append(keys, op.Key)
	}
	if !slices.IsSorted(keys) {
		t.Error("the batch is not in key order")
	}
	if n, err := v.FlushCache(t.Context()); err != nil || n != 0 {
		t.Errorf("FlushCache of nothing = %d, %v", n, err)
	}
	if s := v.CacheStats(); s.Flushes != 1 || s.FailedFlushes != 0 || s.LastError != nil {
		t.Errorf("stats %+v", s)
	}
}

// The original clears the cache before it knows that the flush succeeded.
func TestFailedFlushKeepsEveryEntry(t *testing.T) {
	for _, cause := range []error{kvault.ErrBusy, errBoom} {
		v, f := newFaultyVault(t, quick)
		put(t, v, "gone", "old")
		enable(t, v, 1000, 1000)
		put(t, v, "a", "1", "b", "2")
		if _, err := v.Delete(t.Context(), "gone"); err != nil {
			t.Fatal(err)
		}
		f.fail("apply", -1, cause)
		n, err := v.FlushCache(t.Context())
		wantErr(t, err, cause)
		if n != 0 {
			t.Errorf("FlushCache = %d", n)
		}
		if s := v.CacheStats(); s.FailedFlushes != 1 || s.Flushes != 0 || !errors.Is(s.LastError, cause) {
			t.Errorf("stats %+v", s)
		}
		wantBytes(t, v, 8, 3)
		wantGet(t, v, "a", "1")
		wantMissing(t, v, "gone")
		if got := collect(t, v, nil); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("listed %q", got)
		}
		put(t, v, "b", "newer")
		f.on(nil)
		if n, err := v.FlushCache(t.Context()); err != nil || n != 3 {
			t.Errorf("next FlushCache = %d, %v", n, err)
		}
		f.wantStored(t, "a", "1", "b", "newer")
		if s := v.CacheStats(); s.LastError != nil {
			t.Errorf("the last error is still %v", s.LastError)
		}
	}
}

// A put that fails because its flush has failed was accepted all the same.
func TestPutReportsTheFlushThatItCaused(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	put(t, v, "gone", "")
	enable(t, v, 100, 10)
	f.fail("apply", -1, errBoom)
	err := v.Put(t.Context(), "a", []byte("0123456789"))
	wantErr(t, err, errBoom)
	if !strings.Contains(err.Error(), "kept") {
		t.Errorf("%v does not say that the value is kept", err)
	}
	wantGet(t, v, "a", "0123456789")
	found, err := v.Delete(t.Context(), "gone")
	wantErr(t, err, errBoom)
	if !found {
		t.Error("the deletion was accepted, but not reported so")
	}
	wantMissing(t, v, "gone")
	w, err := v.NewWriter(t.Context(), "w", nil)
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]byte("1"))
	wantErr(t, w.Close(), errBoom)
	if w.Entry().Size != 1 {
		t.Errorf("the writer's value was accepted, but its entry is %+v", w.Entry())
	}
	wantGet(t, v, "w", "1")
	// One that does not fit is not accepted.
	wantErr(t, v.Put(t.Context(), "b", make([]byte, 95)), errBoom)
	wantMissing(t, v, "b")
	f.on(nil)
	if _, err := v.FlushCache(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.wantStored(t, "a", "0123456789", "w", "1")
}

func TestReadersAreNotBlockedByAFlush(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	put(t, v, "gone", "old", "stored", "0")
	enable(t, v, 1000, 500)
	put(t, v, "a", "1")
	if _, err := v.Delete(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	reached, release := f.block("apply")
	defer release()
	done := make(chan error)
	go func() {
		_, err := v.FlushCache(t.Context())
		done <- err
	}()
	<-reached
	// Each of these would hang, or miss what is being written.
	wantGet(t, v, "a", "1")
	wantMissing(t, v, "gone")
	wantGet(t, v, "stored", "0")
	if got := collect(t, v, nil); !slices.Equal(got, []string{"a", "stored"}) {
		t.Errorf("listed %q", got)
	}
	if n, err := v.Len(t.Context()); err != nil || n != 2 {
		t.Errorf("Len = %d, %v", n, err)
	}
	if err := v.View(t.Context(), func(tx *kvault.Tx) error { wantGet(t, tx, "a", "1"); return nil }); err != nil {
		t.Error(err)
	}
	// Writers neither, as long as there is room.
	put(t, v, "a", "2", "b", "2")
	wantGet(t, v, "a", "2")
	wantBytes(t, v, 2+4+4, 3) // the old a counts until it is written, though it is the same entry
	release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	f.wantStored(t, "a", "1", "stored", "0")
	wantBytes(t, v, 4, 2)
	wantGet(t, v, "a", "2")
}

// A threshold must not be reached by what is on its way out already.
func TestThresholdDoesNotCountWhatIsBeingFlushed(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	enable(t, v, 1000, 10)
	reached, release := f.block("apply")
	defer release()
	done := make(chan error)
	go func() { done <- v.Put(t.Context(), "a", make([]byte, 50)) }()
	<-reached
	put(t, v, "b", "1") // would wait for the flush
	release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	wantBytes(t, v, 2, 1)
}

func TestWritersWaitForRoomWithinTheContext(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	enable(t, v, 10, 10)
	put(t, v, "a", "12345678")
	reached, release := f.block("apply")
	defer release()
	done := make(chan error)
	go func() {
		_, err := v.FlushCache(t.Context())
		done <- err
	}()
	<-reached
	ctx, cancel := context.WithCancel(t.Context())
	go cancel()
	wantErr(t, v.Put(ctx, "b", []byte("12345678")), context.Canceled)
	wantMissing(t, v, "b")
	_, err := v.FlushCache(ctx)
	wantErr(t, err, context.Canceled)
	_, err = v.Pop(ctx, "a")
	wantErr(t, err, context.Canceled)
	release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	wantGet(t, v, "a", "12345678")
}

func TestCacheNeverAboveItsCapacity(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	const capacity = 200
	enable(t, v, capacity, 100)
	f.on(func(context.Context, string) error {
		if s := v.CacheStats(); s.Bytes > capacity {
			t.Errorf("%d bytes are pending, %d are allowed", s.Bytes, capacity)
		}
		return nil
	})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 1))
			for range 400 {
				key := fmt.Sprint("key", r.IntN(20))
				var err error
				switch r.IntN(6) {
				case 0:
					_, err = v.Delete(t.Context(), key)
				case 1:
					err = v.PutAll(t.Context(), maps.All(map[string][]byte{key: nil, "other": make([]byte, r.IntN(150))}))
				default:
					err = v.Put(t.Context(), key, make([]byte, r.IntN(220)))
				}
				if err != nil {
					t.Error(err)
				}
				if s := v.CacheStats(); s.Bytes > capacity {
					t.Errorf("%d bytes are pending, %d are allowed", s.Bytes, capacity)
				}
			}
		})
	}
	wg.Wait()
}

func TestPutAllInTheCache(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	enable(t, v, 20, 20)
	put(t, v, "x", "1")
	all := func(n int) error {
		return v.PutAll(t.Context(), maps.All(map[string][]byte{"a": make([]byte, n), "b": make([]byte, n)}))
	}
	if err := all(4); err != nil { // 10 bytes: fit beside x
		t.Fatal(err)
	}
	wantBytes(t, v, 12, 3)
	if err := all(8); err != nil { // 18 bytes, and those of x: 20 is the threshold
		t.Fatal(err)
	}
	wantBytes(t, v, 0, 0)
	put(t, v, "y", "12")
	if err := all(8); err != nil { // would overflow: flush first
		t.Fatal(err)
	}
	wantBytes(t, v, 18, 2)
	if err := all(100); err != nil { // larger than the cache: one transaction of its own
		t.Fatal(err)
	}
	wantBytes(t, v, 0, 0)
	if got := f.batches(); len(got[len(got)-1]) != 2 {
		t.Errorf("the last batch is %+v", got[len(got)-1])
	}
	unlock := v.LockCache()
	put(t, v, "z", "12345")
	wantErr(t, all(8), kvault.ErrBusy)
	wantErr(t, all(100), kvault.ErrBusy)
	wantBytes(t, v, 6, 1)
	unlock()
}

// direct are calls that write to the store themselves. Before each, a is pending; the function checks what it did.
var direct = map[string]func(t *testing.T, v *kvault.Vault) error{
	"Pop": func(t *testing.T, v *kvault.Vault) error {
		got, err := v.Pop(t.Context(), "a")
		if err == nil && string(got) != "pending" {
			t.Errorf("Pop = %q", got)
		}
		return err
	},
	"SetDefault": func(t *testing.T, v *kvault.Vault) error {
		_, _, err := v.SetDefault(t.Context(), "b", nil)
		return err
	},
	"Rename": func(t *testing.T, v *kvault.Vault) error { return v.Rename(t.Context(), "a", "b", nil) },
	"Clear": func(t *testing.T, v *kvault.Vault) error {
		n, err := v.Clear(t.Context())
		if err == nil && n != 2 {
			t.Errorf("Clear = %d", n)
		}
		return err
	},
	"DeletePrefix": func(t *testing.T, v *kvault.Vault) error {
		n, err := v.DeletePrefix(t.Context(), "a")
		if err == nil && n != 1 {
			t.Errorf("DeletePrefix = %d", n)
		}
		return err
	},
	"conditional put": func(t *testing.T, v *kvault.Vault) error {
		_, err := v.PutWith(t.Context(), "b", nil, &kvault.PutOptions{IfAbsent: true})
		return err
	},
	"conditional delete": func(t *testing.T, v *kvault.Vault) error {
		e, err := v.Stat(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		return v.DeleteIf(t.Context(), "a", e.Tag)
	},
	"stream": func(t *testing.T, v *kvault.Vault) error {
		_, err := v.PutReader(t.Context(), "a", strings.NewReader(text), nil)
		return err
	},
	"oversize": func(t *testing.T, v *kvault.Vault) error { return v.Put(t.Context(), "a", make([]byte, 2000)) },
	"Update": func(t *testing.T, v *kvault.Vault) error {
		return v.Update(t.Context(), func(tx *kvault.Tx) error {
			wantGet(t, tx, "a", "pending")
			return tx.Put(t.Context(), "a", nil)
		})
	},
	"Optimize": func(t *testing.T, v *kvault.Vault) error { return v.Optimize(t.Context()) },
	"Shrink":   func(t *testing.T, v *kvault.Vault) error { _, err := v.Shrink(t.Context(), 1); return err },
	"Backup":   func(t *testing.T, v *kvault.Vault) error { return v.Backup(t.Context(), "x", nil) },
	"DisableCache": func(t *testing.T, v *kvault.Vault) error {
		return v.DisableCache(t.Context())
	},
}

func TestDirectWritesFlushFirst(t *testing.T) {
	for name, run := range direct {
		t.Run(name, func(t *testing.T) {
			v, f := newFaultyVault(t, quick)
			put(t, v, "stored", "0")
			enable(t, v, 1000, 1000)
			put(t, v, "a", "pending")
			if err := run(t, v); err != nil {
				t.Fatal(err)
			}
			wantBytes(t, v, 0, 0)
			if got := f.batches(); len(got) < 2 || len(got[1]) != 1 || got[1][0].Key != "a" || string(got[1][0].Value) != "pending" {
				t.Errorf("batches %+v; want the pending entry before the call's own", got)
			}
		})
		t.Run(name+" locked", func(t *testing.T) {
			v, f := newFaultyVault(t, quick)
			put(t, v, "stored", "0")
			enable(t, v, 1000, 1000)
			unlock := v.LockCache()
			put(t, v, "a", "pending")
			wantErr(t, run(t, v), kvault.ErrBusy)
			if n := f.count("apply") + f.count("optimize") + f.count("shrink") + f.count("backup"); n != 1 {
				t.Errorf("%d calls reached the store", n)
			}
			wantGet(t, v, "a", "pending")
			if n := staged(t, f); n != 0 {
				t.Errorf("%d stages left behind", n)
			}
			unlock()
			if err := run(t, v); err != nil {
				t.Errorf("after unlock: %v", err)
			}
		})
		t.Run(name+" with a failing flush", func(t *testing.T) {
			v, f := newFaultyVault(t, quick)
			put(t, v, "stored", "0")
			enable(t, v, 1000, 1000)
			put(t, v, "a", "pending")
			f.fail("apply", 1, errBoom)
			wantErr(t, run(t, v), errBoom)
			if n := f.count("apply") + f.count("optimize") + f.count("shrink") + f.count("backup"); n != 2 {
				t.Errorf("%d calls reached the store, want the first put and the flush", n)
			}
			f.wantStored(t, "stored", "0")
			wantGet(t, v, "a", "pending")
			if !v.CacheStats().Enabled {
				t.Error("the cache is off")
			}
		})
	}
}

// What the cache accepts while a direct write runs must not be overtaken by it.
func TestCachedWritersWaitForADirectWrite(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	enable(t, v, 1000, 1000)
	inside, leave := make(chan struct{}), make(chan struct{})
	updated := make(chan error)
	go func() {
		updated <- v.Update(t.Context(), func(tx *kvault.Tx) error {
			close(inside)
			<-leave
			return tx.Put(t.Context(), "a", []byte("updated"))
		})
	}()
	<-inside
	ctx, cancel := context.WithCancel(t.Context())
	go cancel()
	wantErr(t, v.Put(ctx, "a", []byte("early")), context.Canceled)
	stored := make(chan error)
	go func() { stored <- v.Put(t.Context(), "a", []byte("later")) }()
	wantMissing(t, v, "a")
	close(leave)
	if err := errors.Join(<-updated, <-stored); err != nil {
		t.Fatal(err)
	}
	wantGet(t, v, "a", "later")
	if _, err := v.FlushCache(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.wantStored(t, "a", "later")
}

// TestCacheChangesNoAnswer runs the same random calls with and without a cache, and compares with a map.
func TestCacheChangesNoAnswer(t *testing.T) {
	for seed := range uint64(30) {
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
		if _, err := v.CopyTo(ctx, key, &out); there && (err != nil || out.String() != value) {
			t.Fatalf("CopyTo(%q) = %q, %v; want %q", key, out.String(), err, value)
		}
	}
}
