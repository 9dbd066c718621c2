package kvault_test

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
)

func TestAfterCloseEveryCallReturnsErrClosed(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, f *faulty) {
		put(t, v, "a", "1")
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := v.Close(); err != nil {
				t.Errorf("another Close: %v", err)
			}
		}
		for name, c := range touching {
			if err := c.run(t.Context(), v); !errors.Is(err, kvault.ErrClosed) {
				t.Errorf("%s: %v", name, err)
			}
		}
		ctx := t.Context()
		for name, err := range map[string]error{
			"EnableCache":  v.EnableCache(ctx, nil),
			"DisableCache": v.DisableCache(ctx),
			"FlushCache":   func() error { _, err := v.FlushCache(ctx); return err }(),
			"WithCache":    v.WithCache(ctx, nil, func() error { t.Error("it ran"); return nil }),
			"NewWriter":    func() error { _, err := v.NewWriter(ctx, "a", nil); return err }(),
			"NewReader":    func() error { _, err := v.NewReader(ctx, "a"); return err }(),
			"GetOr":        func() error { _, err := v.GetOr(ctx, "a", nil); return err }(),
			"Count":        func() error { _, err := v.Count(ctx, nil); return err }(),
			"empty Count":  func() error { _, err := v.Count(ctx, &kvault.ListOptions{Start: "b", End: "a"}); return err }(),
			"empty Keys":   lastError(v.Keys(ctx, &kvault.ListOptions{Prefix: "b", End: "a"})),
			"Check":        func() error { _, err := v.Check(ctx, nil); return err }(),
			"PutWith":      func() error { _, err := v.PutWith(ctx, "a", nil, nil); return err }(),
			"DeleteIf":     v.DeleteIf(ctx, "a", "x"),
			"PutAll":       v.PutAll(ctx, maps.All(map[string][]byte{})),
		} {
			wantErr(t, err, kvault.ErrClosed)
			if !errors.Is(err, fs.ErrClosed) {
				t.Errorf("%s does not match fs.ErrClosed", name)
			}
		}
		if _, err := v.LockCache(); !errors.Is(err, kvault.ErrClosed) {
			t.Errorf("LockCache of a closed vault: %v", err)
		}
		if s := v.CacheStats(); s.Entries != 0 {
			t.Errorf("stats %+v", s)
		}
		if n := f.count("close"); n != 1 {
			t.Errorf("the store was closed %d times", n)
		}
	})
}

// lastError is how a listing ends.
func lastError[T any](list iter.Seq2[T, error]) (last error) {
	for _, err := range list {
		last = err
	}
	return last
}

func TestCloseFlushes(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	enable(t, v, 1000, 1000)
	put(t, v, "a", "1")
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if got := f.batches(); len(got) != 1 || got[0][0].Key != "a" {
		t.Errorf("batches %+v", got)
	}
}

func TestCloseThatCannotFlushLosesNothing(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	enable(t, v, 1000, 1000)
	put(t, v, "a", "1")
	f.fail("apply", -1, errBoom)
	for range 2 {
		wantErr(t, v.Close(), errBoom)
		wantGet(t, v, "a", "1") // still open
	}
	f.on(nil)
	put(t, v, "b", "2")
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if got := f.batches(); len(got) != 1 || len(got[0]) != 2 {
		t.Errorf("batches %+v", got)
	}
}

func TestCloseReportsTheStore(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	f.fail("close", 1, errBoom)
	wantErr(t, v.Close(), errBoom)
	if err := v.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestCloseWaitsForRunningCalls(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	reached, release := f.block("apply")
	stored, closed := make(chan error), make(chan error)
	go func() { stored <- v.Put(t.Context(), "a", nil) }()
	<-reached
	go func() { closed <- v.Close() }()
	for { // new calls are turned away as soon as Close has begun
		if _, err := v.Stat(t.Context(), "a"); errors.Is(err, kvault.ErrClosed) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	select {
	case <-closed:
		t.Error("Close did not wait")
	default:
	}
	if n := f.count("close"); n != 0 {
		t.Error("the store was closed under a running call")
	}
	release()
	if err := errors.Join(<-stored, <-closed); err != nil {
		t.Error(err)
	}
}

func TestCloseInsideWithCache(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	err := v.WithCache(t.Context(), nil, func() error {
		put(t, v, "a", "1")
		return v.Close()
	})
	if err != nil {
		t.Error(err)
	}
	if got := f.batches(); len(got) != 1 {
		t.Errorf("batches %+v", got)
	}
}

func TestConcurrentClose(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	enable(t, v, 1000, 1000)
	put(t, v, "a", "1")
	done := make(chan error)
	for range 4 {
		go func() { done <- v.Close() }()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := f.count("close"); n != 1 {
		t.Errorf("the store was closed %d times", n)
	}
}

func TestErrorText(t *testing.T) {
	long := strings.Repeat("k", 1000)
	for _, c := range []struct {
		err  kvault.Error
		want string
	}{
		{kvault.Error{Op: "put", Key: "a\x00b", Err: errBoom}, `put "a\x00b": boom`},
		{kvault.Error{Op: "len", Err: errBoom}, "len: boom"},
		{kvault.Error{Op: "get", Key: long, Err: errBoom}, `get "` + long[:120] + `"… (1000 bytes): boom`},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("message is %s, want %s", got, c.want)
		}
	}
	v, f := newFaultyVault(t, quick)
	put(t, v, "a", "1")
	_, err := v.PutWith(t.Context(), "a", nil, &kvault.PutOptions{IfAbsent: true})
	if want := `put "a": key exists already`; err == nil || err.Error() != want {
		t.Errorf("message is %v, want %s", err, want)
	}
	enable(t, v, 100, 100)
	defer lock(t, v)()
	_, err = v.Pop(t.Context(), "a")
	if want := `pop "a": the cache is locked, and this call would have to flush it: try again when LockCache is released`; err == nil || err.Error() != want {
		t.Errorf("message is %v, want %s", err, want)
	}
	f.fail("get", -1, context.DeadlineExceeded)
	_, err = v.Get(t.Context(), "a")
	wantErr(t, err, context.DeadlineExceeded)
}
