package reliability

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
)

var hold = flag.Duration("hold", defaultHold, "how long another process holds the write lock")

// holdChild holds the write lock until its standard input ends, and keeps what it wrote.
func holdChild(ctx context.Context, path string, args []string, out io.Writer) error {
	rollback, err := strconv.ParseBool(args[0])
	if err != nil {
		return err
	}
	v, err := kvault.Open(ctx, path, &kvault.Options{DisableWAL: rollback, BusyTimeout: time.Minute})
	if err != nil {
		return err
	}
	defer v.Close()
	return v.Update(ctx, func(tx *kvault.Tx) error {
		if err := tx.Put(ctx, "theirs", []byte("value")); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(out, "locked"); err != nil {
			return err
		}
		_, err := io.Copy(io.Discard, os.Stdin)
		return err
	})
}

// locked returns a child that holds the write lock, and a function that makes it let go.
func locked(t *testing.T, path string, rollback bool) (release func()) {
	t.Helper()
	c := startChild(t, "hold", path, rollback)
	if !c.lines.Scan() {
		t.Fatalf("the child did not lock the vault: %v", c.Wait())
	}
	return func() {
		if err := errors.Join(c.in.Close(), c.Wait()); err != nil {
			t.Error(err)
		}
	}
}

func eachJournal(t *testing.T, test func(t *testing.T, path string, rollback bool)) {
	for _, rollback := range []bool{false, true} {
		t.Run(fmt.Sprintf("rollback=%t", rollback), func(t *testing.T) {
			test(t, filepath.Join(t.TempDir(), "v.kv"), rollback)
		})
	}
}

// While another process holds the write lock for longer than a call waits, writes fail with ErrBusy
// and change nothing, what is cached stays, and reads go on. Afterwards everything can be written.
func TestBusyWhileLocked(t *testing.T) {
	eachJournal(t, func(t *testing.T, path string, rollback bool) {
		ctx := t.Context()
		v := open(t, path, &kvault.Options{DisableWAL: rollback, BusyTimeout: 20 * time.Millisecond, Attempts: 2, OneRowLimit: 10_000, ChunkSize: 4000})
		defer shut(t, v)
		writes := map[string]func() error{
			"put": func() error { return v.Put(ctx, "mine", []byte("new")) },
			"stream": func() error {
				_, err := v.PutReader(ctx, "mine", bytes.NewReader(make([]byte, 50_000)), nil)
				return err
			},
			"delete": func() error { _, err := v.Delete(ctx, "mine"); return err },
			"update": func() error { return v.Update(ctx, func(tx *kvault.Tx) error { return tx.Put(ctx, "mine", nil) }) },
			"flush":  func() error { _, err := v.FlushCache(ctx); return err },
		}
		if err := v.Put(ctx, "mine", []byte("old")); err != nil {
			t.Fatal(err)
		}
		release := locked(t, path, rollback)
		for _, name := range []string{"put", "stream", "delete", "update"} {
			if err := writes[name](); !errors.Is(err, kvault.ErrBusy) {
				t.Errorf("%s: %v, want ErrBusy", name, err)
			}
			want(t, v, "mine", "old")
		}
		if err := v.EnableCache(ctx, nil); err != nil {
			t.Fatal(err)
		}
		if err := v.Put(ctx, "cached", []byte("value")); err != nil {
			t.Errorf("a put to the cache: %v", err)
		}
		for range 2 {
			if err := writes["flush"](); !errors.Is(err, kvault.ErrBusy) {
				t.Errorf("flush: %v, want ErrBusy", err)
			}
			want(t, v, "cached", "value")
		}
		release()
		for name, write := range writes {
			if err := write(); err != nil {
				t.Errorf("%s after the lock is gone: %v", name, err)
			}
		}
		shut(t, v)
		w := open(t, path, &kvault.Options{DisableWAL: rollback}) // the sweep of the stream may lock the file for longer than v waits
		defer shut(t, w)
		want(t, w, "cached", "value")
		want(t, w, "theirs", "value")
		check(t, w)
	})
}

// Writers that have the patience to wait for another process's lock lose nothing, and fail with
// nothing.
func TestWaitForLock(t *testing.T) {
	eachJournal(t, func(t *testing.T, path string, rollback bool) {
		v := open(t, path, &kvault.Options{DisableWAL: rollback, BusyTimeout: *hold + time.Minute})
		defer shut(t, v)
		release := locked(t, path, rollback)
		var wg sync.WaitGroup
		const writers = 6
		returned := make(chan struct{}, writers)
		for g := range writers {
			wg.Go(func() {
				if err := v.Put(t.Context(), fmt.Sprint("k", g), []byte("value")); err != nil {
					t.Error(err)
				}
				returned <- struct{}{}
			})
		}
		time.Sleep(*hold) // this long is the test
		if n := len(returned); n > 0 {
			t.Errorf("%d writers returned while another process had the lock", n)
		}
		release()
		wg.Wait()
		for g := range writers {
			want(t, v, fmt.Sprint("k", g), "value")
		}
		check(t, v)
	})
}

func want(t *testing.T, v *kvault.Vault, key, value string) {
	t.Helper()
	if got, err := v.Get(t.Context(), key); err != nil || string(got) != value {
		t.Errorf("%s is %q (%v), want %q", key, got, err, value)
	}
}
