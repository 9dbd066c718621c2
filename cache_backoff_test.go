package kvault_test

import (
	"context"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kohakuvault/kvault"
)

// A background that fails must not be busy with failing, however short IdleFlush is.
func TestFailingIdleFlushWaitsLonger(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		o    kvault.CacheOptions
		want []time.Duration // between attempts
	}{
		"a nanosecond": {kvault.CacheOptions{IdleFlush: 1}, []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms,
			3200 * ms, 6400 * ms, 12800 * ms, 25600 * ms, 51200 * ms, time.Minute, time.Minute}},
		"a second":            {kvault.CacheOptions{IdleFlush: time.Second}, []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}},
		"more than the bound": {kvault.CacheOptions{IdleFlush: time.Hour}, []time.Duration{time.Hour, time.Hour}},
		"maximum age alone":   {kvault.CacheOptions{MaxAge: 40 * time.Second}, []time.Duration{40 * time.Second, time.Minute, time.Minute}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				at := make(chan time.Time, 100)
				v, f := newFaultyVault(t, &kvault.Options{Attempts: 1, OnError: func(error) { at <- time.Now() }})
				if err := v.EnableCache(t.Context(), &c.o); err != nil {
					t.Fatal(err)
				}
				f.fail("apply", -1, errBoom)
				put(t, v, "a", "1")
				var got []time.Duration
				for last := <-at; len(got) < len(c.want); {
					next := <-at
					got, last = append(got, next.Sub(last)), next
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("waits of %v, want %v", got, c.want)
				}
			})
		})
	}
}

// What the failures came from is over when a flush succeeds, or when the entry is discarded: then
// IdleFlush counts again.
func TestSuccessEndsTheLongWaits(t *testing.T) {
	for name, end := range map[string]func(v *kvault.Vault) error{
		"a flush": func(v *kvault.Vault) error { _, err := v.FlushCache(context.Background()); return err },
		"an update": func(v *kvault.Vault) error {
			return v.Update(context.Background(), func(*kvault.Tx) error { return nil })
		},
		"a discard": func(v *kvault.Vault) error { _, err := v.DiscardCache(context.Background()); return err },
	} {
		t.Run(name, func(t *testing.T) {
			idling(t, kvault.CacheOptions{IdleFlush: time.Second}, func(t *testing.T, v *kvault.Vault, f *faulty, told *failures) {
				f.fail("apply", -1, errBoom)
				put(t, v, "a", "1")
				pass(10 * time.Minute)
				f.on(nil)
				if err := end(v); err != nil {
					t.Fatal(err)
				}
				before := f.count("apply")
				put(t, v, "b", "2")
				pass(time.Second)
				wantBytes(t, v, 0, 0)
				if n := f.count("apply"); n != before+1 {
					t.Errorf("%d flushes", n-before)
				}
				// The first failure after that is followed by a short wait.
				f.fail("apply", 1, errBoom)
				put(t, v, "c", "3")
				pass(2 * time.Second)
				wantBytes(t, v, 0, 0)
			})
		})
	}
}

func TestGoexitInOnErrorDoesNotEndTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told atomic.Int32
		v, f := newFaultyVault(t, &kvault.Options{Attempts: 1, OnError: func(error) { told.Add(1); runtime.Goexit() }})
		if err := v.EnableCache(t.Context(), &kvault.CacheOptions{IdleFlush: time.Second}); err != nil {
			t.Fatal(err)
		}
		f.fail("apply", 2, errBoom)
		put(t, v, "a", "1")
		pass(time.Minute)
		f.wantStored(t, "a", "1")
		if n := told.Load(); n != 2 {
			t.Errorf("OnError was told %d times", n)
		}
	})
}
