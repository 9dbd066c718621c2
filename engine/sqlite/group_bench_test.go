package sqlite

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
)

// BenchmarkDurablePuts shows how puts that survive a power cut scale with the number of goroutines
// that put: they share commits, and so the wait for the disk.
//
//	go test ./engine/sqlite -run '^$' -bench DurablePuts
func BenchmarkDurablePuts(b *testing.B) {
	for _, writers := range []int{1, 4, 16, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := openBench(b, Options{Full: true})
			value := make([]byte, 1024)
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ResetTimer()
			for range writers {
				wg.Go(func() {
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						op := engine.Op{Kind: engine.Put, Key: fmt.Sprintf("key %08d", i), Value: value}
						if _, err := s.Apply(context.Background(), []engine.Op{op}); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
		})
	}
}

// window says how requests come to share a commit: how the one whose turn it is waits for more of
// them, and how much a commit takes. The writer waits not at all, and takes groupRequests and
// groupBytes.
type window struct {
	name            string
	wait            func(*window, *writer)
	requests, bytes int
	// shared waits only where others were seen: they held the turn, or shared the commit before.
	shared bool
	last   int           // requests of the commit before
	took   time.Duration // that commit
}

func yield(*window, *writer) { runtime.Gosched() }

func sleep(d time.Duration) func(*window, *writer) { return func(*window, *writer) { time.Sleep(d) } }

// spin waits without letting others have the processor, for a quarter of the time of the commit
// before, or until as many have come.
func spin(w *window, wr *writer) {
	for start := time.Now(); time.Since(start) < w.took/4; {
		wr.mu.Lock()
		n := len(wr.waiting)
		wr.mu.Unlock()
		if n >= max(w.last, 2) {
			return
		}
	}
}

// BenchmarkGroupWindow puts values from several goroutines, in alternating rounds over windows of
// several lengths, with and without other goroutines that compute. It reports the median time of a
// round for each put, and the median wait of a caller.
//
//	go test ./engine/sqlite -run '^$' -bench 'GroupWindow/full=true/busy=0' -benchtime 40x
//	TMPDIR=/dev/shm go test ./engine/sqlite -run '^$' -bench 'GroupWindow/full=false/busy=0' -benchtime 40x
//	TMPDIR=/dev/shm go test ./engine/sqlite -run '^$' -bench 'GroupWindow/full=false/busy=4/writers=(1|4)$' -benchtime 5x
func BenchmarkGroupWindow(b *testing.B) {
	windows := []*window{{name: "none"}, {name: "yield", wait: yield}, {name: "yield if shared", wait: yield, shared: true},
		{name: "spin if shared", wait: spin, shared: true}, {name: "100us", wait: sleep(100 * time.Microsecond)},
		{name: "1ms", wait: sleep(time.Millisecond)}, {name: "5ms", wait: sleep(5 * time.Millisecond)}}
	for _, full := range []bool{true, false} {
		for _, busy := range []int{0, 4} {
			for _, writers := range []int{1, 2, 4, 16, 64} {
				b.Run(fmt.Sprintf("full=%t/busy=%d/writers=%d", full, busy, writers), func(b *testing.B) {
					defer compute(busy)()
					raceWindows(b, windows, full, writers, 1<<10)
				})
			}
		}
	}
}

// BenchmarkGroupBound does the same with different bounds of what one commit takes.
//
//	go test ./engine/sqlite -run '^$' -bench GroupBound -benchtime 10x
func BenchmarkGroupBound(b *testing.B) {
	b.Run("requests", func(b *testing.B) {
		windows := []*window{{name: "1", requests: 1}, {name: "16", requests: 16}, {name: "128", requests: 128}, {name: "1024", requests: 1024}}
		raceWindows(b, windows, true, 256, 1<<10)
	})
	b.Run("bytes", func(b *testing.B) {
		windows := []*window{{name: "1 MiB", bytes: 1 << 20}, {name: "8 MiB", bytes: 8 << 20}, {name: "64 MiB", bytes: 64 << 20}}
		raceWindows(b, windows, true, 16, 1<<20)
	})
}

// compute keeps goroutines busy until it is told to stop.
func compute(goroutines int) (stop func()) {
	var stopped atomic.Bool
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for !stopped.Load() {
			}
		})
	}
	return func() {
		stopped.Store(true)
		wg.Wait()
	}
}

func raceWindows(b *testing.B, windows []*window, full bool, writers, size int) {
	stores := make([]*Store, len(windows))
	rounds, waits := make([]clock, len(windows)), make([]clock, len(windows))
	for i := range windows {
		stores[i] = openBench(b, Options{Full: full})
	}
	value, n := make([]byte, size), 0
	puts := max(16, 4*writers)
	for b.Loop() {
		for _, i := range rand.Perm(len(windows)) { // what follows a long window would find the processor asleep
			rounds[i].time(func() error { return windows[i].round(stores[i], value, n, puts, writers, &waits[i]) })
		}
		n += puts
	}
	for i, w := range windows {
		if rounds[i].err != nil {
			b.Fatal(rounds[i].err)
		}
		b.Logf("%-15s: %7.1f us a put, each waits %8.1f us", w.name, rounds[i].median()/1e3/float64(puts), waits[i].median()/1e3)
	}
}

// round puts the keys from first on.
func (w *window) round(s *Store, value []byte, first, puts, writers int, waits *clock) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for range writers {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(puts); i = next.Add(1) {
				op := engine.Op{Kind: engine.Put, Key: benchKey(first + int(i)), Value: value}
				start := time.Now()
				err := w.apply(s, op)
				mu.Lock()
				waits.add(time.Since(start))
				failed = cmp.Or(failed, err)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return failed
}

// apply is Apply with a window of its own.
func (w *window) apply(s *Store, op engine.Op) error {
	return w.do(s.writer, &request{ctx: context.Background(), bytes: len(op.Value), run: func(ses *session) error {
		_, err := ses.apply([]engine.Op{op})
		return err
	}})
}

// do is writer.do with a window of its own.
func (w *window) do(wr *writer, r *request) error {
	r.done = make(chan struct{})
	wr.mu.Lock()
	wr.waiting = append(wr.waiting, r)
	wr.mu.Unlock()
	seen := false
	select {
	case wr.turn <- struct{}{}:
	default:
		seen = true
		select {
		case wr.turn <- struct{}{}:
		case <-r.done:
			return r.err
		}
	}
	defer wr.release()
	for {
		select {
		case <-r.done:
			wr.ckpt.afterCommit()
			return r.err
		default:
		}
		if w.wait != nil && (!w.shared || seen || w.last > 1) {
			w.wait(w, wr)
		}
		group, start := w.nextGroup(wr), time.Now()
		wr.execute(group)
		w.last, w.took = len(group), time.Since(start)
	}
}

func (w *window) nextGroup(wr *writer) []*request {
	wr.mu.Lock()
	defer wr.mu.Unlock()
	n, bytes := 0, 0
	for n < len(wr.waiting) && n < cmp.Or(w.requests, groupRequests) && bytes < cmp.Or(w.bytes, groupBytes) {
		bytes += wr.waiting[n].bytes
		n++
	}
	group := append([]*request(nil), wr.waiting[:n]...)
	wr.waiting = append(wr.waiting[:0], wr.waiting[n:]...)
	return group
}
