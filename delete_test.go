package kvault_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/kohakuvault/kvault"
)

func TestDelete(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
		put(t, v, "a", "1")
		for _, want := range []bool{true, false} {
			if got, err := v.Delete(t.Context(), "a"); err != nil || got != want {
				t.Errorf("Delete = %v, %v; want %v", got, err, want)
			}
			wantMissing(t, v, "a")
		}
	})
}

// A nil value is an empty one, not a deletion.
func TestNilIsNotDeleted(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
		put(t, v, "a", "1")
		if err := v.Put(t.Context(), "a", nil); err != nil {
			t.Fatal(err)
		}
		if _, err := v.FlushCache(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantGet(t, v, "a", "")
	})
}

func TestDeleteIf(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
		e, err := v.PutWith(t.Context(), "a", []byte("1"), nil)
		if err != nil {
			t.Fatal(err)
		}
		wantErr(t, v.DeleteIf(t.Context(), "a", "0123456789abcdef"), kvault.ErrTagMismatch)
		wantErr(t, v.DeleteIf(t.Context(), "a", ""), kvault.ErrInvalid)
		wantGet(t, v, "a", "1")
		if err := v.DeleteIf(t.Context(), "a", e.Tag); err != nil {
			t.Error(err)
		}
		wantMissing(t, v, "a")
		wantErr(t, v.DeleteIf(t.Context(), "a", e.Tag), kvault.ErrNotFound)
	})
}

func TestPop(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
		put(t, v, "a", "1", "b", "")
		for key, want := range map[string]string{"a": "1", "b": ""} {
			if got, err := v.Pop(t.Context(), key); err != nil || got == nil || string(got) != want {
				t.Errorf("Pop(%q) = %#v, %v", key, got, err)
			}
			_, err := v.Pop(t.Context(), key)
			wantErr(t, err, kvault.ErrNotFound)
			wantMissing(t, v, key)
		}
	})
}

func TestSetDefault(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, f *faulty) {
		for i, value := range []string{"first", "second"} {
			got, existed, err := v.SetDefault(t.Context(), "a", []byte(value))
			if err != nil || string(got) != "first" || existed != (i == 1) {
				t.Errorf("SetDefault = %q, %v, %v", got, existed, err)
			}
		}
		f.fail("get", -1, errBoom)
		_, _, err := v.SetDefault(t.Context(), "b", nil)
		wantErr(t, err, errBoom)
		var e *kvault.Error
		if errors.As(err, &e) && e.Op != "set default" {
			t.Errorf("error names %q", e.Op)
		}
	})
}

// Between finding nothing and storing the default, somebody else may store a value.
func TestSetDefaultThatIsTooLate(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	f.on(func(_ context.Context, call string) error {
		if call == "apply" && f.count("apply") == 1 {
			put(t, v, "a", "other")
		}
		return nil
	})
	got, existed, err := v.SetDefault(t.Context(), "a", []byte("mine"))
	if err != nil || !existed || string(got) != "other" {
		t.Errorf("SetDefault = %q, %v, %v", got, existed, err)
	}
}

// Whatever happens at the same time, one caller sets a default and one takes it away.
func TestSetDefaultPopAndDeleteAreAtomic(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
		const workers, rounds = 4, 60
		var set, taken atomic.Int64
		var wg sync.WaitGroup
		for i := range workers {
			wg.Go(func() {
				for range rounds {
					if _, existed, err := v.SetDefault(t.Context(), "a", []byte("x")); err != nil {
						t.Error(err)
					} else if !existed {
						set.Add(1)
					}
					if i%2 == 0 {
						if _, err := v.Pop(t.Context(), "a"); err == nil {
							taken.Add(1)
						} else if !errors.Is(err, kvault.ErrNotFound) {
							t.Error(err)
						}
					} else if found, err := v.Delete(t.Context(), "a"); err != nil {
						t.Error(err)
					} else if found {
						taken.Add(1)
					}
					v.FlushCache(t.Context())
				}
			})
		}
		wg.Wait()
		left, err := v.Len(t.Context())
		if err != nil || set.Load()-taken.Load() != left {
			t.Errorf("set %d times, taken %d times, %d left, %v", set.Load(), taken.Load(), left, err)
		}
	})
}

func TestRename(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
		ctx := t.Context()
		put(t, v, "b", "2", "c", "3")
		e, err := v.PutWith(ctx, "a", []byte("1"), &kvault.PutOptions{User: map[string]string{"k": "v"}})
		if err != nil {
			t.Fatal(err)
		}
		wantErr(t, v.Rename(ctx, "a", "b", &kvault.RenameOptions{NoReplace: true}), kvault.ErrExists)
		wantErr(t, v.Rename(ctx, "a", "b", &kvault.RenameOptions{IfTag: "nope"}), kvault.ErrTagMismatch)
		wantErr(t, v.Rename(ctx, "none", "b", nil), kvault.ErrNotFound)
		wantGet(t, v, "b", "2")
		if err := v.Rename(ctx, "a", "a", nil); err != nil {
			t.Errorf("to itself: %v", err)
		}
		if err := v.Rename(ctx, "a", "b", &kvault.RenameOptions{IfTag: e.Tag}); err != nil {
			t.Error(err)
		}
		if err := v.Rename(ctx, "c", "new", &kvault.RenameOptions{NoReplace: true}); err != nil {
			t.Error(err)
		}
		wantMissing(t, v, "a")
		wantGet(t, v, "b", "1")
		wantGet(t, v, "new", "3")
		if got, err := v.Stat(ctx, "b"); err != nil || got.Tag != e.Tag || got.User["k"] != "v" {
			t.Errorf("metadata after a rename: %+v, %v", got, err)
		}
	})
}

func TestClearAndDeletePrefix(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, f *faulty) {
		ctx := t.Context()
		put(t, v, "a/1", "", "a/2", "", "b", "")
		if _, err := v.DeletePrefix(ctx, ""); !errors.Is(err, kvault.ErrInvalid) {
			t.Errorf("empty prefix: %v", err)
		}
		if n, err := v.DeletePrefix(ctx, "a/"); err != nil || n != 2 {
			t.Errorf("DeletePrefix = %d, %v", n, err)
		}
		if n, err := v.DeletePrefix(ctx, "a/"); err != nil || n != 0 {
			t.Errorf("DeletePrefix of nothing = %d, %v", n, err)
		}
		put(t, v, "c", "")
		if n, err := v.Clear(ctx); err != nil || n != 2 {
			t.Errorf("Clear = %d, %v", n, err)
		}
		f.fail("apply", -1, errBoom)
		_, err := v.Clear(ctx)
		wantErr(t, err, errBoom)
		_, err = v.DeletePrefix(ctx, "a")
		wantErr(t, err, errBoom)
	})
}
