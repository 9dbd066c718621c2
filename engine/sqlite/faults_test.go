package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
)

func openVault(t *testing.T, path string, o *Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func apply(t *testing.T, s interface {
	Apply(context.Context, []engine.Op) ([]engine.Result, error)
}, ops ...engine.Op) []engine.Result {
	t.Helper()
	res, err := s.Apply(t.Context(), ops)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func begin(t *testing.T, s *Store) engine.Tx {
	t.Helper()
	x, err := s.Begin(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func exists(t *testing.T, s engine.Reader, key string) bool {
	t.Helper()
	_, err := s.Stat(t.Context(), key)
	if err != nil && !errors.Is(err, engine.ErrNotFound) {
		t.Error(err)
	}
	return err == nil
}

// countdown is a context that ends when it is asked for the nth time, so that a call can be cut off
// at each of its steps.
type countdown struct {
	context.Context
	left atomic.Int64
	done chan struct{}
}

func newCountdown(n int64) *countdown {
	c := &countdown{Context: context.Background(), done: make(chan struct{})}
	c.left.Store(n)
	return c
}

func (c *countdown) Done() <-chan struct{} { return c.done }

func (c *countdown) Err() error {
	switch n := c.left.Add(-1); {
	case n > 0:
		return nil
	case n == 0:
		close(c.done)
	}
	return context.Canceled
}

// Whenever it is cancelled, Apply in a transaction does all it says it did, or nothing.
func TestCancelledApplyInTx(t *testing.T) {
	s := openVault(t, Memory, nil)
	for n, cut := int64(1), true; cut; n++ {
		x := begin(t, s)
		_, err := x.Apply(newCountdown(n), []engine.Op{{Kind: engine.Put, Key: "a"}, {Kind: engine.Put, Key: "b"}})
		if cut = err != nil; cut && !errors.Is(err, context.Canceled) {
			t.Errorf("step %d: %v", n, err)
		}
		if err := x.Commit(t.Context()); err != nil && !errors.Is(err, engine.ErrTxDone) {
			t.Errorf("step %d: commit: %v", n, err)
		}
		if a, b := exists(t, s, "a"), exists(t, s, "b"); a == cut || b == cut {
			t.Errorf("step %d: the error is %v, and a is there: %t, b: %t", n, err, a, b)
		}
		if err := x.Rollback(); err != nil {
			t.Error(err)
		}
		apply(t, s, engine.Op{Kind: engine.DeleteRange})
	}
}

// SQLite rolls back the whole transaction when it has to stop in the middle of a write. What the
// caller does next must not be committed by itself.
func TestInterruptedWriteEndsTx(t *testing.T) {
	s := openVault(t, Memory, nil)
	ops := make([]engine.Op, 3000)
	for i := range ops {
		ops[i] = engine.Op{Kind: engine.Put, Key: fmt.Sprintf("k%05d", i)}
	}
	apply(t, s, ops...)
	ended := 0
	for n, cut := int64(1), true; cut; n += 7 {
		x := begin(t, s)
		apply(t, x, engine.Op{Kind: engine.Put, Key: "first"})
		_, err := x.Apply(newCountdown(n), []engine.Op{{Kind: engine.DeleteRange, Range: engine.Range{Start: "k"}}})
		cut = err != nil
		_, err = x.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "second"}})
		if errors.Is(err, engine.ErrTxDone) {
			ended++
		} else if err != nil {
			t.Errorf("step %d: %v", n, err)
		}
		if err := x.Rollback(); err != nil {
			t.Error(err)
		}
		if exists(t, s, "first") || exists(t, s, "second") {
			t.Fatalf("step %d: a change that was rolled back is there", n)
		}
	}
	if ended == 0 {
		t.Error("nothing was interrupted in the middle of a write")
	}
}

// limitPages makes the writer find the disk full.
func limitPages(t *testing.T, s *Store, n int) {
	t.Helper()
	if err := s.onWriter(t.Context(), func(c *driver.Conn) error { return c.Exec(fmt.Sprintf(`PRAGMA max_page_count=%d`, n)) }); err != nil {
		t.Fatal(err)
	}
}

func TestFullDiskInTx(t *testing.T) {
	s := openVault(t, filepath.Join(t.TempDir(), "v.kv"), &Options{PageSize: 512})
	limitPages(t, s, 500)
	x := begin(t, s)
	apply(t, x, engine.Op{Kind: engine.Put, Key: "first"})
	var io *engine.IOError
	if _, err := x.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "a", Value: make([]byte, 400_000)}}); !errors.As(err, &io) {
		t.Errorf("%v", err)
	}
	_, second := x.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "second"}})
	commit := x.Commit(t.Context())
	if err := x.Rollback(); err != nil {
		t.Error(err)
	}
	if exists(t, s, "first") != (commit == nil) || exists(t, s, "second") != (commit == nil && second == nil) {
		t.Errorf("after the disk was full: put %v, commit %v; first is there: %t, second: %t", second, commit, exists(t, s, "first"), exists(t, s, "second"))
	}
	apply(t, s, engine.Op{Kind: engine.Put, Key: "later"})
}

// One caller's full disk is not another's, though they share a commit.
func TestFullDiskInGroup(t *testing.T) {
	s := openVault(t, filepath.Join(t.TempDir(), "v.kv"), &Options{PageSize: 512})
	limitPages(t, s, 500)
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			value := []byte("v")
			if i%10 == 0 {
				value = make([]byte, 400_000)
			}
			_, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: fmt.Sprint(i), Value: value}})
			if (err != nil) != (i%10 == 0) {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if n, err := s.Count(t.Context(), engine.Range{}); n != 36 || err != nil {
		t.Errorf("%d keys, want 36; %v", n, err)
	}
}

