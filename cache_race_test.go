package kvault_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kohakuvault/kvault"
)

// These tests bring about, one by one, the moments at which cache and store can be seen to
// disagree.

// once returns a hook that runs fn the first time call is made.
func once(call string, fn func()) func(context.Context, string) error {
	first := true
	return func(_ context.Context, c string) error {
		if c == call && first {
			first = false
			fn()
		}
		return nil
	}
}

func values(t *testing.T, v *kvault.Vault) (got []string) {
	t.Helper()
	for it, err := range v.Items(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, it.Key+string(it.Value))
	}
	return got
}

// A page was read after a flush had committed, but before the cache knew: with the old overlay it
// shows half a batch.
func TestPageReadWhileAFlushCommits(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	enable(t, v, 1000, 1000)
	put(t, v, "a", "1")
	committed, proceed, flushed := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	list := once("list", func() {
		if err := v.PutAll(t.Context(), maps.All(map[string][]byte{"a": []byte("2"), "b": []byte("2")})); err != nil {
			t.Error(err)
		}
		go func() { _, err := v.FlushCache(t.Context()); flushed <- err }()
		<-committed
	})
	f.on(func(ctx context.Context, call string) error {
		if call == "after apply" {
			close(committed)
			<-proceed
		}
		return list(ctx, call)
	})
	if got := values(t, v); !slices.Equal(got, []string{"a2", "b2"}) {
		t.Errorf("listed %q, want both of the batch", got)
	}
	close(proceed)
	if err := <-flushed; err != nil {
		t.Error(err)
	}
}

// The overlay was taken while a transaction flushed the cache, and the page read when that
// transaction had committed.
func TestPageReadWhileATransactionCommits(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	enable(t, v, 1000, 1000)
	put(t, v, "a", "1")
	flushing, flush := make(chan struct{}), make(chan struct{})
	committed, finish, updated := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	list := once("list", func() { close(flush); <-committed })
	f.on(func(ctx context.Context, call string) error {
		switch call {
		case "after apply":
			close(flushing)
			<-flush
		case "after commit":
			close(committed)
			<-finish
		}
		return list(ctx, call)
	})
	go func() {
		updated <- v.Update(t.Context(), func(tx *kvault.Tx) error {
			_, err := tx.Delete(t.Context(), "a")
			return errors.Join(err, tx.Put(t.Context(), "b", []byte("2")))
		})
	}()
	<-flushing
	if got := values(t, v); !slices.Equal(got, []string{"b2"}) {
		t.Errorf("listed %q, want what the transaction left", got)
	}
	close(finish)
	if err := <-updated; err != nil {
		t.Error(err)
	}
}

// A cached delete looked at the store before a transaction took the key away.
func TestDeleteOvertakenByATransaction(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	put(t, v, "a", "1")
	enable(t, v, 1000, 1000)
	inside, leave, updated := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		updated <- v.Update(t.Context(), func(tx *kvault.Tx) error {
			close(inside)
			<-leave
			_, err := tx.Delete(t.Context(), "a")
			return err
		})
	}()
	<-inside
	f.on(once("after stat", func() {
		close(leave)
		if err := <-updated; err != nil {
			t.Error(err)
		}
	}))
	if found, err := v.Delete(t.Context(), "a"); err != nil || found {
		t.Errorf("Delete = %v, %v, though the transaction took the key away", found, err)
	}
}

// Or before another delete, that was cached and flushed meanwhile; or a put.
func TestDeleteOvertakenByTheCache(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile func(v *kvault.Vault, ctx context.Context) error
		want      bool
	}{
		"deleted": {func(v *kvault.Vault, ctx context.Context) error { _, err := v.Delete(ctx, "a"); return err }, false},
		"flushed": {func(v *kvault.Vault, ctx context.Context) error {
			_, err := v.Delete(ctx, "a")
			_, flushed := v.FlushCache(ctx)
			return errors.Join(err, flushed)
		}, false},
		"put":      {func(v *kvault.Vault, ctx context.Context) error { return v.Put(ctx, "a", nil) }, true},
		"disabled": {func(v *kvault.Vault, ctx context.Context) error { return v.DisableCache(ctx) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			v, f := newFaultyVault(t, quick)
			put(t, v, "a", "1")
			enable(t, v, 1000, 1000)
			f.on(once("after stat", func() {
				if err := c.meanwhile(v, t.Context()); err != nil {
					t.Error(err)
				}
			}))
			if found, err := v.Delete(t.Context(), "a"); err != nil || found != c.want {
				t.Errorf("Delete = %v, %v; want %v", found, err, c.want)
			}
			wantMissing(t, v, "a")
		})
	}
}

// A lock that is taken while a direct write waits for a running flush keeps that write from
// flushing.
func TestLockTakenWhileADirectWriteWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, f := newFaultyVault(t, quick)
		enable(t, v, 1000, 1000)
		put(t, v, "a", "1")
		reached, release := f.block("apply")
		flushed, popped := make(chan error, 1), make(chan error, 1)
		go func() { _, err := v.FlushCache(t.Context()); flushed <- err }()
		<-reached
		put(t, v, "b", "1")
		go func() { _, err := v.Pop(t.Context(), "a"); popped <- err }()
		go func() { v.FlushCache(t.Context()) }()
		synctest.Wait()
		unlock := lock(t, v)
		// One that comes later need not wait at all.
		_, err := v.Pop(t.Context(), "a")
		wantErr(t, err, kvault.ErrBusy)
		release()
		if err := <-flushed; err != nil {
			t.Error(err)
		}
		wantErr(t, <-popped, kvault.ErrBusy)
		synctest.Wait()
		f.wantStored(t, "a", "1")
		unlock()
	})
}

// Close does not return while the background may still call OnError.
func TestCloseWaitsForTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told, proceed := make(chan struct{}), make(chan struct{})
		f := newFaulty()
		v := newOn(t, f, &kvault.Options{Attempts: 1, OnError: func(error) { close(told); <-proceed }})
		if err := v.EnableCache(t.Context(), &kvault.CacheOptions{IdleFlush: time.Second}); err != nil {
			t.Fatal(err)
		}
		f.fail("apply", 1, errBoom)
		put(t, v, "a", "1")
		<-told
		closed := make(chan error, 1)
		go func() { closed <- v.Close() }()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("Close did not wait")
		default:
		}
		close(proceed)
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})
}
