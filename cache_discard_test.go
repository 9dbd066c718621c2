package kvault_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
)

// A flush names an entry only if that may be to blame: discarding any other loses it for nothing.
func TestWhatAFlushBlames(t *testing.T) {
	a := kvault.CacheEntry{Key: "a"}
	for cause, want := range map[error]kvault.CacheEntry{
		errBoom:            a,
		engine.ErrTooLarge: a,
		engine.ErrBusy:     {},
		engine.ErrMoved:    {},
		engine.ErrReadOnly: {},
		&engine.IOError{Op: "write", Err: errBoom}: {},
	} {
		t.Run(cause.Error(), func(t *testing.T) {
			v, f := newFaultyVault(t, &kvault.Options{Attempts: 1})
			enable(t, v, 1000, 1000)
			put(t, v, "a", "1")
			f.on(func(_ context.Context, call string) error {
				if call != "apply" {
					return nil
				}
				return &engine.OpError{Key: "a", Err: cause}
			})
			_, err := v.FlushCache(t.Context())
			fe, ok := errors.AsType[*kvault.FlushError](err)
			if !ok || fe.Entry != want || !errors.Is(err, cause) {
				t.Errorf("error %v blames %+v, want %+v", err, fe, want)
			}
			f.on(nil)
		})
	}
}

// A discard waits for the flush that is under way: what that has written is not undone, and what it
// has not is still there to discard.
func TestDiscardWhileAFlushIsUnderWay(t *testing.T) {
	for name, fails := range map[string]bool{"that succeeds": false, "that fails": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, f := newFaultyVault(t, &kvault.Options{Attempts: 1})
				enable(t, v, 1000, 1000)
				put(t, v, "a", "1", "b", "2")
				reached, gate := make(chan struct{}), make(chan error)
				f.on(func(_ context.Context, call string) error {
					if call != "apply" {
						return nil
					}
					close(reached)
					return <-gate
				})
				flushed := make(chan error)
				go func() { _, err := v.FlushCache(t.Context()); flushed <- err }()
				<-reached
				put(t, v, "b", "3") // waits for the next flush
				discarded := make(chan bool)
				go func() {
					found, err := v.DiscardCached(t.Context(), kvault.CacheEntry{Key: "a"})
					if err != nil {
						t.Error(err)
					}
					discarded <- found
				}()
				synctest.Wait()
				select {
				case <-discarded:
					t.Error("the discard did not wait")
				default:
				}
				if fails {
					gate <- errBoom
				} else {
					gate <- nil
				}
				f.on(nil)
				if err := <-flushed; (err != nil) != fails {
					t.Errorf("flush: %v", err)
				}
				if found := <-discarded; found != fails {
					t.Errorf("the discard found the entry: %t", found)
				}
				if found, err := v.DiscardCached(t.Context(), kvault.CacheEntry{Key: "b"}); !found || err != nil {
					t.Errorf("discard: %t, %v", found, err)
				}
				wantBytes(t, v, 0, 0)
				if fails {
					wantMissing(t, v, "b")
				} else {
					wantGet(t, v, "b", "2")
				}
			})
		})
	}
}
