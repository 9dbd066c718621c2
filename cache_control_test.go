package kvault_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/kohakuvault/kvault"
)

func TestWithCacheFlushesOnReturnErrorAndPanic(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	if err := v.WithCache(t.Context(), nil, func() error {
		put(t, v, "a", "1", "b", "2")
		f.wantStored(t)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	f.wantStored(t, "a", "1", "b", "2")
	if err := v.WithCache(t.Context(), nil, func() error {
		put(t, v, "c", "3")
		return errBoom
	}); err != errBoom {
		t.Errorf("error is %v, want the function's own as it is", err)
	}
	f.wantStored(t, "a", "1", "b", "2", "c", "3")
	func() {
		defer func() {
			if recover() != errBoom {
				t.Error("the panic was swallowed")
			}
		}()
		v.WithCache(t.Context(), nil, func() error {
			put(t, v, "d", "4")
			panic(errBoom)
		})
	}()
	f.wantStored(t, "a", "1", "b", "2", "c", "3", "d", "4")
	put(t, v, "e", "5")
	f.wantStored(t, "a", "1", "b", "2", "c", "3", "d", "4", "e", "5")
	if v.CacheStats().Enabled {
		t.Error("the cache is still on")
	}
}

func TestWithCacheJoinsTheFlushError(t *testing.T) {
	for _, own := range []error{nil, errors.New("own")} {
		v, f := newFaultyVault(t, quick)
		err := v.WithCache(t.Context(), nil, func() error {
			put(t, v, "a", "1")
			f.fail("apply", -1, errBoom)
			return own
		})
		wantErr(t, err, errBoom)
		if own != nil && !errors.Is(err, own) {
			t.Errorf("%v has lost the function's error", err)
		}
		// What could not be written stays visible, and goes out before the next write.
		wantGet(t, v, "a", "1")
		wantErr(t, v.Put(t.Context(), "a", []byte("2")), errBoom)
		_, err = v.Delete(t.Context(), "a")
		wantErr(t, err, errBoom)
		wantGet(t, v, "a", "1")
		f.on(nil)
		put(t, v, "a", "2")
		if got := f.batches(); len(got) != 2 || string(got[0][0].Value) != "1" || string(got[1][0].Value) != "2" {
			t.Errorf("batches %+v", got)
		}
	}
}

func TestWithCachePanicReportsTheFlushError(t *testing.T) {
	var told error
	v, f := newFaultyVault(t, &kvault.Options{OnError: func(err error) { told = err }})
	func() {
		defer func() { recover() }()
		v.WithCache(t.Context(), nil, func() error {
			put(t, v, "a", "1")
			f.fail("apply", -1, errBoom)
			panic("own")
		})
	}()
	wantErr(t, told, errBoom)
	wantGet(t, v, "a", "1")
}

func TestWithCacheCancelled(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	ctx, cancel := context.WithCancel(t.Context())
	err := v.WithCache(ctx, nil, func() error {
		put(t, v, "a", "1")
		cancel()
		return nil
	})
	wantErr(t, err, context.Canceled)
	wantGet(t, v, "a", "1")
	if v.CacheStats().Enabled {
		t.Error("the cache is still on")
	}
	if n, err := v.FlushCache(t.Context()); n != 1 || err != nil {
		t.Errorf("FlushCache = %d, %v", n, err)
	}
	f.wantStored(t, "a", "1")
}

func TestWithCacheThatDoesNotFlush(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	if err := v.WithCache(t.Context(), &kvault.CacheOptions{NoFlushOnReturn: true}, func() error {
		put(t, v, "a", "1")
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	f.wantStored(t)
	wantGet(t, v, "a", "1")
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if n := f.count("apply"); n != 1 {
		t.Errorf("%d flushes", n)
	}
}

func TestWithCacheEndingUnderALock(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	var unlock func()
	if err := v.WithCache(t.Context(), nil, func() error {
		unlock = lock(t, v)
		put(t, v, "a", "1")
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	f.wantStored(t)
	wantGet(t, v, "a", "1")
	wantErr(t, v.Put(t.Context(), "b", nil), kvault.ErrBusy) // it would have to flush
	unlock()
	put(t, v, "b", "2")
	f.wantStored(t, "a", "1", "b", "2")
}

func TestNestedWithCacheBringsTheOuterSettingsBack(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	capacity := func(want int64) {
		t.Helper()
		if s := v.CacheStats(); s.Capacity != want || s.Enabled != (want > 0) {
			t.Errorf("capacity is %d (%v), want %d", s.Capacity, s.Enabled, want)
		}
	}
	enable(t, v, 100, 100)
	put(t, v, "a", "1")
	err := v.WithCache(t.Context(), &kvault.CacheOptions{Capacity: 200, Threshold: 200}, func() error {
		capacity(200)
		put(t, v, "b", "2")
		f.wantStored(t)
		err := v.WithCache(t.Context(), &kvault.CacheOptions{Capacity: 300, Threshold: 300}, func() error {
			capacity(300)
			put(t, v, "c", "3")
			return nil
		})
		capacity(200)
		f.wantStored(t, "a", "1", "b", "2", "c", "3")
		put(t, v, "d", "4")
		enable(t, v, 400, 400) // counts when the scope ends
		capacity(200)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	capacity(400)
	put(t, v, "e", "5")
	f.wantStored(t, "a", "1", "b", "2", "c", "3", "d", "4")
	if err := v.DisableCache(t.Context()); err != nil {
		t.Fatal(err)
	}
	capacity(0)
	f.wantStored(t, "a", "1", "b", "2", "c", "3", "d", "4", "e", "5")
}

func TestEnableCacheTwiceLosesNothing(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	enable(t, v, 1000, 1000)
	put(t, v, "a", "0123456789")
	enable(t, v, 500, 500)
	wantGet(t, v, "a", "0123456789")
	f.wantStored(t)
	enable(t, v, 5, 5) // too small for what is pending
	f.wantStored(t, "a", "0123456789")
	put(t, v, "b", "1")
	unlock := lock(t, v)
	wantErr(t, v.EnableCache(t.Context(), &kvault.CacheOptions{Capacity: 1}), kvault.ErrBusy)
	wantErr(t, v.WithCache(t.Context(), &kvault.CacheOptions{Capacity: 1}, func() error { t.Error("it ran"); return nil }), kvault.ErrBusy)
	if s := v.CacheStats(); s.Capacity != 5 || s.Bytes != 2 {
		t.Errorf("after a refused change: %+v", s)
	}
	unlock()
	f.fail("apply", 1, errBoom)
	wantErr(t, v.EnableCache(t.Context(), &kvault.CacheOptions{Capacity: 1}), errBoom)
	wantGet(t, v, "b", "1")
}

func TestScopeWithMoreThanTheOuterCapacity(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	enable(t, v, 5, 5)
	if err := v.WithCache(t.Context(), &kvault.CacheOptions{Capacity: 100, NoFlushOnReturn: true, Threshold: 100}, func() error {
		put(t, v, "a", "0123456789")
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	wantBytes(t, v, 0, 0)
	f.wantStored(t, "a", "0123456789")
}

func TestConcurrentWithCache(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	var wg sync.WaitGroup
	var want []string
	for g := range 8 {
		want = append(want, fmt.Sprint(g))
		wg.Go(func() {
			for i := range 20 {
				o := &kvault.CacheOptions{Capacity: int64(10 + i)}
				err := v.WithCache(t.Context(), o, func() error { return v.Put(t.Context(), fmt.Sprint(g), []byte(fmt.Sprint(i))) })
				if err != nil {
					t.Error(err)
				}
				wantGet(t, v, fmt.Sprint(g), fmt.Sprint(i))
			}
		})
	}
	wg.Wait()
	wantBytes(t, v, 0, 0)
	if v.CacheStats().Enabled {
		t.Error("the cache is still on")
	}
	for _, key := range want {
		if got := f.stored(t)[key]; got != "19" {
			t.Errorf("%s holds %q", key, got)
		}
	}
	if got := collect(t, v, nil); !slices.Equal(got, want) {
		t.Errorf("keys %q", got)
	}
}
