package column_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/mem"
)

// commits decides what becomes of the commits of a mem.Single.
type commits struct {
	// conflicts, if not 0, makes each commit but every so manieth lose to another writer.
	conflicts int

	mu    sync.Mutex
	n     int
	fault func() mem.Fault
	ids   []string
	// during, if not nil, runs while a flush writes keys, before the commit of its elements.
	during func()
}

func (c *commits) op(engine.Op) mem.Fault {
	if c.during != nil {
		c.during()
	}
	return mem.Fault{}
}

func (c *commits) of(id string) mem.Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	if c.conflicts > 0 && c.n%c.conflicts != 0 {
		return mem.Fault{Err: engine.ErrConflict}
	}
	c.ids = append(c.ids, id)
	if c.fault != nil {
		return c.fault()
	}
	return mem.Fault{}
}

// fail has the next n commits end with f, and all of them if n is negative.
func (c *commits) fail(n int, f mem.Fault) {
	c.on(func() mem.Fault {
		if n == 0 {
			return mem.Fault{}
		}
		n--
		return f
	})
}

func (c *commits) on(fault func() mem.Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fault = fault
}

// newSingle is a vault of a store that makes one change at a time.
func newSingle(t *testing.T, c *commits) *kvault.Vault {
	t.Helper()
	v, err := kvault.New(mem.NewSingle(&mem.SingleOptions{Op: c.op, Commit: c.of}), &kvault.Options{RetryDelay: time.Nanosecond})
	must(t, err)
	return closing(t, v)
}

// whichever returns the slice that the column holds.
func whichever[T any](t *testing.T, c *column.Column[T], some ...[]T) []T {
	t.Helper()
	got, err := c.Slice(t.Context(), 0, 1<<40)
	must(t, err)
	for _, want := range some {
		if len(got) == len(want) && (len(got) == 0 || reflect.DeepEqual(got, want)) {
			return want
		}
	}
	t.Fatalf("it holds %v, want one of %v", got, some)
	return nil
}

// lost returns faults of commits that end unknown now and then, whether done or not.
func lost(r *rand.Rand) func() mem.Fault {
	return func() mem.Fault {
		if r.IntN(3) > 0 {
			return mem.Fault{}
		}
		return mem.Fault{Err: engine.ErrUnknown, Done: r.IntN(2) == 0}
	}
}

func TestModelOfSingleChanges(t *testing.T) {
	t.Run("i64", func(t *testing.T) {
		modelOfSingle(t, column.Int64, func(r *rand.Rand) int64 { return int64(r.Uint64()) })
	})
	t.Run("text", func(t *testing.T) {
		modelOfSingle(t, column.String, func(r *rand.Rand) string { return strings.Repeat("é", r.IntN(40)) })
	})
}

func modelOfSingle[T any](t *testing.T, codec column.Codec[T], random func(*rand.Rand) T) {
	for seed := range uint64(6) {
		c := &commits{conflicts: 2}
		v := newSingle(t, c)
		col := create(t, v, "c", codec, tiny)
		c.on(lost(rand.New(rand.NewPCG(seed, 3))))
		modelOf(t, v, col, nil, seed, random)
		c.on(nil)
	}
}

// With replies lost all the time, each cached element is in the column once, and in order.
func TestCachedModelOfSingleChanges(t *testing.T) {
	for seed := range uint64(10) {
		c := &commits{conflicts: 2}
		v := newSingle(t, c)
		cached(t, v, &kvault.CacheOptions{Capacity: 900, Threshold: 600})
		col := create(t, v, "c", column.Int64, tiny)
		r := rand.New(rand.NewPCG(seed, 4))
		random := func(r *rand.Rand) int64 { return int64(r.Uint64()) }
		var want []int64
		for range 100 {
			next, err := want, error(nil)
			c.on(lost(r))
			if k := r.IntN(10); k == 0 {
				_, err = v.FlushCache(t.Context())
			} else if k == 1 {
				next, err = change(t, col, append([]int64{}, want...), r, random)
			} else {
				x := random(r)
				next, err = append(want[:len(want):len(want)], x), col.Append(t.Context(), x)
			}
			c.on(nil)
			if errors.Is(err, kvault.ErrUnknown) {
				want = whichever(t, col, want, next)
			} else {
				must(t, err)
				want = next
			}
			holds(t, col, want)
		}
	}
}

