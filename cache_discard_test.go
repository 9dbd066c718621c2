package kvault_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/kohakuvault/kvault"
)

// A discard waits for the flush that is under way: what that has written is not undone, and what it has not is still there to discard.
func TestDiscardWhileAFlushIsUnderWay(t *testing.T) {
	for name, fails := range map[string]bool{"that succeeds": false, "that fails": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, f := newFaultyVault(t, &kvault.Options{Retries: 1})
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
