package column_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

func cached(t *testing.T, v *kvault.Vault, o *kvault.CacheOptions) *kvault.Vault {
	t.Helper()
	must(t, v.EnableCache(t.Context(), o))
	return v
}

// elsewhere is what a handle without a cache finds in the file.
func elsewhere[T any](t *testing.T, path, name string, codec column.Codec[T]) []T {
	t.Helper()
	v, err := kvault.Open(t.Context(), path, nil)
	must(t, err)
	defer v.Close()
	c := openColumn(t, v, name, codec)
	xs, err := c.Slice(t.Context(), 0, 1<<40)
	must(t, err)
	return xs
}

// With a cache so small that it is flushed all the time, a column answers as a slice does.
func TestCachedModel(t *testing.T) {
	test := func(t *testing.T, v *kvault.Vault) {
		cached(t, v, &kvault.CacheOptions{Capacity: 900, Threshold: 600})
		t.Run("i64", func(t *testing.T) {
			cachedModel(t, v, column.Int64, func(r *rand.Rand) int64 { return int64(r.Uint64()) })
		})
		t.Run("text", func(t *testing.T) {
			cachedModel(t, v, column.String, func(r *rand.Rand) string { return strings.Repeat("é", r.IntN(40)) })
		})
		t.Run("elements as large as the cache", func(t *testing.T) {
			cachedModel(t, v, column.String, func(r *rand.Rand) string { return strings.Repeat("x", r.IntN(1000)) })
		})
	}
	onEngines(t, test)
	t.Run("one change at a time", func(t *testing.T) { test(t, newSingle(t, &commits{conflicts: 3})) })
}

func cachedModel[T any](t *testing.T, v *kvault.Vault, codec column.Codec[T], random func(*rand.Rand) T) {
	for seed := range uint64(3) {
		r := rand.New(rand.NewPCG(seed, 2))
		c := create(t, v, fmt.Sprint(t.Name(), seed), codec, tiny)
		var want []T
		for range 60 {
			var err error
			if r.IntN(3) > 0 { // mostly appends, or nothing would ever wait
				x := random(r)
				want, err = append(want, x), c.Append(t.Context(), x)
			} else {
				want, err = change(t, c, want, r, random)
			}
			must(t, err)
			if r.IntN(10) == 0 {
				_, err := v.FlushCache(t.Context())
				must(t, err)
			}
			holds(t, c, want)
		}
	}
}

func TestCacheHoldsAppendsBack(t *testing.T) {
	ctx, path := t.Context(), newPath(t)
	v := openFile(t, path)
	ints, texts := create(t, v, "ints", column.Int64, nil), create(t, v, "texts", column.String, nil)
	must(t, ints.Append(ctx, 1))
	cached(t, v, nil)
	must(t, ints.Extend(ctx, []int64{2, 3}))
	must(t, ints.Append(ctx, 4))
	must(t, texts.Extend(ctx, []string{"a", "", "ccc"}))
	must(t, v.Put(ctx, "key", []byte("value")))

	holds(t, ints, []int64{1, 2, 3, 4})
	holds(t, texts, []string{"a", "", "ccc"})
	sum, err := column.Summarize(ctx, ints, nil)
	if must(t, err); sum.Count != 4 || sum.Max != 4 {
		t.Errorf("summary %+v", sum)
	}
	list, err := column.List(ctx, v)
	if must(t, err); len(list) != 2 || list[0].Len != 4 || list[1].Len != 3 {
		t.Errorf("listed as %+v", list)
	}
	if s := v.CacheStats(); s.Entries != 3 || s.Bytes != 3*8+(4+3*8)+int64(len("keyvalue")) {
		t.Errorf("cache holds %+v", s)
	}
	wantSlice(t, elsewhere(t, path, "ints", column.Int64), 1)
	wantSlice(t, elsewhere(t, path, "texts", column.String))

	n, err := v.FlushCache(ctx)
	if must(t, err); n != 3 {
		t.Errorf("flushed %d entries, want 3", n)
	}
	if s := v.CacheStats(); s.Entries != 0 || s.Bytes != 0 {
		t.Errorf("after the flush the cache holds %+v", s)
	}
	wantSlice(t, elsewhere(t, path, "ints", column.Int64), 1, 2, 3, 4)
	wantSlice(t, elsewhere(t, path, "texts", column.String), "a", "", "ccc")
	holds(t, ints, []int64{1, 2, 3, 4})
}

func TestCacheIsFlushedBy(t *testing.T) {
	for name, call := range map[string]func(context.Context, *kvault.Vault, *column.Column[int64]) error{
		"an update": func(ctx context.Context, v *kvault.Vault, _ *column.Column[int64]) error {
			return v.Update(ctx, func(*kvault.Tx) error { return nil })
		},
		"a set": func(ctx context.Context, _ *kvault.Vault, c *column.Column[int64]) error { return c.Set(ctx, -1, 3) },
		"a rename": func(ctx context.Context, v *kvault.Vault, _ *column.Column[int64]) error {
			return column.Rename(ctx, v, "other", "another")
		},
		"its end":    func(ctx context.Context, v *kvault.Vault, _ *column.Column[int64]) error { return v.DisableCache(ctx) },
		"closing":    func(_ context.Context, v *kvault.Vault, _ *column.Column[int64]) error { return v.Close() },
		"its bounds": func(ctx context.Context, _ *kvault.Vault, c *column.Column[int64]) error { return c.Append(ctx, 3) },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, path := t.Context(), newPath(t)
			v := openFile(t, path)
			c := create(t, v, "c", column.Int64, nil)
			create(t, v, "other", column.Int64, nil)
			cached(t, v, &kvault.CacheOptions{Threshold: 24})
			must(t, c.Extend(ctx, []int64{1, 2}))
			must(t, call(ctx, v, c))
			if got := elsewhere(t, path, "c", column.Int64); len(got) < 2 || got[0] != 1 {
				t.Errorf("the file has %d", got)
			}
		})
	}
}

