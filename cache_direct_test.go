package kvault_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
)

// direct are calls that write to the store themselves. Before each, a is pending; the function
// checks what it did.
var direct = map[string]func(t *testing.T, v *kvault.Vault) error{
	"Pop": func(t *testing.T, v *kvault.Vault) error {
		got, err := v.Pop(t.Context(), "a")
		if err == nil && string(got) != "pending" {
			t.Errorf("Pop = %q", got)
		}
		return err
	},
	"SetDefault": func(t *testing.T, v *kvault.Vault) error {
		_, _, err := v.SetDefault(t.Context(), "b", nil)
		return err
	},
	"Rename": func(t *testing.T, v *kvault.Vault) error { return v.Rename(t.Context(), "a", "b", nil) },
	"Copy":   func(t *testing.T, v *kvault.Vault) error { _, err := v.Copy(t.Context(), "a", "b", nil); return err },
	"SetMetadata": func(t *testing.T, v *kvault.Vault) error {
		_, err := v.SetMetadata(t.Context(), "a", nil)
		return err
	},
	"RenamePrefix": func(t *testing.T, v *kvault.Vault) error {
		n, err := v.RenamePrefix(t.Context(), "a", "b", nil)
		if err == nil && n != 1 {
			t.Errorf("RenamePrefix = %d", n)
		}
		return err
	},
	"Clear": func(t *testing.T, v *kvault.Vault) error {
		n, err := v.Clear(t.Context())
		if err == nil && n != 2 {
			t.Errorf("Clear = %d", n)
		}
		return err
	},
	"DeletePrefix": func(t *testing.T, v *kvault.Vault) error {
		n, err := v.DeletePrefix(t.Context(), "a")
		if err == nil && n != 1 {
			t.Errorf("DeletePrefix = %d", n)
		}
		return err
	},
	"conditional put": func(t *testing.T, v *kvault.Vault) error {
		_, err := v.PutWith(t.Context(), "b", nil, &kvault.PutOptions{IfAbsent: true})
		return err
	},
	"conditional delete": func(t *testing.T, v *kvault.Vault) error {
		e, err := v.Stat(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		return v.DeleteIf(t.Context(), "a", e.Tag)
	},
	"stream": func(t *testing.T, v *kvault.Vault) error {
		_, err := v.PutReader(t.Context(), "a", strings.NewReader(text), nil)
		return err
	},
	"oversize": func(t *testing.T, v *kvault.Vault) error { return v.Put(t.Context(), "a", make([]byte, 2000)) },
	"Update": func(t *testing.T, v *kvault.Vault) error {
		return v.Update(t.Context(), func(tx *kvault.Tx) error {
			wantGet(t, tx, "a", "pending")
			return tx.Put(t.Context(), "a", nil)
		})
	},
	"Optimize": func(t *testing.T, v *kvault.Vault) error { return v.Optimize(t.Context(), nil) },
	"Shrink":   func(t *testing.T, v *kvault.Vault) error { _, err := v.Shrink(t.Context(), 1); return err },
	"Backup":   func(t *testing.T, v *kvault.Vault) error { return v.Backup(t.Context(), "x", nil) },
	"DisableCache": func(t *testing.T, v *kvault.Vault) error {
		return v.DisableCache(t.Context())
	},
}

func TestDirectWritesFlushFirst(t *testing.T) {
	for name, run := range direct {
		t.Run(name, func(t *testing.T) {
			v, f := newFaultyVault(t, quick)
			put(t, v, "stored", "0")
			enable(t, v, 1000, 1000)
			put(t, v, "a", "pending")
			if err := run(t, v); err != nil {
				t.Fatal(err)
			}
			wantBytes(t, v, 0, 0)
			if got := f.batches(); len(got) < 2 || len(got[1]) != 1 || got[1][0].Key != "a" || string(got[1][0].Value) != "pending" {
				t.Errorf("batches %+v; want the pending entry before the call's own", got)
			}
		})
		t.Run(name+" locked", func(t *testing.T) {
			v, f := newFaultyVault(t, quick)
			put(t, v, "stored", "0")
			enable(t, v, 1000, 1000)
			unlock := lock(t, v)
			put(t, v, "a", "pending")
			wantErr(t, run(t, v), kvault.ErrBusy)
			if n := f.count("apply") + f.count("optimize") + f.count("shrink") + f.count("backup"); n != 1 {
				t.Errorf("%d calls reached the store", n)
			}
			wantGet(t, v, "a", "pending")
			if n := staged(t, f); n != 0 {
				t.Errorf("%d stages left behind", n)
			}
			unlock()
			if err := run(t, v); err != nil {
				t.Errorf("after unlock: %v", err)
			}
		})
		t.Run(name+" with a failing flush", func(t *testing.T) {
			v, f := newFaultyVault(t, quick)
			put(t, v, "stored", "0")
			enable(t, v, 1000, 1000)
			put(t, v, "a", "pending")
			f.fail("apply", 1, errBoom)
			wantErr(t, run(t, v), errBoom)
			if n := f.count("apply") + f.count("optimize") + f.count("shrink") + f.count("backup"); n != 2 {
				t.Errorf("%d calls reached the store, want the first put and the flush", n)
			}
			f.wantStored(t, "stored", "0")
			wantGet(t, v, "a", "pending")
			if !v.CacheStats().Enabled {
				t.Error("the cache is off")
			}
		})
	}
}

// What the cache accepts while a direct write runs must not be overtaken by it.
func TestCachedWritersWaitForADirectWrite(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	enable(t, v, 1000, 1000)
	inside, leave := make(chan struct{}), make(chan struct{})
	updated := make(chan error)
	go func() {
		updated <- v.Update(t.Context(), func(tx *kvault.Tx) error {
			close(inside)
			<-leave
			return tx.Put(t.Context(), "a", []byte("updated"))
		})
	}()
	<-inside
	ctx, cancel := context.WithCancel(t.Context())
	go cancel()
	wantErr(t, v.Put(ctx, "a", []byte("early")), context.Canceled)
	stored := make(chan error)
	go func() { stored <- v.Put(t.Context(), "a", []byte("later")) }()
	wantMissing(t, v, "a")
	close(leave)
	if err := errors.Join(<-updated, <-stored); err != nil {
		t.Fatal(err)
	}
	wantGet(t, v, "a", "later")
	if _, err := v.FlushCache(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.wantStored(t, "a", "later")
}

// The same if the cache was still off when the direct write began.
func TestCachedWritersWaitForAnEarlierDirectWrite(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	put(t, v, "a", "old")
	reached, release := f.block("apply")
	renamed := make(chan error)
	go func() { renamed <- v.Rename(t.Context(), "a", "b", nil) }()
	<-reached
	enable(t, v, 1000, 1000)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	wantErr(t, v.Put(ctx, "a", []byte("early")), context.DeadlineExceeded)
	wantGet(t, v, "a", "old")
	release()
	if err := <-renamed; err != nil {
		t.Fatal(err)
	}
	put(t, v, "a", "new")
	wantGet(t, v, "a", "new")
	wantGet(t, v, "b", "old")
}