// doubtful is a vault with a column "c" that holds 1 and 2, whose commit ended with f.
func doubtful(t *testing.T, f mem.Fault) (*kvault.Vault, *column.Column[int64], *commits) {
	t.Helper()
	c := &commits{}
	v := newSingle(t, c)
	cached(t, v, nil)
	col := create(t, v, "c", column.Int64, tiny)
	must(t, col.Extend(t.Context(), []int64{1, 2}))
	flushInDoubt(t, v, c, f)
	return v, col, c
}

func flushInDoubt(t *testing.T, v *kvault.Vault, c *commits, f mem.Fault) {
	t.Helper()
	c.fail(1, f)
	if _, err := v.FlushCache(t.Context()); !errors.Is(err, f.Err) {
		t.Fatalf("flush: %v, want %v", err, f.Err)
	}
}

// doubtfulBefore is doubtful with 3 behind them, which came during the flush.
func doubtfulBefore(t *testing.T, f mem.Fault) (*kvault.Vault, *column.Column[int64], *commits) {
	t.Helper()
	c := &commits{}
	v := newSingle(t, c)
	cached(t, v, nil)
	col := create(t, v, "c", column.Int64, tiny)
	must(t, col.Extend(t.Context(), []int64{1, 2}))
	must(t, v.Put(t.Context(), "other", nil))
	c.during = func() {
		if err := col.Append(t.Context(), 3); err != nil {
			t.Error(err)
		}
	}
	flushInDoubt(t, v, c, f)
	c.during = nil
	return v, col, c
}

// unknown are the ends of commits that may have taken effect.
func unknown(t *testing.T, run func(t *testing.T, f mem.Fault)) {
	for _, err := range []error{engine.ErrUnknown, context.Canceled, context.DeadlineExceeded} {
		for _, done := range []bool{true, false} {
			t.Run(fmt.Sprintf("%v, done %t", err, done), func(t *testing.T) { run(t, mem.Fault{Err: err, Done: done}) })
		}
	}
}

func TestReadsSettleADoubt(t *testing.T) {
	unknown(t, func(t *testing.T, f mem.Fault) {
		ctx := t.Context()
		_, col, c := doubtful(t, f)
		holds(t, col, []int64{1, 2})
		if n := len(c.ids); n < 2 || c.ids[n-1] != c.ids[n-2] || c.ids[n-1] == "" {
			t.Errorf("the commits have the ids %q", c.ids)
		}
		must(t, col.Append(ctx, 3))
		holds(t, col, []int64{1, 2, 3})
	})
}

func TestAppendsBehindADoubt(t *testing.T) {
	unknown(t, func(t *testing.T, f mem.Fault) {
		ctx := t.Context()
		v, col, c := doubtfulBefore(t, f)
		before := len(c.ids)
		n, err := v.FlushCache(ctx)
		must(t, err)
		if n != 2 || len(c.ids) != before+2 || c.ids[before] != c.ids[before-1] || c.ids[before+1] == c.ids[before] {
			t.Errorf("flushed %d entries under the ids %q", n, c.ids[before-1:])
		}
		holds(t, col, []int64{1, 2, 3})
	})
}

