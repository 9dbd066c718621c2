package kvault_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kohakuvault/kvault"
)

// touching are calls that touch the file, by the engine's call that is busy. The key a exists.
var touching = map[string]struct {
	call string
	run  func(ctx context.Context, v *kvault.Vault) error
}{
	"Put": {"apply", func(ctx context.Context, v *kvault.Vault) error { return v.Put(ctx, "b", nil) }},
	"PutAll": {"apply", func(ctx context.Context, v *kvault.Vault) error {
		return v.PutAll(ctx, maps.All(map[string][]byte{"b": nil}))
	}},
	"Copy": {"apply", func(ctx context.Context, v *kvault.Vault) error { _, err := v.Copy(ctx, "a", "b", nil); return err }},
	"SetMetadata": {"apply", func(ctx context.Context, v *kvault.Vault) error {
		_, err := v.SetMetadata(ctx, "a", nil)
		return err
	}},
	"Delete":       {"apply", func(ctx context.Context, v *kvault.Vault) error { _, err := v.Delete(ctx, "a"); return err }},
	"DeletePrefix": {"apply", func(ctx context.Context, v *kvault.Vault) error { _, err := v.DeletePrefix(ctx, "a"); return err }},
	"Clear":        {"apply", func(ctx context.Context, v *kvault.Vault) error { _, err := v.Clear(ctx); return err }},
	"Pop":          {"apply", func(ctx context.Context, v *kvault.Vault) error { _, err := v.Pop(ctx, "a"); return err }},
	"SetDefault":   {"apply", func(ctx context.Context, v *kvault.Vault) error { _, _, err := v.SetDefault(ctx, "b", nil); return err }},
	"Rename":       {"apply", func(ctx context.Context, v *kvault.Vault) error { return v.Rename(ctx, "a", "b", nil) }},
	"PutReader": {"write chunk", func(ctx context.Context, v *kvault.Vault) error {
		_, err := v.PutReader(ctx, "b", strings.NewReader(text), nil)
		return err
	}},
	"Get":     {"get", func(ctx context.Context, v *kvault.Vault) error { _, err := v.Get(ctx, "a"); return err }},
	"GetMany": {"begin read", func(ctx context.Context, v *kvault.Vault) error { _, err := v.GetMany(ctx, "a"); return err }},
	"Stat":    {"stat", func(ctx context.Context, v *kvault.Vault) error { _, err := v.Stat(ctx, "a"); return err }},
	"Exists":  {"stat", func(ctx context.Context, v *kvault.Vault) error { _, err := v.Exists(ctx, "a"); return err }},
	"GetTo":   {"open", func(ctx context.Context, v *kvault.Vault) error { _, err := v.GetTo(ctx, "a", io.Discard); return err }},
	"Read":    {"read blob", func(ctx context.Context, v *kvault.Vault) error { _, err := v.GetRange(ctx, "a", 0, 1); return err }},
	"Len":     {"count", func(ctx context.Context, v *kvault.Vault) error { _, err := v.Len(ctx); return err }},
	"List": {"list", func(ctx context.Context, v *kvault.Vault) error {
		for _, err := range v.List(ctx, nil) {
			return err
		}
		return errors.New("nothing listed")
	}},
	"Update": {"commit", func(ctx context.Context, v *kvault.Vault) error {
		return v.Update(ctx, func(*kvault.Tx) error { return nil })
	}},
	"View": {"begin read", func(ctx context.Context, v *kvault.Vault) error {
		return v.View(ctx, func(*kvault.Tx) error { return nil })
	}},
	"Optimize": {"optimize", func(ctx context.Context, v *kvault.Vault) error { return v.Optimize(ctx, nil) }},
	"Shrink":   {"shrink", func(ctx context.Context, v *kvault.Vault) error { _, err := v.Shrink(ctx, time.Second); return err }},
	"Backup":   {"backup", func(ctx context.Context, v *kvault.Vault) error { return v.Backup(ctx, "x", nil) }},
	"Stats":    {"stats", func(ctx context.Context, v *kvault.Vault) error { _, err := v.Stats(ctx); return err }},
	"flush": {"apply", func(ctx context.Context, v *kvault.Vault) error {
		return v.WithCache(ctx, nil, func() error { return v.Put(ctx, "b", nil) })
	}},
}

