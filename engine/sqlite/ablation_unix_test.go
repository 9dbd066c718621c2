//go:build unix

package sqlite

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/walvfs"
)

var ablationPage = flag.String("ablation", "", "file whose table TestAblation brings up to date")

// ablation is a case that users have, with a mechanism of the engine and without it.
type ablation struct {
	mechanism string
	decision  string // its number and the name of its file in docs/decisions
	what      string
	open      func(x *trial) (round func() error) // makes a vault, and returns what is timed
}

// trial is one side of a case.
type trial struct {
	t       *testing.T
	without bool         // the mechanism
	prepare func() error // precedes each round, untimed; may be nil
}

var ablations = []ablation{
	{"fast reads", "0031-fast-reads-small", "get, 1 KiB", func(x *trial) func() error {
		return manyGets(x.store(Options{noFastReads: x.without}, many(20_000), 1<<10), many(20_000), 300)
	}},
	{"fast reads", "0030-fast-reads-large", "get, 100 KiB", func(x *trial) func() error {
		return manyGets(x.store(Options{noFastReads: x.without}, 500, 100<<10), 500, 30)
	}},
	{"fast reads", "0031-fast-reads-small", "listing of 1,000 keys", func(x *trial) func() error {
		s := x.store(Options{noFastReads: x.without}, many(20_000), 10)
		return func() error {
			start := engine.Range{Start: fmt.Sprintf("%08d", rand.IntN(many(20_000)-many(1000)+1))}
			q := engine.Query{Range: start, Limit: many(1000)}
			_, _, err := s.AppendKeys(context.Background(), nil, q)
			return err
		}
	}},
	{"fast reads", "0030-fast-reads-large", "stream out, 16 MiB", func(x *trial) func() error {
		s := x.store(Options{noFastReads: x.without}, 2, 16<<20)
		return func() error { return streamOut(s, "00000001", make([]byte, 256<<10)) }
	}},
	{"fast reads", "0030-fast-reads-large", "scan of a column, 16 MiB", func(x *trial) func() error {
		s := x.store(Options{noFastReads: x.without}, 2, 100)
		if err := fillColumn(x.t, s); err != nil {
			x.t.Fatal(err)
		}
		return func() error { return scanFast(s, make([]byte, 64<<10)) }
	}},
	{"page cache of fast reads", "0031-fast-reads-small", "get, 100 B", func(x *trial) func() error {
		s := x.store(Options{}, many(20_000), 100)
		if x.without {
			s.fast.cacheBytes = 0
			s.fast.latest.Store(nil)
		}
		return manyGets(s, many(20_000), 300)
	}},
	{"held snapshots", "0015-held-snapshots", "get, 1 KiB", func(x *trial) func() error {
		s := x.store(Options{}, 1000, 1<<10)
		if x.without {
			s.reads.pause()
		}
		return manyGets(s, 1000, 300)
	}},
	{"idle checkpoint", "0050-idle-checkpoint", "get after a put", func(x *trial) func() error {
		return x.getsAfterPut(many(20_000))
	}},
	{"background checkpoint", "0027-background-checkpoints", "put, 10 KiB", func(x *trial) func() error {
		s := x.store(Options{}, 0, 0)
		return manyPuts(s, 10<<10, 1000, func() {
			if x.without && s.writer.ckpt.pass == nil {
				s.writer.ckpt.pass = &pass{done: closed}
			}
		})
	}},
	{"coalesced frames", "0028-coalesced-frames", "put, 1 KiB", func(x *trial) func() error {
		return manyPuts(x.store(x.layer(Options{}, "os"), 0, 0), 1<<10, 300, nil)
	}},
	{"coalesced frames", "0028-coalesced-frames", "put, 100 KiB", func(x *trial) func() error {
		return manyPuts(x.store(x.layer(Options{}, "os"), 0, 0), 100<<10, 50, nil)
	}},
	{"preallocation", "0029-preallocation", "put, 1 KiB", func(x *trial) func() error {
		return manyPuts(x.store(x.layer(Options{}, notPreallocated), 0, 0), 1<<10, 300, nil)
	}},
	{"preallocation", "0029-preallocation", "durable put, 1 KiB", func(x *trial) func() error {
		return manyPuts(x.store(x.layer(Options{Full: true}, notPreallocated), 0, 0), 1<<10, 100, nil)
	}},
	{"group commit", "0026-group-commit", "16 durable puts of 1 KiB", func(x *trial) func() error {
		w := &window{requests: groupRequests}
		if x.without {
			w.requests = 1
		}
		s, value, n := x.store(Options{Full: true}, 0, 0), make([]byte, 1<<10), 0
		return func() error {
			n += 64
			return w.round(s, value, n, 64, 16, new(clock))
		}
	}},
	{"values inserted as zeros", "0032-zeroblobs", "put, 512 KiB", func(x *trial) func() error {
		s, value, n, w := x.store(Options{}, 0, 0), make([]byte, 512<<10), 0, filledLater
		if x.without {
			w = boundWhole
		}
		return func() error {
			n++
			return insertAs(s, w, benchKey(n), value)
		}
	}},
	{"spooled streams", "0035-spooled-streams", "stream in, 16 MiB", func(x *trial) func() error {
		s := x.store(Options{}, 0, 0)
		piece := make([]byte, 256<<10)
		return func() error {
			return streamInWith(s, "k", piece, 64, func(st *stage) {
				if x.without {
					st.spoolLimit = 0
				}
			})
		}
	}},
}

