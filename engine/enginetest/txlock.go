package enginetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
)

func txLockTests() []transactorTest {
	return []transactorTest{
		{"OneWriter", testOneWriter},
		{"WritersWaitTheirTurn", testWritersWait},
		{"ReadersAndWritersDoNotWait", testNoWaiting},
		{"ConcurrentUse", testTxConcurrent},
		{"Increments", testIncrements},
	}
}

// briefly is a context that ends while somebody else holds the lock.
func briefly(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

func testOneWriter(t *testing.T, s engine.Transactor) {
	w := begin(t, s, true)
	put(t, w, "a", "1")
	_, err := s.Begin(briefly(t), true)
	wantErr(t, "Begin of a second writer", err, context.DeadlineExceeded)
	_, err = s.Apply(briefly(t), []engine.Op{putOp("b", "2")})
	wantErr(t, "Apply beside a writer", err, context.DeadlineExceeded)
	commit(t, w)
	has(t, s, "a", "1")
	put(t, s, "b", "3")
	rollback(t, begin(t, s, true))
	has(t, s, "a", "1", "b", "3")
}

func testWritersWait(t *testing.T, s engine.Transactor) {
	put(t, s, "a", "0")
	for _, end := range []func(*testing.T, engine.Tx){commit, rollback} {
		w := begin(t, s, true)
		done := make(chan error, 2)
		go func() {
			_, err := s.Apply(t.Context(), []engine.Op{putOp("b", "applied")})
			done <- err
		}()
		go func() {
			second, err := s.Begin(t.Context(), true)
			if err == nil {
				_, err = second.Apply(t.Context(), []engine.Op{putOp("c", "committed")})
			}
			if err == nil {
				err = second.Commit(t.Context())
			}
			done <- err
		}()
		put(t, w, "a", "1")
		has(t, s, "a", "0")
		end(t, w)
		for range 2 {
			if err := <-done; err != nil {
				t.Fatalf("a writer that waited: %v", err)
			}
		}
		holds(t, s, "b", []byte("applied"))
		holds(t, s, "c", []byte("committed"))
		apply(t, s, rangeOp("", ""), putOp("a", "0"))
	}
}

func testNoWaiting(t *testing.T, s engine.Transactor) {
	put(t, s, "a", "old")
	readers := []engine.Tx{begin(t, s, false), begin(t, s, false)}
	w := begin(t, s, true)
	put(t, w, "a", "new")
	readers = append(readers, begin(t, s, false))
	for _, r := range readers {
		has(t, r, "a", "old")
	}
	commit(t, w)
	put(t, s, "a", "newer")
	for _, r := range readers {
		has(t, r, "a", "old")
		rollback(t, r)
	}
	has(t, s, "a", "newer")
}

// testTxConcurrent uses one transaction from several goroutines.
func testTxConcurrent(t *testing.T, s engine.Transactor) {
	w := begin(t, s, true)
	ctx := t.Context()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 20 {
				key := fmt.Sprint(i, "/", n)
				if _, err := w.Apply(ctx, []engine.Op{putOp(key, key)}); err != nil {
					t.Errorf("Apply: %v", err)
				}
				if got, err := w.Get(ctx, key); err != nil || string(got) != key {
					t.Errorf("Get(%q): %q, %v", key, got, err)
				}
				if _, err := w.List(ctx, engine.Query{Limit: 10}); err != nil {
					t.Errorf("List: %v", err)
				}
			}
		})
	}
	wg.Wait()
	commit(t, w)
	if n, err := s.Count(ctx, engine.Range{}); n != 80 || err != nil {
		t.Errorf("Count: %d, %v; want 80", n, err)
	}
}

// testIncrements reads and writes one key in transactions of several goroutines: no update may be
// lost.
func testIncrements(t *testing.T, s engine.Transactor) {
	put(t, s, "n", "0")
	const goroutines, each = 4, 25
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range each {
				if err := increment(t.Context(), s); err != nil {
					t.Errorf("increment: %v", err)
				}
			}
		})
	}
	wg.Wait()
	has(t, s, "n", fmt.Sprint(goroutines*each))
}

func increment(ctx context.Context, s engine.Transactor) error {
	tx, err := s.Begin(ctx, true)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	value, err := tx.Get(ctx, "n")
	if err != nil {
		return err
	}
	var n int
	if _, err := fmt.Sscan(string(value), &n); err != nil {
		return err
	}
	if _, err := tx.Apply(ctx, []engine.Op{putOp("n", fmt.Sprint(n+1))}); err != nil {
		return err
	}
	return tx.Commit(ctx)
}
