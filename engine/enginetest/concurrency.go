package enginetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/kohakuvault/kvault/engine"
)

func concurrencyTests() []storeTest {
	return []storeTest{
		{"ReadersSeeWholeBatches", testWholeBatches},
		{"BlobReadConcurrently", testBlobConcurrent},
		{"OnlyOneCreates", testOnlyOne},
		{"CompareAndSwap", testSwap},
		{"ParallelStages", testParallelStages},
	}
}

// testWholeBatches rewrites several keys to the same value in each batch, while others list them.
func testWholeBatches(t *testing.T, s engine.Store) {
	if single(s) {
		t.Skip("the store makes one change at a time")
	}
	const keys, rounds = 10, 40
	batch := func(round int) []engine.Op {
		var ops []engine.Op
		for k := range keys {
			value := bytes.Repeat([]byte{byte(round)}, 1000*(1+k%3))
			ops = append(ops, engine.Op{Kind: engine.Put, Key: fmt.Sprint(k), Value: value, Meta: newMeta()})
		}
		return ops
	}
	apply(t, s, batch(0)...)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := oneRound(t.Context(), s, keys, i%2 == 0); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for round := range rounds {
		apply(t, s, batch(round)...)
	}
	close(stop)
	wg.Wait()
}

// oneRound checks that all keys have a value of the same round, read in one page or one snapshot.
func oneRound(ctx context.Context, s engine.Store, keys int, snapshot bool) error {
	r := engine.Reader(s)
	limit := keys
	if x, ok := s.(engine.Transactor); ok && snapshot {
		tx, err := x.Begin(ctx, false)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		r, limit = tx, 3
	}
	q := engine.Query{Limit: limit, Values: true}
	var items []engine.Item
	for {
		page, err := r.List(ctx, q)
		if err != nil {
			return err
		}
		items = append(items, page.Items...)
		if !page.More || limit == keys {
			break
		}
		q.Range = q.After(items[len(items)-1].Key, false)
	}
	if len(items) != keys {
		return fmt.Errorf("%d items, want %d", len(items), keys)
	}
	for _, it := range items {
		if it.Value[0] != items[0].Value[0] || it.Value[len(it.Value)-1] != items[0].Value[0] || it.Size != int64(len(it.Value)) {
			return fmt.Errorf("%q is of round %d, %q of round %d", it.Key, it.Value[0], items[0].Key, items[0].Value[0])
		}
	}
	return nil
}

func testBlobConcurrent(t *testing.T, s engine.Store) {
	value := noise(largeSize)
	apply(t, s, stagedOp("k", stage(t, s, 65536, value)))
	b := openBlob(t, s, "k")
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			p := make([]byte, 5000)
			for n := range 50 {
				off := (n*70_001 + i*500_009) % (len(value) - len(p))
				_, err := b.ReadAt(t.Context(), p, int64(off))
				if single(s) && errors.Is(err, engine.ErrTagMismatch) {
					return // the version is gone
				}
				if err != nil || !bytes.Equal(p, value[off:off+len(p)]) {
					t.Errorf("ReadAt at %d: wrong bytes, or error %v", off, err)
				}
			}
		})
	}
	for n := range 5 {
		put(t, s, "k", fmt.Sprint("new ", n))
	}
	wg.Wait()
}

func testOnlyOne(t *testing.T, s engine.Store) {
	const goroutines = 8
	won := make(chan int, goroutines)
	var wg sync.WaitGroup
	for i := range goroutines {
		wg.Go(func() {
			op := putOp("k", fmt.Sprint(i))
			op.If.Absent = true
			_, err := s.Apply(t.Context(), []engine.Op{op})
			if err == nil {
				won <- i
			} else {
				wantErr(t, "Apply", err, engine.ErrExists)
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Fatalf("%d of %d created the key", len(won), goroutines)
	}
	holds(t, s, "k", fmt.Append(nil, <-won))
}

// testSwap counts up with conditional puts: no update may be lost.
func testSwap(t *testing.T, s engine.Store) {
	put(t, s, "n", "")
	const goroutines, each = 4, 20
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range each {
				if err := appendByte(t.Context(), s, "n"); err != nil {
					t.Errorf("conditional put: %v", err)
				}
			}
		})
	}
	wg.Wait()
	holds(t, s, "n", bytes.Repeat([]byte("x"), goroutines*each))
}

// appendByte makes the value of key longer by one, trying again as long as somebody else was
// faster.
func appendByte(ctx context.Context, s engine.Store, key string) error {
	for {
		e, err := s.Stat(ctx, key)
		if err != nil {
			return err
		}
		op := putOp(key, string(bytes.Repeat([]byte("x"), int(e.Size)+1)))
		op.If.Tag = e.Meta.Tag
		if _, err = s.Apply(ctx, []engine.Op{op}); !errors.Is(err, engine.ErrTagMismatch) {
			return err
		}
	}
}

func testParallelStages(t *testing.T, s engine.Store) {
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			key, value := fmt.Sprint("k", i), noise(200_000+i)
			st, err := s.Stage(t.Context(), engine.StageOptions{ChunkSize: 10_000, Size: -1})
			for rest := value; err == nil && len(rest) > 0; rest = rest[min(10_000, len(rest)):] {
				err = st.WriteChunk(t.Context(), rest[:min(10_000, len(rest))])
			}
			if err == nil {
				_, err = s.Apply(t.Context(), []engine.Op{stagedOp(key, st)})
			}
			if err != nil {
				t.Errorf("staging %s: %v", key, err)
				return
			}
			holds(t, s, key, value)
		})
	}
	wg.Wait()
}