// waitFor polls for what another goroutine is about to bring about.
func waitFor(t *testing.T, what string, ready func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ready(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain for " + what)
		}
	}
}

// A transaction that begins while the vault closes is ended like those that were open before.
func TestBeginWhileClosing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := openVault(t, path, &Options{BusyTimeout: time.Minute})
	c, err := sqlite3.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s.writer.stopSweeping()
	if err := c.Exec(`BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	begun := make(chan engine.Tx)
	go func() {
		x, err := s.Begin(context.Background(), true)
		if err != nil {
			t.Error(err)
		}
		begun <- x
	}()
	waitFor(t, "the turn to be taken", func() bool { return len(s.writer.turn) == 1 })
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	waitFor(t, "Close", s.isClosing)
	if err := c.Exec(`ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	x := <-begun
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if _, err := x.Get(t.Context(), "k"); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("get: %v", err)
	}
}

// Close leaves a stage to the sweeper though a transaction has the writer's turn.
func TestCloseWithStageBesideTx(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	for range 5 { // the order in which Close meets them varies
		s := openVault(t, path, &Options{OneRowLimit: 5})
		st, err := s.Stage(t.Context(), engine.StageOptions{ChunkSize: 10, Size: -1})
		if err != nil {
			t.Fatal(err)
		}
		if err := st.WriteChunk(t.Context(), make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		begin(t, s)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	s := openVault(t, path, nil)
	if err := s.Optimize(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if stats, err := s.Stats(t.Context()); err != nil || stats.Staged != 0 {
		t.Errorf("%d stages are left, %v", stats.Staged, err)
	}
}

// Optimize works on vaults that are larger than memory.
func TestOptimizeNeedsLittleMemory(t *testing.T) {
	s := openVault(t, filepath.Join(t.TempDir(), "v.kv"), &Options{CacheKB: 1000})
	for i := range 10 {
		apply(t, s, engine.Op{Kind: engine.Put, Key: fmt.Sprint(i), Value: make([]byte, 4<<20)})
	}
	s.writer.turn <- struct{}{}
	s.conf.MaxMemory = 24 << 20
	s.writer.replace()
	s.writer.release()
	if err := s.Optimize(t.Context(), nil); err != nil {
		t.Error(err)
	}
	apply(t, s, engine.Op{Kind: engine.Put, Key: "later"})
}

// A blob whose log could not be read for a while has the same version afterwards.
func TestBlobAfterIOError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := openVault(t, path, &Options{OneRowLimit: 10, PageSize: 4096})
	apply(t, s, engine.Op{Kind: engine.Put, Key: "x", Value: bytes.Repeat([]byte("x"), 3<<20)})
	b, err := s.Open(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	wal, err := os.ReadFile(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path+"-wal", 1<<15); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 10)
	for off := int64(500_000); off < 3<<20; off += 1 << 20 {
		if _, err := b.ReadAt(t.Context(), p, off); err == nil {
			t.Error("no error without the log")
		}
	}
	if err := os.WriteFile(path+"-wal", wal, 0o666); err != nil {
		t.Fatal(err)
	}
	apply(t, s, engine.Op{Kind: engine.Delete, Key: "x"})
	if err := s.writer.sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	apply(t, s, engine.Op{Kind: engine.Put, Key: "y", Value: bytes.Repeat([]byte("y"), 3<<20)})
	if _, err := b.ReadAt(t.Context(), p, 2<<20+500_000); err == nil && string(p) != "xxxxxxxxxx" {
		t.Errorf("read %q of another value", p)
	}
}

// A connection that was left inside a transaction is replaced: the store can be written again.
func TestWriterLeftInTransaction(t *testing.T) {
	s := openVault(t, filepath.Join(t.TempDir(), "v.kv"), nil)
	if err := s.writer.conn.Begin(true); err != nil {
		t.Fatal(err)
	}
	put := []engine.Op{{Kind: engine.Put, Key: "k", Value: []byte("v")}}
	if _, err := s.Apply(t.Context(), put); err == nil {
		t.Error("a transaction began inside another")
	}
	if _, err := s.Apply(t.Context(), put); err != nil {
		t.Errorf("the next one: %v", err)
	}
}

// A part of the check that runs again because the file changed under it tells what it finds once,
// and one that never ran undisturbed tells nothing.
func TestCheckTellsOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s, err := Open(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.writer.conn.Exec(`INSERT INTO kvault(key, value) VALUES('text', 'v')`); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err == nil {
		err = os.Truncate(path, info.Size()-100)
	}
	if err != nil {
		t.Fatal(err)
	}
	if s, err = Open(t.Context(), path, &Options{ReadOnly: true}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for what, check := range map[string]func(*checker, *session) error{"odd keys": (*checker).checkOddKeys, "length": (*checker).checkLength} {
		for disturbed, want := range map[int]int{0: 1, 1: 1, readAttempts: 0} {
			told, runs := 0, 0
			c := &checker{Store: s, ctx: t.Context(), report: func(engine.Problem) { told++ }}
			err := c.part(what, func(ses *session) error {
				if err := check(c, ses); err != nil {
					return err
				}
				if runs++; runs <= disturbed {
					return errAgain
				}
				return nil
			})
			if again := errors.Is(err, errAgain); told != want || again != (want == 0) {
				t.Errorf("%s, disturbed %d times: told %d times, %v; want %d", what, disturbed, told, err, want)
			}
		}
	}
}
