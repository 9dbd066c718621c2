package reliability

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

var soak = flag.Duration("soak", defaultSoak, "how long the mixed load goes on")

// soakKeys and soakValue bound what the load keeps in the vault, in keys and bytes each.
const (
	soakKeys  = 40
	soakValue = 200_000
)

// load is what one goroutine does over and over.
type load struct {
	name string
	do   func(ctx context.Context, v *kvault.Vault) error
}

func soakKey() string { return fmt.Sprint("k", rand.IntN(soakKeys)) }

func soakBytes(most int) []byte { return bytes.Repeat([]byte{byte(rand.Uint32())}, rand.IntN(most)) }

var soakLoads = []load{
	{"put", func(ctx context.Context, v *kvault.Vault) error { return v.Put(ctx, soakKey(), soakBytes(10_000)) }},
	{"stream", func(ctx context.Context, v *kvault.Vault) error {
		_, err := v.PutReader(ctx, soakKey(), bytes.NewReader(soakBytes(soakValue)), nil)
		return err
	}},
	{"abandon", func(ctx context.Context, v *kvault.Vault) error {
		w, err := v.NewWriter(ctx, soakKey(), nil)
		if err != nil {
			return err
		}
		defer w.Abort()
		_, err = w.Write(soakBytes(soakValue))
		return err
	}},
	{"delete and put", func(ctx context.Context, v *kvault.Vault) error {
		key := soakKey()
		_, err := v.Delete(ctx, key)
		return errors.Join(err, v.Put(ctx, key, soakBytes(10_000)))
	}},
	{"read", func(ctx context.Context, v *kvault.Vault) error {
		r, err := v.NewReader(ctx, soakKey())
		if errors.Is(err, kvault.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		defer r.Close()
		_, err = r.ReadAt(make([]byte, 100), rand.Int64N(r.Size()+1))
		if err == io.EOF {
			return nil
		}
		return err
	}},
	{"list", func(ctx context.Context, v *kvault.Vault) error {
		for _, err := range v.Items(ctx, nil) {
			if err != nil || rand.IntN(20) == 0 {
				return err
			}
		}
		return nil
	}},
	{"cache", func(ctx context.Context, v *kvault.Vault) error {
		return v.WithCache(ctx, &kvault.CacheOptions{Capacity: 1 << 20}, func() error {
			return errors.Join(v.Put(ctx, soakKey(), soakBytes(5000)), v.Put(ctx, soakKey(), soakBytes(5000)))
		})
	}},
	{"column", func(ctx context.Context, v *kvault.Vault) error {
		numbers, err := column.Ensure(ctx, v, "numbers", column.Int64, nil)
		if err != nil {
			return err
		}
		if n, err := numbers.Len(ctx); err != nil || n > 20_000 {
			return errors.Join(err, numbers.Clear(ctx))
		}
		return numbers.Extend(ctx, make([]int64, 100))
	}},
	{"cancel", func(ctx context.Context, v *kvault.Vault) error {
		ctx, cancel := context.WithTimeout(ctx, time.Duration(rand.IntN(3000))*time.Microsecond)
		defer cancel()
		err := v.Update(ctx, func(tx *kvault.Tx) error { return tx.Put(ctx, soakKey(), soakBytes(50_000)) })
		if errors.Is(err, context.DeadlineExceeded) {
			return nil
		}
		return err
	}},
	{"stat, seldom tidy", func(ctx context.Context, v *kvault.Vault) error {
		if rand.IntN(5000) == 0 {
			_, err := v.Shrink(ctx, 100*time.Millisecond)
			return err
		}
		_, err := v.Exists(ctx, soakKey())
		return err
	}},
}

// usage is what a vault and its process take.
type usage struct{ heap, file, log, handles, goroutines int64 }

func measure(t *testing.T, v *kvault.Vault) (u usage) {
	t.Helper()
	stats, err := v.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{int64(m.HeapAlloc), stats.FileBytes, stats.LogBytes, openFiles(), int64(runtime.NumGoroutine())}
}

// openFiles is how many files this process has open, or 0 where that is not known.
func openFiles() int64 {
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		return 0
	}
	return int64(len(entries))
}

