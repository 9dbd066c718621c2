package kvault_test

import (
	"maps"
	"strings"
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
	unlock := lock(t, v)
	put(t, v, "z", "12345")
	wantErr(t, all(8), kvault.ErrBusy)
	wantErr(t, all(100), kvault.ErrBusy)
	wantBytes(t, v, 6, 1)
	unlock()
}
