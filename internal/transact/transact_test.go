package transact_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/singletest"
	"github.com/kohakuvault/kvault/internal/transact"
)

func TestMain(m *testing.M) { singletest.Both{M: m}.Exit() }

func vault(t *testing.T, keys ...string) *kvault.Vault {
	t.Helper()
	v, err := singletest.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	for _, key := range keys {
		if err := v.Put(t.Context(), key, []byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

func keysOf(t *testing.T, v *kvault.Vault) (keys []string) {
	t.Helper()
	for key, err := range v.Keys(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}

func wantKeys(t *testing.T, v *kvault.Vault, want ...string) {
	t.Helper()
	if got := keysOf(t, v); !slices.Equal(got, want) {
		t.Errorf("keys %q, want %q", got, want)
	}
}

var errOwn = errors.New("the caller's own")

// TestUpdateFails: in a transaction nothing is left of what failed, and without one what was done.
func TestUpdateFails(t *testing.T) {
	v := vault(t)
	err := transact.Update(t.Context(), v, func(s transact.Store) error {
		if transact.Atomic(s) == singletest.On {
			t.Errorf("atomic: %v", transact.Atomic(s))
		}
		if _, err := s.PutWith(t.Context(), "a", nil, nil); err != nil {
			t.Error(err)
		}
		return errOwn
	})
	if err != errOwn {
		t.Errorf("%v", err)
	}
	if singletest.On {
		wantKeys(t, v, "a")
	} else {
		wantKeys(t, v)
	}
	supported, err := transact.Supported(t.Context(), v)
	if supported == singletest.On || err != nil {
		t.Errorf("supported: %v, %v", supported, err)
	}
	if err := transact.View(t.Context(), v, func(transact.Store) error { return errOwn }); err != errOwn {
		t.Errorf("view: %v", err)
	}
	v.Close()
	for name, err := range map[string]error{
		"update": transact.Update(t.Context(), v, func(transact.Store) error { return nil }),
		"view":   transact.View(t.Context(), v, func(transact.Store) error { return nil }),
	} {
		if !singletest.On && !errors.Is(err, kvault.ErrClosed) {
			t.Errorf("%s of a closed vault: %v", name, err)
		}
	}
	if _, err := transact.Supported(t.Context(), v); !errors.Is(err, kvault.ErrClosed) {
		t.Errorf("a closed vault: %v", err)
	}
}

// TestLost: another writer is faster, a few times or each time.
func TestLost(t *testing.T) {
	if !singletest.On {
		t.Skip("nobody is faster than a transaction")
	}
	for _, faster := range []int{0, 3, 1000} {
		v, runs := vault(t, "k"), 0
		err := transact.Update(t.Context(), v, func(s transact.Store) error {
			e, err := s.Stat(t.Context(), "k")
			if err != nil {
				return err
			}
			if runs++; runs <= faster {
				if err := v.Put(t.Context(), "k", []byte("other")); err != nil {
					return err
				}
			}
			return transact.Delete(t.Context(), s, e)
		})
		if faster < 10 {
			if err != nil || runs != faster+1 {
				t.Errorf("%d are faster: %v after %d runs", faster, err, runs)
			}
			wantKeys(t, v)
		} else {
			if !errors.Is(err, kvault.ErrTagMismatch) || runs != 10 {
				t.Errorf("all are faster: %v after %d runs", err, runs)
			}
			wantKeys(t, v, "k")
		}
	}
	if err := transact.Lost(errOwn); err != errOwn {
		t.Errorf("%v", err)
	}
	if err := transact.Delete(t.Context(), vault(t), kvault.Entry{Key: "none"}); !errors.Is(err, kvault.ErrNotFound) {
		t.Errorf("a missing key: %v", err)
	}
}

// TestEach: without a transaction 16 run at once, and none begins after an error.
func TestEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &kvault.Vault{}
		var running, most, calls atomic.Int64
		err := transact.Each(t.Context(), v, 100, func(_ context.Context, i int) error {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			calls.Add(1)
			time.Sleep(time.Second)
			return nil
		})
		if err != nil || calls.Load() != 100 || most.Load() != 16 {
			t.Errorf("%v, %d calls, %d at once", err, calls.Load(), most.Load())
		}
		calls.Store(0)
		err = transact.Each(t.Context(), v, 100, func(_ context.Context, i int) error {
			calls.Add(1)
			time.Sleep(time.Duration(i+1) * time.Second)
			if i == 0 {
				return errOwn
			}
			return nil
		})
		if err != errOwn || calls.Load() != 16 {
			t.Errorf("%v after %d calls", err, calls.Load())
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := transact.Each(ctx, v, 1, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		if err := transact.Each(ctx, v, 0, nil); err != nil {
			t.Errorf("of none: %v", err)
		}
	})
}

func TestPrefix(t *testing.T) {
	never := &kvault.PrefixOptions{NoReplace: true}
	for _, x := range []struct {
		name     string
		move     func(context.Context, transact.Store, string, string, *kvault.PrefixOptions) (int64, error)
		from, to string
		o        *kvault.PrefixOptions
		n        int64
		err      error
		want     []string
	}{
		{"rename", transact.RenamePrefix, "a/", "b/", nil, 2, nil, []string{"b/1", "b/2", "c"}},
		{"copy", transact.CopyPrefix, "a/", "b/", nil, 2, nil, []string{"a/1", "a/2", "b/1", "b/2", "c"}},
		{"exists", transact.RenamePrefix, "a/", "b/", never, 0, kvault.ErrExists, nil},
		{"copy exists", transact.CopyPrefix, "a/", "b/", never, 0, kvault.ErrExists, nil},
		{"free", transact.RenamePrefix, "a/", "x/", never, 2, nil, []string{"b/2", "c", "x/1", "x/2"}},
		{"overlap", transact.RenamePrefix, "a/", "a/b/", nil, 0, kvault.ErrInvalid, nil},
		{"overlap, the other", transact.CopyPrefix, "a/1", "a/", nil, 0, kvault.ErrInvalid, nil},
		{"no from", transact.RenamePrefix, "", "a/", nil, 0, kvault.ErrInvalid, nil},
		{"no to", transact.RenamePrefix, "a/", "", nil, 2, nil, []string{"1", "2", "b/2", "c"}},
		{"no key", transact.RenamePrefix, "c", "", nil, 0, kvault.ErrInvalid, nil},
		{"none", transact.RenamePrefix, "z", "y", nil, 0, nil, nil},
		{"long", transact.RenamePrefix, "a/", fmt.Sprintf("%*d", kvault.MaxKey, 1), nil, 0, kvault.ErrTooLarge, nil},
	} {
		t.Run(x.name, func(t *testing.T) {
			v := vault(t, "a/1", "a/2", "b/2", "c")
			n, err := x.move(t.Context(), v, x.from, x.to, x.o)
			if n != x.n || !errors.Is(err, x.err) {
				t.Errorf("%d, %v", n, err)
			}
			if x.want == nil {
				x.want = []string{"a/1", "a/2", "b/2", "c"}
			}
			wantKeys(t, v, x.want...)
		})
	}
}