// With the cache locked, a read writes those in doubt, and nothing else.
func TestReadsSettleADoubtAlone(t *testing.T) {
	unknown(t, func(t *testing.T, f mem.Fault) {
		ctx := t.Context()
		v, col, _ := doubtfulBefore(t, f)
		unlock, err := v.LockCache()
		must(t, err)
		must(t, v.Put(ctx, "k", []byte("value")))
		want := v.CacheStats()
		holds(t, col, []int64{1, 2, 3})
		got := v.CacheStats()
		if got.Entries != want.Entries || got.Bytes != want.Bytes-16 || got.Flushes != want.Flushes+1 {
			t.Errorf("the cache has %+v, and had %+v", got, want)
		}
		must(t, v.Put(ctx, "k", []byte("other")))
		unlock()
		n, err := v.FlushCache(ctx)
		must(t, err)
		if s := v.CacheStats(); n != 2 || s.Entries != 0 || s.Bytes != 0 {
			t.Errorf("flushed %d entries; the cache has %+v", n, s)
		}
		holds(t, col, []int64{1, 2, 3})
	})
}

// What nobody can settle cannot be read, nor can elements of other columns be bound behind it.
func TestDoubtThatLasts(t *testing.T) {
	ctx := t.Context()
	v, col, c := doubtful(t, mem.Fault{Err: engine.ErrUnknown, Done: true})
	must(t, v.Put(ctx, "k", nil))
	c.fail(-1, mem.Fault{Err: engine.ErrUnknown})
	_, err := col.Len(ctx)
	wantErr(t, err, kvault.ErrUnknown)
	_, err = column.Open(ctx, v, "c", column.Int64)
	wantErr(t, err, kvault.ErrUnknown)
	if s := v.CacheStats(); s.Entries != 2 || s.LastError == nil {
		t.Errorf("the cache has %+v", s)
	}
	if found, err := v.Exists(ctx, "k"); !found || err != nil {
		t.Errorf("keys can be read: %t, %v", found, err)
	}
	c.on(nil)
	holds(t, col, []int64{1, 2})
	if s := v.CacheStats(); s.Entries != 1 {
		t.Errorf("the cache has %+v", s)
	}
}

func TestBindSettlesADoubt(t *testing.T) {
	ctx := t.Context()
	c := &commits{}
	v := newSingle(t, c)
	a, b := create(t, v, "a", column.Int64, tiny), create(t, v, "b", column.Int64, tiny)
	cached(t, v, nil)
	must(t, a.Append(ctx, 1))
	c.fail(2, mem.Fault{Err: engine.ErrUnknown, Done: true})
	_, err := v.FlushCache(ctx)
	wantErr(t, err, kvault.ErrUnknown)
	wantErr(t, b.Append(ctx, 1), kvault.ErrUnknown)
	must(t, b.Append(ctx, 2))
	holds(t, a, []int64{1})
	holds(t, b, []int64{2})
}

// The store forgets ids. Until then it must have been asked, or nobody ever knows.
func TestLateDoubt(t *testing.T) {
	for _, done := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			ctx := t.Context()
			v, col, c := doubtful(t, mem.Fault{Err: engine.ErrUnknown, Done: done})
			must(t, v.Put(ctx, "k", []byte("value")))
			time.Sleep(engine.CommitMemory - time.Second)
			n := len(c.ids)
			flushed, err := v.FlushCache(ctx)
			wantErr(t, err, kvault.ErrUnknown)
			wantFlushError(t, err, kvault.CacheEntry{Column: "c"})
			if flushed != 1 {
				t.Errorf("%d entries were flushed, want the key", flushed)
			}
			_, err = col.Len(ctx)
			wantErr(t, err, kvault.ErrUnknown)
			if len(c.ids) != n {
				t.Error("the elements were written again")
			}
			found, err := v.DiscardCached(ctx, kvault.CacheEntry{Column: "c"})
			if !found || err != nil {
				t.Errorf("discard: %t, %v", found, err)
			}
			if done {
				holds(t, col, []int64{1, 2})
			} else {
				holds(t, col, nil)
			}
			must(t, v.Close())
		})
	}
}