func TestRetriesCoverEveryCall(t *testing.T) {
	for name, c := range touching {
		t.Run(name, func(t *testing.T) {
			v, f := newFaultyVault(t, quick)
			put(t, v, "a", "value")
			f.fail(c.call, 3, fmt.Errorf("some words: %w", kvault.ErrBusy))
			if err := c.run(t.Context(), v); err != nil {
				t.Errorf("busy three times: %v", err)
			}
		})
		t.Run(name+" gives up", func(t *testing.T) {
			v, f := newFaultyVault(t, quick)
			put(t, v, "a", "value")
			before := f.count(c.call)
			f.fail(c.call, -1, kvault.ErrBusy)
			wantErr(t, c.run(t.Context(), v), kvault.ErrBusy)
			if n := f.count(c.call) - before; n != 4 {
				t.Errorf("%d attempts, want 4", n)
			}
		})
		t.Run(name+" fails otherwise", func(t *testing.T) {
			v, f := newFaultyVault(t, quick)
			put(t, v, "a", "value")
			before := f.count(c.call)
			// Only the kind of an error counts, never its text.
			busyText := errors.New("database is busy: SQLITE_BUSY: database is locked")
			f.fail(c.call, -1, busyText)
			wantErr(t, c.run(t.Context(), v), busyText)
			if n := f.count(c.call) - before; n != 1 {
				t.Errorf("%d attempts, want 1", n)
			}
		})
		t.Run(name+" cancelled", func(t *testing.T) {
			v, f := newFaultyVault(t, quick)
			put(t, v, "a", "value")
			reached, release := f.block(c.call)
			defer release()
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-reached; cancel() }()
			wantErr(t, c.run(ctx, v), context.Canceled)
			f.on(nil)
			if name != "Read" && name != "GetTo" { // whatever it was, it did not happen
				wantGet(t, v, "a", "value")
			}
		})
	}
}

func TestRetryDelayDoubles(t *testing.T) {
	for _, c := range []struct {
		name string
		o    *kvault.Options
		want time.Duration
		n    int
	}{
		{"default", nil, (20 + 40 + 80) * time.Millisecond, 4},
		{"as told", &kvault.Options{Attempts: 3, RetryDelay: time.Second}, 3 * time.Second, 3},
		{"one attempt", &kvault.Options{Attempts: 1}, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, f := newFaultyVault(t, c.o)
				f.fail("get", -1, kvault.ErrBusy)
				begun := time.Now()
				_, err := v.Get(t.Context(), "a")
				wantErr(t, err, kvault.ErrBusy)
				if took := time.Since(begun); took != c.want || f.count("get") != c.n {
					t.Errorf("%d attempts in %v, want %d in %v", f.count("get"), took, c.n, c.want)
				}
			})
		})
	}
}

// What an attempt waits for a lock counts too, and the message says how long it was in all.
func TestBusyTimeoutBoundsTheCall(t *testing.T) {
	for _, c := range []struct {
		name   string
		o      *kvault.Options
		waits  time.Duration // each attempt
		want   time.Duration
		n      int
		within string
	}{
		{"an attempt waits for all of it", nil, 5 * time.Second, 5 * time.Second, 1, "gave up after 5s"},
		{"attempts end early", nil, 10 * time.Millisecond, 180 * time.Millisecond, 4, "gave up after 180ms"},
		{"in the second attempt", &kvault.Options{BusyTimeout: 100 * time.Millisecond}, 60 * time.Millisecond, 140 * time.Millisecond, 2, "gave up after 140ms"},
		{"negative", &kvault.Options{BusyTimeout: -1}, 0, 0, 1, "gave up after 0s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, f := newFaultyVault(t, c.o)
				f.on(func(_ context.Context, call string) error {
					if call == "get" {
						time.Sleep(c.waits)
						return kvault.ErrBusy
					}
					return nil
				})
				begun := time.Now()
				_, err := v.Get(t.Context(), "a")
				wantErr(t, err, kvault.ErrBusy)
				if took := time.Since(begun); took != c.want || f.count("get") != c.n || !strings.Contains(err.Error(), c.within) {
					t.Errorf("%d attempts in %v, %v; want %d in %v", f.count("get"), took, err, c.n, c.want)
				}
			})
		})
	}
}

// The store under the vault waits for the lock of another program in its first attempt, and not in
// three more.
func TestBusyFileIsWaitedForOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	ours := openFile(t, path, nil)
	theirs := openFile(t, path, &kvault.Options{BusyTimeout: 100 * time.Millisecond, RetryDelay: time.Hour})
	err := ours.Update(t.Context(), func(*kvault.Tx) error {
		err := theirs.Put(t.Context(), "k", nil) // with a second attempt it would take an hour
		wantErr(t, err, kvault.ErrBusy)
		if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "gave up after ") {
			t.Errorf("%v does not name the file and the time", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestContextBoundsTheRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, f := newFaultyVault(t, &kvault.Options{Attempts: 1000, RetryDelay: time.Second, BusyTimeout: time.Minute})
		f.fail("apply", -1, kvault.ErrBusy)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		begun := time.Now()
		err := v.Put(ctx, "a", nil)
		wantErr(t, err, context.DeadlineExceeded)
		if took := time.Since(begun); took != 10*time.Second {
			t.Errorf("gave up after %v", took)
		}
		if errors.Is(err, kvault.ErrBusy) || !strings.Contains(err.Error(), kvault.ErrBusy.Error()) {
			t.Errorf("%v does not say what was waited for, or matches it", err)
		}
		f.on(nil)
		wantMissing(t, v, "a")
	})
}

func TestCancelledBeforehand(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, f *faulty) {
		put(t, v, "a", "value")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		before := f.count("apply")
		for name, c := range touching {
			err := c.run(ctx, v)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s with a cancelled context: %v", name, err)
			}
		}
		wantErr(t, v.EnableCache(ctx, nil), context.Canceled)
		if n := f.count("apply") - before; n != 0 {
			t.Errorf("%d writes reached the store", n)
		}
		wantGet(t, v, "a", "value")
		wantMissing(t, v, "b")
	})
}
