package kvault_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kohakuvault/kvault"
)

// failures are the errors that OnError was told.
type failures struct {
	mu   sync.Mutex
	errs []error
}

func (f *failures) add(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.errs = append(f.errs, err)
}

func (f *failures) all() []error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.errs)
}

// idling runs a test in a bubble on a vault whose cache is flushed in the background.
func idling(t *testing.T, o kvault.CacheOptions, test func(t *testing.T, v *kvault.Vault, f *faulty, told *failures)) {
	synctest.Test(t, func(t *testing.T) {
		var told failures
		v, f := newFaultyVault(t, &kvault.Options{Attempts: 1, OnError: told.add})
		if err := v.EnableCache(t.Context(), &o); err != nil {
			t.Fatal(err)
		}
		test(t, v, f, &told)
	})
}

// pass lets time go by, and everything that happens meanwhile happen.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// The original flushes every so often, whether there are writes or not.
func TestIdleFlushRestartsAtEachWrite(t *testing.T) {
	idling(t, kvault.CacheOptions{IdleFlush: 5 * time.Second}, func(t *testing.T, v *kvault.Vault, f *faulty, _ *failures) {
		pass(time.Hour) // idle without anything to flush
		for range 3 {
			put(t, v, "a", "1")
			pass(4 * time.Second)
		}
		f.wantStored(t)
		pass(999 * time.Millisecond)
		f.wantStored(t)
		pass(time.Millisecond)
		f.wantStored(t, "a", "1")
		pass(time.Hour)
		put(t, v, "b", "2")
		pass(5*time.Second - 1)
		f.wantStored(t, "a", "1")
		pass(1)
		f.wantStored(t, "a", "1", "b", "2")
		if n := f.count("apply"); n != 2 {
			t.Errorf("%d flushes", n)
		}
	})
}

func TestDeleteIsAWriteToo(t *testing.T) {
	idling(t, kvault.CacheOptions{IdleFlush: 5 * time.Second}, func(t *testing.T, v *kvault.Vault, f *faulty, _ *failures) {
		put(t, v, "a", "1")
		pass(4 * time.Second)
		if _, err := v.Delete(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		pass(4 * time.Second)
		if n := f.count("apply"); n != 0 {
			t.Errorf("%d flushes", n)
		}
		pass(time.Second)
		if n := f.count("apply"); n != 1 {
			t.Errorf("%d flushes", n)
		}
	})
}

// A steady trickle, to one key or to many, must not keep the cache from ever being flushed.
func TestMaxAgeBoundsATrickle(t *testing.T) {
	for name, o := range map[string]kvault.CacheOptions{
		"default": {IdleFlush: 5 * time.Second}, // ten times as long
		"given":   {IdleFlush: 5 * time.Second, MaxAge: 50 * time.Second},
		"alone":   {MaxAge: 50 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			idling(t, o, func(t *testing.T, v *kvault.Vault, f *faulty, _ *failures) {
				for range 49 {
					put(t, v, "sensor", "x")
					pass(time.Second)
				}
				if n := f.count("apply"); n != 0 {
					t.Errorf("%d flushes after 49 s", n)
				}
				put(t, v, "sensor", "x")
				pass(time.Second)
				if n := f.count("apply"); n != 1 {
					t.Errorf("%d flushes after 50 s", n)
				}
				for range 49 {
					put(t, v, "sensor", "x")
					pass(time.Second)
				}
				if n := f.count("apply"); n != 1 {
					t.Errorf("%d flushes after 99 s", n)
				}
			})
		})
	}
}

func TestFailedIdleFlushIsReportedAndRepeated(t *testing.T) {
	idling(t, kvault.CacheOptions{IdleFlush: 5 * time.Second}, func(t *testing.T, v *kvault.Vault, f *faulty, told *failures) {
		f.fail("apply", -1, errBoom)
		put(t, v, "a", "1")
		pass(5 * time.Second)
		if len(told.all()) != 1 {
			t.Fatalf("OnError was told %v", told.all())
		}
		wantErr(t, told.all()[0], errBoom)
		if s := v.CacheStats(); s.FailedFlushes != 1 || !errors.Is(s.LastError, errBoom) || s.Entries != 1 {
			t.Errorf("stats %+v", s)
		}
		wantGet(t, v, "a", "1")
		pass(5*time.Second - 1)
		if len(told.all()) != 1 {
			t.Errorf("OnError was told %d times within an idle period", len(told.all()))
		}
		pass(1)
		if len(told.all()) != 2 {
			t.Errorf("OnError was told %d times", len(told.all()))
		}
		f.on(nil)
		pass(10*time.Second - 1) // twice as long
		f.wantStored(t)
		pass(1)
		f.wantStored(t, "a", "1")
		if len(told.all()) != 2 || v.CacheStats().LastError != nil {
			t.Errorf("after a success: told %v, stats %+v", told.all(), v.CacheStats())
		}
	})
}