func TestDiscardOfADoubt(t *testing.T) {
	ctx := t.Context()
	discards := map[string]func(v *kvault.Vault) error{
		"all": func(v *kvault.Vault) error {
			n, err := v.DiscardCache(ctx)
			if n != 2 {
				t.Errorf("%d entries were discarded, want 2", n)
			}
			return err
		},
		"column": func(v *kvault.Vault) error {
			_, err := v.DiscardCached(ctx, kvault.CacheEntry{Column: "c"})
			return errors.Join(err, func() error { _, err := v.DiscardCached(ctx, kvault.CacheEntry{Key: "k"}); return err }())
		},
	}
	for name, discard := range discards {
		for _, done := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, done %t", name, done), func(t *testing.T) {
				v, col, c := doubtfulBefore(t, mem.Fault{Err: engine.ErrUnknown, Done: done})
				must(t, v.Put(ctx, "k", nil))
				n := len(c.ids)
				must(t, discard(v))
				if s := v.CacheStats(); s.Entries != 0 || s.Bytes != 0 {
					t.Errorf("the cache has %+v", s)
				}
				want := []int64(nil)
				if done {
					want = []int64{1, 2}
				}
				holds(t, col, want)
				if len(c.ids) != n {
					t.Error("they were written again")
				}
				must(t, col.Append(ctx, 4))
				holds(t, col, append(want, 4))
			})
		}
	}
}

// A batch in doubt whose column is gone cannot be written, whatever became of it.
func TestDoubtOfADroppedColumn(t *testing.T) {
	ctx := t.Context()
	c := &commits{}
	s := mem.NewSingle(&mem.SingleOptions{Commit: c.of})
	v, other := newOn(t, s), newOn(t, s)
	a, b := create(t, v, "a", column.Int64, tiny), create(t, v, "b", column.Int64, tiny)
	cached(t, v, nil)
	must(t, a.Append(ctx, 1))
	must(t, b.Append(ctx, 2))
	c.fail(1, mem.Fault{Err: engine.ErrUnknown, Done: true})
	_, err := v.FlushCache(ctx)
	wantErr(t, err, kvault.ErrUnknown)
	must(t, column.Drop(ctx, other, "a"))
	_, err = v.FlushCache(ctx)
	wantErr(t, err, kvault.ErrNotFound)
	wantFlushError(t, err, kvault.CacheEntry{Column: "a"})
	_, err = b.Len(ctx)
	wantErr(t, err, kvault.ErrNotFound)
	if found, err := v.DiscardCached(ctx, kvault.CacheEntry{Column: "a"}); !found || err != nil {
		t.Errorf("discard: %t, %v", found, err)
	}
	holds(t, b, []int64{2}) // once
}

// panicking is a Single whose commits panic once they have taken effect.
type panicking struct {
	*mem.Single
	panics bool
}

type panickingTx struct {
	engine.ArrayTx
	s *panicking
}

func (s *panicking) BeginArrays(ctx context.Context, writable bool) (engine.ArrayTx, error) {
	tx, err := s.Single.BeginArrays(ctx, writable)
	return &panickingTx{tx, s}, err
}

func (t *panickingTx) Commit(ctx context.Context, id string) error {
	err := t.ArrayTx.Commit(ctx, id)
	if t.s.panics {
		panic(errBoom)
	}
	return err
}

func TestPanicLeavesADoubt(t *testing.T) {
	ctx := t.Context()
	s := &panicking{Single: mem.NewSingle(nil)}
	v := newOn(t, s)
	col := create(t, v, "c", column.Int64, tiny)
	cached(t, v, nil)
	must(t, col.Extend(ctx, []int64{1, 2}))
	for range 2 { // the second is that of a batch in doubt
		func() {
			defer func() {
				if r := recover(); r != errBoom {
					t.Errorf("recovered %v", r)
				}
			}()
			s.panics = true
			_, _ = v.FlushCache(ctx)
		}()
	}
	s.panics = false
	must(t, col.Append(ctx, 3))
	holds(t, col, []int64{1, 2, 3})
}