func (u usage) String() string {
	return fmt.Sprintf("heap %.1f MiB, file %.1f MiB, log %.1f MiB, %d files, %d goroutines",
		float64(u.heap)/(1<<20), float64(u.file)/(1<<20), float64(u.log)/(1<<20), u.handles, u.goroutines)
}

// A mixed load that goes on for long takes no more at its end than in its middle, and nothing once
// the vault is closed.
func TestSoak(t *testing.T) {
	before := usage{handles: openFiles(), goroutines: int64(runtime.NumGoroutine())}
	v := open(t, filepath.Join(t.TempDir(), "v.kv"), &kvault.Options{ChunkSize: 20_000, OneRowLimit: 50_000, CacheKB: 4096})
	samples := soakAll(t, v)
	check(t, v)
	middle, end := highest(samples[len(samples)/4:len(samples)/2]), highest(samples[len(samples)/2:])
	t.Logf("highest in the second quarter: %v", middle)
	t.Logf("highest in the second half:    %v", end)
	// The median: other goroutines go on between a collection and the measurement after it.
	wantFlat(t, "heap", medianHeap(samples[len(samples)/4:len(samples)/2]), medianHeap(samples[len(samples)*3/4:]), 16<<20)
	wantFlat(t, "file", middle.file, end.file, soakKeys*soakValue)
	wantFlat(t, "log", max(middle.log, 64<<20), end.log, 32<<20) // the length to which it is cut
	wantFlat(t, "open files", middle.handles, end.handles, 10)
	wantFlat(t, "goroutines", middle.goroutines, end.goroutines, 10)
	shut(t, v)
	wantBack(t, before)
}

// soakAll runs all loads, each on a goroutine of its own, and measures a hundred times.
func soakAll(t *testing.T, v *kvault.Vault) (samples []usage) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var wg sync.WaitGroup
	counts := make([]int64, len(soakLoads))
	for i := range counts {
		wg.Go(func() {
			for l := soakLoads[i]; ctx.Err() == nil; counts[i]++ {
				if err := l.do(t.Context(), v); err != nil {
					t.Errorf("%s: %v", l.name, err)
					return
				}
			}
		})
	}
	ticker := time.NewTicker(*soak / 100)
	defer ticker.Stop()
	for range 100 {
		<-ticker.C
		samples = append(samples, measure(t, v))
	}
	stop()
	wg.Wait()
	for i, l := range soakLoads {
		if counts[i] == 0 {
			t.Errorf("%s was never done", l.name)
		}
		t.Logf("%8d calls in %v: %s", counts[i], *soak, l.name)
	}
	return samples
}

func highest(samples []usage) (most usage) {
	for _, u := range samples {
		most = usage{max(most.heap, u.heap), max(most.file, u.file), max(most.log, u.log), max(most.handles, u.handles),
			max(most.goroutines, u.goroutines)}
	}
	return most
}

func medianHeap(samples []usage) int64 {
	heaps := make([]int64, len(samples))
	for i, u := range samples {
		heaps[i] = u.heap
	}
	slices.Sort(heaps)
	return heaps[len(heaps)/2]
}

// wantFlat fails if the end is above the middle by more than a quarter and slack, which is for what
// comes and goes.
func wantFlat(t *testing.T, what string, middle, end, slack int64) {
	t.Helper()
	if end > middle+middle/4+slack {
		t.Errorf("%s: %d in the end, %d in the middle", what, end, middle)
	}
}

// wantBack waits until the process has let go of all that it did not have before.
func wantBack(t *testing.T, before usage) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		handles, goroutines := openFiles(), int64(runtime.NumGoroutine())
		if handles <= before.handles && goroutines <= before.goroutines {
			return
		}
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("after closing %d files and %d goroutines, before opening %d and %d\n%s", handles, goroutines, before.handles, before.goroutines,
				stacks[:runtime.Stack(stacks, true)])
		}
	}
}