// TestAblation times users' cases with each mechanism of the engine and without it, in alternating
// rounds, and writes a table of the medians of their ratios. Without the flag it runs each once, so
// that the command keeps working:
//
//	go test ./engine/sqlite -run Ablation -timeout 30m -ablation ../../docs/performance/ablation.md
func TestAblation(t *testing.T) {
	rounds := 1
	if *ablationPage != "" {
		rounds = 21
	}
	var table strings.Builder
	table.WriteString("| mechanism | case | by the clock | by processor time |\n" +
		"| --- | --- | --- | --- |\n")
	for _, a := range ablations {
		clock, processor := a.race(t, rounds)
		fmt.Fprintf(&table, "| [%s](../decisions/%s.md) | %s | %.2f | %.2f |\n",
			a.mechanism, a.decision, a.what, clock, processor)
	}
	t.Logf("without the mechanism, times as long:\n%s", &table)
	if *ablationPage == "" {
		return
	}
	page, err := os.ReadFile(*ablationPage)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- generated: ablation -->\n", "<!-- end of ablation -->"
	before, rest, found := strings.Cut(string(page), begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no place for the table", *ablationPage)
	}
	page = []byte(before + begin + table.String() + end + after)
	if err := os.WriteFile(*ablationPage, page, 0o644); err != nil {
		t.Fatal(err)
	}
}

// race returns how many times as long the case takes without the mechanism. The first round is not
// counted.
func (a *ablation) race(t *testing.T, rounds int) (clock, processor float64) {
	trials := [2]trial{{t: t}, {t: t, without: true}}
	timed := [2]func() error{a.open(&trials[0]), a.open(&trials[1])}
	var clocks, processors []float64
	for i := range rounds + 1 {
		var took, used [2]time.Duration
		for _, side := range [][]int{{0, 1}, {1, 0}}[i%2] {
			if prepare := trials[side].prepare; prepare != nil {
				if err := prepare(); err != nil {
					t.Fatal(a.mechanism, a.what, err)
				}
			}
			start, spent := time.Now(), processorTime()
			if err := timed[side](); err != nil {
				t.Fatal(a.mechanism, a.what, err)
			}
			took[side], used[side] = time.Since(start), processorTime()-spent
		}
		if i > 0 {
			clocks = append(clocks, float64(took[1])/float64(took[0]))
			processors = append(processors, float64(used[1])/float64(max(used[0], 1)))
		}
	}
	return middle(clocks), middle(processors)
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// many is how often a round does something. Without the flag it is enough that it works.
func many(n int) int {
	if *ablationPage == "" {
		return 1 + n/100
	}
	return n
}

// notPreallocated is a file system layer that preallocates no log.
const notPreallocated = "kvault-not-preallocated"

func init() {
	system := vfs.Find("os").(vfs.VFSFilename)
	vfs.Register(notPreallocated, walvfs.CoalescePreallocating(system, 0))
}

// layer is o, on a file system layer that does without something.
func (x *trial) layer(o Options, layer string) Options {
	if x.without {
		o.vfs = layer
	}
	return o
}

// store makes a vault with values of size bytes, and empties its log.
func (x *trial) store(o Options, count, size int) *Store {
	x.t.Helper()
	s := fastBench(x.t, o, count, size)
	if err := sweepAndEmptyLog(s); err != nil {
		x.t.Fatal(err)
	}
	return s
}

// manyGets gets values of a store that has count of them.
func manyGets(s *Store, count, gets int) func() error {
	return func() error {
		for range many(gets) {
			if _, err := s.Get(context.Background(), fmt.Sprintf("%08d", rand.IntN(count))); err != nil {
				return err
			}
		}
		return nil
	}
}

// manyPuts puts new values, before each of which it calls before.
func manyPuts(s *Store, size, puts int, before func()) func() error {
	value, n := make([]byte, size), 0
	return func() error {
		for range many(puts) {
			if before != nil {
				before()
			}
			n++
			if err := putKey(s, benchKey(n), value); err != nil {
				return err
			}
		}
		return nil
	}
}

// getsAfterPut gets values of 1 KiB a second after a put. Without the mechanism the log of that put
// stays as it is.
func (x *trial) getsAfterPut(count int) func() error {
	s := x.store(Options{}, count, 1<<10)
	x.prepare = func() error {
		if err := putKey(s, "put", []byte{1}); err != nil {
			return err
		}
		if x.without {
			s.writer.ckpt.idle.Stop()
		}
		time.Sleep(time.Duration(many(1000)) * time.Millisecond)
		return nil
	}
	return manyGets(s, count, 300)
}

// insertAs puts a new value in one way.
func insertAs(s *Store, w writeMode, key string, value []byte) error {
	run := func(ses *session) error {
		e := engine.Entry{Key: key, Size: int64(len(value))}
		_, err := ses.insertNew(e, source{size: e.Size, bytes: value}, w)
		return err
	}
	return s.writer.do(&request{ctx: context.Background(), bytes: len(value), run: run})
}
