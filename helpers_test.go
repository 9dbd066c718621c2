package kvault_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
)

// newVault is an empty vault that is closed when the test ends.
func newVault(t *testing.T, o *kvault.Options) *kvault.Vault {
	t.Helper()
	v, _ := newFaultyVault(t, o)
	return v
}

func newFaultyVault(t *testing.T, o *kvault.Options) (*kvault.Vault, *faulty) {
	t.Helper()
	f := newFaulty()
	v := newOn(t, f, o)
	t.Cleanup(func() {
		f.on(nil)
		if err := v.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return v, f
}

// newOn is a vault of a store, for the caller to close.
func newOn(t *testing.T, s engine.Store, o *kvault.Options) *kvault.Vault {
	t.Helper()
	v, err := kvault.New(s, o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// lock locks the cache, which is on.
func lock(t *testing.T, v *kvault.Vault) (unlock func()) {
	t.Helper()
	unlock, err := v.LockCache()
	if err != nil {
		t.Fatal(err)
	}
	return unlock
}

// quick are options whose retries do not take time.
var quick = &kvault.Options{RetryDelay: time.Nanosecond, ChunkSize: 8}

func put(t *testing.T, v *kvault.Vault, pairs ...string) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if err := v.Put(t.Context(), pairs[i], []byte(pairs[i+1])); err != nil {
			t.Fatal(err)
		}
	}
}

// enable turns the cache on, with the capacity and threshold given.
func enable(t *testing.T, v *kvault.Vault, capacity, threshold int64) {
	t.Helper()
	if err := v.EnableCache(t.Context(), &kvault.CacheOptions{Capacity: capacity, Threshold: threshold}); err != nil {
		t.Fatal(err)
	}
}

// wantGet checks that key holds value.
func wantGet(t *testing.T, v interface {
	Get(context.Context, string) ([]byte, error)
}, key, value string) {
	t.Helper()
	got, err := v.Get(t.Context(), key)
	if err != nil || string(got) != value {
		t.Errorf("Get(%q) = %q, %v; want %q", key, got, err, value)
	}
}

// wantMissing checks that there is no such key.
func wantMissing(t *testing.T, v interface {
	Get(context.Context, string) ([]byte, error)
}, key string) {
	t.Helper()
	if got, err := v.Get(t.Context(), key); !errors.Is(err, kvault.ErrNotFound) {
		t.Errorf("Get(%q) = %q, %v; want ErrNotFound", key, got, err)
	}
}

// wantErr checks that err is an *Error with that cause.
func wantErr(t *testing.T, err, cause error) {
	t.Helper()
	var e *kvault.Error
	if !errors.As(err, &e) || !errors.Is(err, cause) {
		t.Errorf("error is %v; want a *kvault.Error that matches %v", err, cause)
	}
}

// collect are the keys of a listing.
func collect(t *testing.T, v *kvault.Vault, o *kvault.ListOptions) []string {
	t.Helper()
	var keys []string
	for key, err := range v.Keys(t.Context(), o) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}

var errBoom = errors.New("boom")

// gated gives first, and then rest once it is told to.
type gated struct {
	first, rest io.Reader
	reached     chan struct{}
	gate        chan struct{}
}

func (g *gated) Read(p []byte) (int, error) {
	if n, err := g.first.Read(p); err == nil {
		return n, nil
	}
	if g.reached != nil {
		close(g.reached)
		g.reached = nil
		<-g.gate
	}
	return g.rest.Read(p)
}
