package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
)

// BenchmarkAutoVacuum puts, reads and removes values in vaults of each kind of auto-vacuum, in
// alternating rounds, and reads 4 KiB at random of a row of 32 MiB. It reports the median times.
//
//	TMPDIR=/dev/shm go test ./engine/sqlite -run '^$' -bench AutoVacuum -benchtime 200x
func BenchmarkAutoVacuum(b *testing.B) {
	modes := []string{"NONE", "INCREMENTAL", "FULL"}
	const kept, far = 50, 32 << 20
	for _, size := range []int{1 << 10, 100 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			stores := make([]*Store, len(modes))
			times := make([]struct{ put, batch, get, part, gone clock }, len(modes))
			for i, mode := range modes {
				stores[i] = openVacuum(b, mode)
				if err := putKey(stores[i], "far", make([]byte, far)); err != nil {
					b.Fatal(err)
				}
			}
			value := make([]byte, size)
			batch := make([]engine.Op, 16)
			for n := 0; b.Loop(); n++ {
				for i := range batch {
					batch[i] = engine.Op{Kind: engine.Put, Key: fmt.Sprintf("batch %d", i), Value: value}
				}
				key := benchKey(n - rand.IntN(min(n+1, kept)))
				for i := range stores {
					i = (i + n) % len(stores)
					s, t := stores[i], &times[i]
					t.put.time(func() error { return putKey(s, benchKey(n), value) })
					if n%10 == 0 {
						t.batch.time(func() error { _, err := s.Apply(context.Background(), batch); return err })
					}
					t.get.time(func() error { _, err := s.Get(context.Background(), key); return err })
					if n >= kept {
						t.gone.time(func() error { return deleteKey(s, benchKey(n-kept)) })
					}
				}
			}
			for range 50 { // after the others, which would find less of theirs in the processor's cache
				at := rand.Int64N(far - 4096)
				for i, s := range stores {
					times[i].part.time(func() error { return readPart(s, "far", at) })
				}
			}
			for i := range stores {
				t := &times[i]
				if err := errors.Join(t.put.err, t.batch.err, t.get.err, t.part.err, t.gone.err); err != nil {
					b.Fatal(err)
				}
				if len(t.gone.each) == 0 {
					continue // the first look at how long a round takes
				}
				b.Logf("%-11s: put %7.1f us, in a batch %7.1f us, get %6.1f us, 4 KiB of 32 MiB %7.1f us, delete %6.1f us", modes[i], t.put.median()/1e3,
					t.batch.median()/1e3/float64(len(batch)), t.get.median()/1e3, t.part.median()/1e3, t.gone.median()/1e3)
			}
		})
	}
}

// openVacuum opens a vault whose file was made with the given kind of auto-vacuum.
func openVacuum(b *testing.B, mode string) *Store {
	path := filepath.Join(b.TempDir(), "bench.kv")
	c, err := driver.Open(context.Background(), driver.Config{Path: path, Create: true})
	if err != nil {
		b.Fatal(err)
	}
	err = c.Exec(fmt.Sprintf(`PRAGMA page_size=%d; PRAGMA auto_vacuum=%s; PRAGMA journal_mode=WAL`, DefaultPageSize, mode))
	if err := errors.Join(err, c.Close()); err != nil {
		b.Fatal(err)
	}
	s, err := Open(context.Background(), path, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

// BenchmarkShrink gives back half of a vault of 128 MiB, every second value, in steps of several
// lengths and by Optimize, in alternating rounds. It reports the median times of that, of the
// longest wait of a small put meanwhile, and of a read of a value before and after.
//
//	TMPDIR=/dev/shm go test ./engine/sqlite -run '^$' -bench Shrink -benchtime 4x
func BenchmarkShrink(b *testing.B) {
	steps := []int{64, 256, 1024, 4096, 0}
	stores := make([]*Store, len(steps))
	runs := make([]shrinkRun, len(steps))
	for i := range steps {
		stores[i] = openBench(b, Options{})
	}
	for turn := 0; b.Loop(); turn++ {
		for i := range steps {
			i = (i + turn) % len(steps)
			if err := runs[i].round(stores[i], steps[i]); err != nil {
				b.Fatal(err)
			}
		}
	}
	for i, step := range steps {
		name := fmt.Sprintf("%4d pages", step)
		if step == 0 {
			name = "Optimize"
		}
		r := &runs[i]
		b.Logf("%-10s: %7.1f ms, others wait %6.1f ms, get %6.1f us before, %6.1f us after", name, r.all.median()/1e6, r.stall.median()/1e6,
			r.before.median()/1e3, r.after.median()/1e3)
	}
}

type shrinkRun struct{ all, stall, before, after clock }

func (r *shrinkRun) round(s *Store, step int) (err error) {
	const count, size = 128, 1 << 20
	ctx, value := context.Background(), make([]byte, size)
	for i := range count {
		err = errors.Join(err, putKey(s, benchKey(i), value))
	}
	err = errors.Join(err, sweepAndEmptyLog(s))
	for i := 0; i < count; i += 2 {
		r.before.time(func() error { _, err := s.AppendValue(ctx, value[:0], benchKey(i+1)); return err })
		err = errors.Join(err, deleteKey(s, benchKey(i)))
	}
	if err = errors.Join(err, sweepAndEmptyLog(s)); err != nil {
		return err
	}
	before, err := s.Stats(ctx)
	if err != nil {
		return err
	}
	r.stall.longestPut(s, func() error {
		r.all.time(func() error { return shrinkBy(s, step) })
		return r.all.err
	})
	after, err := s.Stats(ctx)
	if err == nil && after.FileBytes > before.FileBytes-count/2*size {
		err = fmt.Errorf("%d bytes before, %d after", before.FileBytes, after.FileBytes)
	}
	for i := 1; i < count; i += 2 {
		r.after.time(func() error { _, err := s.AppendValue(ctx, value[:0], benchKey(i)); return err })
		err = errors.Join(err, deleteKey(s, benchKey(i)))
	}
	return errors.Join(err, r.stall.err, r.before.err, r.after.err, s.Optimize(ctx, nil))
}

// shrinkBy is Shrink in steps of so many pages, or Optimize.
func shrinkBy(s *Store, step int) error {
	ctx := context.Background()
	if step == 0 {
		return s.Optimize(ctx, nil)
	}
	for {
		free, err := s.shrinkStep(ctx, step)
		if err != nil || free == 0 {
			return errors.Join(err, s.emptyLog(ctx))
		}
	}
}