func TestWithCacheOfAppends(t *testing.T) {
	ctx, path := t.Context(), newPath(t)
	v := openFile(t, path)
	c := create(t, v, "c", column.Int64, nil)
	err := v.WithCache(ctx, nil, func() error {
		must(t, c.Append(ctx, 1))
		wantSlice(t, elsewhere(t, path, "c", column.Int64))
		return errBoom
	})
	if !errors.Is(err, errBoom) {
		t.Error(err)
	}
	wantSlice(t, elsewhere(t, path, "c", column.Int64), 1)
}

func TestLockedCacheOfAppends(t *testing.T) {
	ctx, path := t.Context(), newPath(t)
	v := cached(t, openFile(t, path), nil)
	c := create(t, v, "c", column.Int64, nil)
	must(t, v.EnableCache(ctx, &kvault.CacheOptions{Capacity: 20, Threshold: 16}))
	unlock, err := v.LockCache()
	must(t, err)
	must(t, c.Append(ctx, 1))
	must(t, c.Append(ctx, 2))
	wantErr(t, c.Append(ctx, 3), kvault.ErrBusy)
	wantErr(t, c.Extend(ctx, []int64{3, 4, 5}), kvault.ErrBusy) // larger than the cache, so it would have to be flushed
	wantSlice(t, elsewhere(t, path, "c", column.Int64))
	holds(t, c, []int64{1, 2})
	unlock()
	must(t, c.Append(ctx, 3))
	wantSlice(t, elsewhere(t, path, "c", column.Int64), 1, 2)
	must(t, c.Extend(ctx, []int64{4, 5, 6}))
	wantSlice(t, elsewhere(t, path, "c", column.Int64), 1, 2, 3, 4, 5, 6)
}

// A flush that fails, at whatever call to the engine, loses nothing, changes no order, and writes
// nothing twice.
func TestFailedFlushOfAppends(t *testing.T) {
	for n := 0; ; n++ {
		ctx, c := t.Context(), newColumns(t)
		cached(t, c.v, nil)
		must(t, c.ints.Append(ctx, 20))
		must(t, c.texts.Extend(ctx, words))
		must(t, c.joined.Extend(ctx, words))
		must(t, c.v.Put(ctx, "key", []byte("value")))
		c.s.after = n
		_, err := c.v.FlushCache(ctx)
		reached := c.s.after < 0
		c.s.after = -1
		if !reached {
			must(t, err)
			if n < 10 {
				t.Errorf("a flush makes %d calls only", n)
			}
			return
		}
		wantErr(t, err, errBoom)
		must(t, c.ints.Append(ctx, 21)) // behind what failed
		twice := append(append([]string{}, words...), words...)
		for range 2 {
			holds(t, c.ints, numbers(0, 22))
			holds(t, c.texts, twice)
			holds(t, c.joined, twice)
			if v, err := c.v.Get(ctx, "key"); string(v) != "value" {
				t.Fatal(v, err)
			}
			_, err := c.v.FlushCache(ctx)
			must(t, err)
		}
		if s := c.v.CacheStats(); s.Entries != 0 || s.Bytes != 0 {
			t.Fatalf("after the flush the cache holds %+v", s)
		}
	}
}

func TestAppendThatItsFlushFails(t *testing.T) {
	ctx, c := t.Context(), newColumns(t)
	cached(t, c.v, &kvault.CacheOptions{Threshold: 16})
	must(t, c.ints.Append(ctx, 20))
	c.s.after = 0
	err := c.ints.Append(ctx, 21)
	c.s.after = -1
	wantErr(t, err, errBoom)
	if !strings.Contains(err.Error(), "kept in the cache") || !strings.Contains(err.Error(), `column append "ints"`) {
		t.Error(err)
	}
	holds(t, c.ints, numbers(0, 22))
}

func TestCacheTakesNothingItCannotWrite(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		ctx := t.Context()
		c := create(t, v, "c", column.Int64, nil)
		must(t, column.Drop(ctx, v, "c"))
		cached(t, v, nil)
		wantErr(t, c.Append(ctx, 1), kvault.ErrNotFound)
		create(t, v, "c", column.String, nil)
		var wrong *column.TypeError
		if err := c.Append(ctx, 1); !errors.As(err, &wrong) {
			t.Error(err)
		}
		if s := v.CacheStats(); s.Entries != 0 {
			t.Errorf("the cache holds %+v", s)
		}
		must(t, v.Close())
		wantErr(t, c.Append(ctx, 1), kvault.ErrClosed)
	})
}
