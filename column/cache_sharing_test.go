package column_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/mem"
)

func TestColumnOfAnotherTypeElsewhere(t *testing.T) {
	ctx, path := t.Context(), newPath(t)
	v, other := openFile(t, path), openFile(t, path)
	c := create(t, v, "c", column.String, nil)
	cached(t, v, nil)
	must(t, c.Append(ctx, "new"))
	must(t, column.Drop(ctx, other, "c"))
	create(t, other, "c", column.Int64, nil)
	var wrong *column.TypeError
	_, err := v.FlushCache(ctx)
	if !errors.As(err, &wrong) || wrong.Column != "c" {
		t.Error(err)
	}
	if err := v.Close(); !errors.As(err, &wrong) {
		t.Error(err)
	}
	if s := v.CacheStats(); s.Entries != 1 {
		t.Errorf("the cache holds %+v", s)
	}
	n, err := v.DiscardCache(ctx)
	if must(t, err); n != 1 {
		t.Errorf("discarded %d entries", n)
	}
	must(t, v.Close())
	_, err = v.DiscardCache(ctx)
	wantErr(t, err, kvault.ErrClosed)
}

// slowCommit is an engine whose commits can be held up when they are done, before the vault knows.
type slowCommit struct {
	*mem.Store
	hold atomic.Pointer[func()]
}

type slowTx struct {
	engine.Tx
	arrays
	s        *slowCommit
	writable bool
}

func (s *slowCommit) Begin(ctx context.Context, writable bool) (engine.Tx, error) {
	tx, err := s.Store.Begin(ctx, writable)
	if err != nil {
		return nil, err
	}
	return &slowTx{tx, tx.(engine.Arrays), s, writable}, nil
}

func (t *slowTx) Commit(ctx context.Context) error {
	err := t.Tx.Commit(ctx)
	if hold := t.s.hold.Load(); hold != nil && t.writable {
		(*hold)()
	}
	return err
}

// A snapshot that begins while a flush commits must not see the elements both in the store and in
// the cache.
func TestSnapshotWhileAppendsCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, s := t.Context(), &slowCommit{Store: mem.New()}
		v := newOn(t, s)
		c := create(t, v, "c", column.Int64, nil)
		cached(t, v, nil)
		must(t, c.Extend(ctx, []int64{1, 2, 3}))
		gate := make(chan struct{})
		hold := func() { <-gate }
		s.hold.Store(&hold)
		go func() {
			_, err := v.FlushCache(ctx)
			must(t, err)
		}()
		synctest.Wait() // the flush has committed
		s.hold.Store(nil)
		short, cancel := context.WithCancel(ctx)
		go func() {
			if n, err := c.Len(ctx); err != nil || n != 3 {
				t.Errorf("Len is %d, %v while the flush commits", n, err)
			}
		}()
		go func() {
			_, err := c.Len(short)
			wantErr(t, err, context.Canceled)
		}()
		synctest.Wait()
		cancel()
		if _, err := v.Len(ctx); err != nil { // keys do not wait
			t.Error(err)
		}
		close(gate)
		synctest.Wait()
		holds(t, c, []int64{1, 2, 3})
	})
}

// Readers beside a writer whose cache is flushed all the time see each element once, in order, and
// never fewer than were there before.
func TestReadersBesideCachedAppends(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		ctx := t.Context()
		c := create(t, v, "c", column.Int64, nil)
		cached(t, v, &kvault.CacheOptions{Threshold: 100})
		var done atomic.Int64
		var work sync.WaitGroup
		const total = 1500
		for range 3 {
			work.Go(func() {
				for done.Load() < total && !t.Failed() {
					before := done.Load()
					xs, err := c.Slice(ctx, 0, 1<<40)
					if err != nil || int64(len(xs)) < before {
						t.Errorf("%d elements, %v; %d were there before", len(xs), err, before)
						return
					}
					for i, x := range xs {
						if x != int64(i) {
							t.Errorf("element %d of %d is %d", i, len(xs), x)
							return
						}
					}
				}
			})
		}
		for i := range int64(total) {
			must(t, c.Append(ctx, i))
			done.Store(i + 1)
		}
		work.Wait()
		holds(t, c, numbers(0, total))
	})
}

func TestManyCachesAppend(t *testing.T) {
	ctx, path := t.Context(), newPath(t)
	create(t, openFile(t, path), "c", column.Int64, nil)
	var work sync.WaitGroup
	for h := range 3 {
		v, err := kvault.Open(ctx, path, &kvault.Options{BusyTimeout: time.Minute})
		must(t, err)
		cached(t, closing(t, v), &kvault.CacheOptions{Threshold: 300})
		c := openColumn(t, v, "c", column.Int64)
		for g := range 2 {
			work.Go(func() {
				for i := range int64(200) {
					if err := c.Append(ctx, int64(2*h+g)*1000+i); err != nil {
						t.Error(err)
						return
					}
				}
				_, err := v.FlushCache(ctx)
				must(t, err)
			})
		}
	}
	work.Wait()
	next := map[int64]int64{}
	got := elsewhere(t, path, "c", column.Int64)
	for _, x := range got {
		if x%1000 != next[x/1000] {
			t.Fatalf("writer %d: %d comes when %d is due", x/1000, x%1000, next[x/1000])
		}
		next[x/1000]++
	}
	if len(got) != 6*200 {
		t.Errorf("%d elements, want %d", len(got), 6*200)
	}
}
