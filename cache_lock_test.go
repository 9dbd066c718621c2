package kvault_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/kohakuvault/kvault"
)

func TestLockedCacheIsNotFlushed(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	enable(t, v, 20, 10)
	put(t, v, "before", "1")
	unlock := lock(t, v)
	if n, err := v.FlushCache(t.Context()); err != nil || n != 0 {
		t.Errorf("FlushCache = %d, %v", n, err)
	}
	put(t, v, "k", "12345") // over the threshold
	f.wantStored(t)
	wantBytes(t, v, 13, 2)
	// A put that would need a flush fails with ErrBusy and changes nothing.
	wantErr(t, v.Put(t.Context(), "k", []byte(strings.Repeat("x", 15))), kvault.ErrBusy)
	wantErr(t, v.Put(t.Context(), "k", []byte(strings.Repeat("x", 100))), kvault.ErrBusy)
	wantGet(t, v, "k", "12345")
	wantBytes(t, v, 13, 2)
	if n := f.count("apply"); n != 0 {
		t.Errorf("%d flushes while locked", n)
	}
	// DisableCache fails likewise and keeps the data.
	wantErr(t, v.DisableCache(t.Context()), kvault.ErrBusy)
	if s := v.CacheStats(); !s.Enabled || !s.Locked {
		t.Errorf("stats %+v", s)
	}
	unlock()
	f.wantStored(t)
	put(t, v, "z", "") // finds the threshold reached
	f.wantStored(t, "before", "1", "k", "12345", "z", "")
}

// Nothing would be locked with the cache off, and every write would reach the file by itself.
func TestLockWithoutACache(t *testing.T) {
	v, _ := newFaultyVault(t, quick)
	refused := func() {
		t.Helper()
		_, err := v.LockCache()
		wantErr(t, err, kvault.ErrInvalid)
		if v.CacheStats().Locked {
			t.Error("the cache is locked all the same")
		}
	}
	refused()
	enable(t, v, 100, 100)
	lock(t, v)()
	if err := v.DisableCache(t.Context()); err != nil {
		t.Fatal(err)
	}
	refused()
	if err := v.WithCache(t.Context(), nil, func() error { lock(t, v)(); return nil }); err != nil {
		t.Error(err)
	}
	refused()
}

func TestLockNests(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	enable(t, v, 1000, 1000)
	outer := lock(t, v)
	inner := lock(t, v)
	put(t, v, "a", "1")
	inner()
	inner() // once more must not release the other's lock
	if n, err := v.FlushCache(t.Context()); err != nil || n != 0 || !v.CacheStats().Locked {
		t.Errorf("FlushCache = %d, %v under the outer lock", n, err)
	}
	put(t, v, "b", "2")
	outer()
	if n, err := v.FlushCache(t.Context()); err != nil || n != 2 || v.CacheStats().Locked {
		t.Errorf("FlushCache = %d, %v after both unlocks", n, err)
	}
	// What was written inside one lock is flushed in one transaction.
	if got := f.batches(); len(got) != 1 || len(got[0]) != 2 {
		t.Errorf("batches %+v", got)
	}
}

func TestCloseFlushesALockedCache(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	enable(t, v, 1000, 1000)
	unlock := lock(t, v)
	put(t, v, "a", "1")
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if got := f.batches(); len(got) != 1 || got[0][0].Key != "a" {
		t.Errorf("batches %+v", got)
	}
	unlock()
}

// A lock taken while a writer waits for room keeps that writer from flushing.
func TestLockTakenMeanwhile(t *testing.T) {
	for name, c := range map[string]struct {
		length int
		want   error
	}{"fits then": {10, nil}, "does not": {15, kvault.ErrBusy}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, f := newFaultyVault(t, quick)
				enable(t, v, 20, 20)
				put(t, v, "a", "1234567")
				reached, release := f.block("apply")
				flushed, stored := make(chan error, 1), make(chan error, 1)
				go func() { _, err := v.FlushCache(t.Context()); flushed <- err }()
				<-reached
				put(t, v, "b", "1234567")
				go func() { stored <- v.Put(t.Context(), "c", make([]byte, c.length)) }()
				synctest.Wait() // until it waits for the flush
				unlock := lock(t, v)
				release()
				if err := <-flushed; err != nil {
					t.Fatal(err)
				}
				if err := <-stored; !errors.Is(err, c.want) {
					t.Errorf("put = %v, want %v", err, c.want)
				}
				f.wantStored(t, "a", "1234567") // b is not flushed for it
				unlock()
			})
		})
	}
}