// A flush that a caller began and that failed leaves entries to the background.
func TestIdleFlushTakesOverAfterAFailedOne(t *testing.T) {
	idling(t, kvault.CacheOptions{IdleFlush: 5 * time.Second}, func(t *testing.T, v *kvault.Vault, f *faulty, _ *failures) {
		put(t, v, "a", "1")
		reached, release := f.block("apply")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { _, err := v.FlushCache(ctx); done <- err }()
		<-reached
		pass(time.Minute) // the background finds nothing pending
		cancel()
		wantErr(t, <-done, context.Canceled)
		release()
		pass(5 * time.Second)
		f.wantStored(t, "a", "1")
	})
}

func TestIdleFlushRespectsTheLock(t *testing.T) {
	idling(t, kvault.CacheOptions{IdleFlush: 5 * time.Second}, func(t *testing.T, v *kvault.Vault, f *faulty, _ *failures) {
		unlock := lock(t, v)
		put(t, v, "a", "1")
		pass(time.Hour)
		put(t, v, "b", "2")
		f.wantStored(t)
		unlock()
		pass(5 * time.Second)
		f.wantStored(t, "a", "1", "b", "2")
		if n := f.count("apply"); n != 1 {
			t.Errorf("%d flushes, want one transaction", n)
		}
	})
}

// A bubble ends only when all its goroutines have ended: this test hangs if one is left behind.
func TestBackgroundEnds(t *testing.T) {
	for name, end := range map[string]func(v *kvault.Vault) error{
		"DisableCache": func(v *kvault.Vault) error { return v.DisableCache(context.Background()) },
		"Close":        func(v *kvault.Vault) error { return v.Close() },
		"other settings": func(v *kvault.Vault) error {
			return v.EnableCache(context.Background(), nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			idling(t, kvault.CacheOptions{IdleFlush: 5 * time.Second}, func(t *testing.T, v *kvault.Vault, f *faulty, _ *failures) {
				put(t, v, "a", "1")
				if err := end(v); err != nil {
					t.Fatal(err)
				}
				before := f.count("apply")
				pass(time.Hour)
				if n := f.count("apply"); n != before {
					t.Error("the background is still flushing")
				}
			})
		})
	}
}

func TestSettingsChangeTheBackground(t *testing.T) {
	idling(t, kvault.CacheOptions{IdleFlush: time.Hour}, func(t *testing.T, v *kvault.Vault, f *faulty, _ *failures) {
		put(t, v, "a", "1")
		pass(time.Second)
		if err := v.EnableCache(t.Context(), &kvault.CacheOptions{IdleFlush: 5 * time.Second}); err != nil {
			t.Fatal(err)
		}
		pass(4 * time.Second) // five since the write
		f.wantStored(t, "a", "1")
		// While a WithCache without a background runs, its settings count; afterwards the outer
		// ones again.
		if err := v.WithCache(t.Context(), &kvault.CacheOptions{NoFlushOnReturn: true}, func() error {
			put(t, v, "b", "2")
			pass(time.Hour)
			f.wantStored(t, "a", "1")
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		pass(5 * time.Second)
		f.wantStored(t, "a", "1", "b", "2")
	})
}

func TestFailedCloseKeepsTheBackground(t *testing.T) {
	idling(t, kvault.CacheOptions{IdleFlush: 5 * time.Second}, func(t *testing.T, v *kvault.Vault, f *faulty, _ *failures) {
		put(t, v, "a", "1")
		f.fail("apply", 1, errBoom)
		wantErr(t, v.Close(), errBoom)
		pass(5 * time.Second)
		f.wantStored(t, "a", "1")
	})
}
