package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
)

// openHeld opens a vault whose calls wait for a minute.
func openHeld(t *testing.T, path string, o Options) *Store {
	t.Helper()
	o.BusyTimeout = time.Minute
	return openVault(t, path, &o)
}

func putNumber(t *testing.T, s *Store, key string, n int) {
	t.Helper()
	if _, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: key, Value: []byte(strconv.Itoa(n))}}); err != nil {
		t.Error(err)
	}
}

func getNumber(t *testing.T, s *Store, key string) int {
	t.Helper()
	v, err := s.Get(t.Context(), key)
	if err != nil {
		t.Error(err)
		return -1
	}
	n, err := strconv.Atoi(string(v))
	if err != nil {
		t.Error(err)
	}
	return n
}

// held counts the idle connections that keep a snapshot.
func (p *pool) held() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.idle {
		if c.InTransaction() {
			n++
		}
	}
	return n
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not yet after a minute: %s", what)
		}
		runtime.Gosched()
	}
}

// Reads that follow each other share a snapshot, and let go of it when they stop.
func TestReadsHoldTheirSnapshot(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		return // the log's shared memory is not to be had there
	}
	s := openHeld(t, filepath.Join(t.TempDir(), "v.kv"), Options{})
	putNumber(t, s, "k", 1)
	eventually(t, "a snapshot is kept", func() bool { getNumber(t, s, "k"); return s.reads.held() == 1 })
	eventually(t, "it is given up", func() bool { return s.reads.held() == 0 })
	eventually(t, "a snapshot is kept", func() bool { getNumber(t, s, "k"); return s.reads.held() == 1 })
	resume := s.reads.pause()
	if n := s.reads.held(); n != 0 {
		t.Errorf("%d snapshots are kept in a pause", n)
	}
	for range 5 {
		getNumber(t, s, "k")
	}
	if n := s.reads.held(); n != 0 {
		t.Errorf("%d snapshots are kept in a pause", n)
	}
	resume()
	if _, err := s.Get(t.Context(), "missing"); err != engine.ErrNotFound {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Get(ctx, "k"); err == nil {
		t.Error("a read went on after its context had ended")
	}
}

// Where there is no log a snapshot would keep writers out, and in memory there is nothing to save.
func TestNoSnapshotIsHeldWithoutALog(t *testing.T) {
	for name, s := range map[string]*Store{
		"rollback journal": openHeld(t, filepath.Join(t.TempDir(), "v.kv"), Options{DisableWAL: true}),
		"memory":           openHeld(t, Memory, Options{}),
	} {
		putNumber(t, s, "k", 1)
		for until := time.Now().Add(100 * time.Millisecond); time.Now().Before(until); {
			getNumber(t, s, "k")
			if n := s.reads.held(); n != 0 {
				t.Fatalf("%s: %d snapshots are kept", name, n)
			}
		}
	}
}

// A commit by another handle, which stands for another process since it shares nothing but the
// file, is seen by the very next read; and so is one of the same handle.
func TestHeldSnapshotIsNeverStale(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	a, b := openHeld(t, path, Options{}), openHeld(t, path, Options{})
	putNumber(t, a, "k", 0)
	for i := 1; i < 600; i++ {
		writer := []*Store{a, b}[i%2]
		putNumber(t, writer, "k", i)
		if i%50 == 0 {
			if err := writer.Optimize(t.Context(), nil); err != nil { // the log is emptied
				t.Fatal(err)
			}
		}
		for range 3 {
			for name, s := range map[string]*Store{"a": a, "b": b} {
				if n := getNumber(t, s, "k"); n != i {
					t.Fatalf("%s reads %d after %d was written", name, n, i)
				}
			}
		}
	}
}

func TestNobodyReadsTheStale(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	stores := []*Store{openHeld(t, path, Options{}), openHeld(t, path, Options{})}
	var done [3]atomic.Int64
	for w := range done {
		putNumber(t, stores[0], fmt.Sprint(w), 0)
	}
	var writers, readers sync.WaitGroup
	var stop atomic.Bool
	for w := range done {
		writers.Go(func() {
			for i := 1; i <= 300 && !t.Failed(); i++ {
				putNumber(t, stores[w%2], fmt.Sprint(w), i)
				done[w].Store(int64(i))
			}
		})
	}
	for r := range 4 {
		readers.Go(func() {
			for i := r; !stop.Load() && !t.Failed(); i++ {
				w := i % len(done)
				before := done[w].Load()
				if n := getNumber(t, stores[r%2], fmt.Sprint(w)); int64(n) < before {
					t.Errorf("read %d of %d, which was written before", n, before)
				}
			}
		})
	}
	writers.Wait()
	stop.Store(true)
	readers.Wait()
}

// Two goroutines that never stop reading do not keep another handle from emptying the log, and the
// log from beginning anew.
func TestReadersLeaveTheLogAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	reader, writer := openHeld(t, path, Options{}), openHeld(t, path, Options{})
	putNumber(t, writer, "k", 1)
	var readers sync.WaitGroup
	var stop atomic.Bool
	for range 2 {
		readers.Go(func() {
			for !stop.Load() && !t.Failed() {
				getNumber(t, reader, "k")
			}
		})
	}
	largest, now := int64(0), int64(0)
	value, noise := make([]byte, 1<<20), rand.NewChaCha8([32]byte{})
	// A busy machine may miss the moment in which a long log is cut; the next is when it is twice as
	// long.
	for i := 0; i < 300 || now > 200<<20; i++ {
		noise.Read(value) // pages that stay the same would not reach the log
		if _, err := writer.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: fmt.Sprint(i % 10), Value: value}}); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		now = info.Size()
		largest = max(largest, now)
		if now > 1<<30 { // as long as the loop goes on, if nobody does anything about it
			t.Errorf("the log grew to %d MiB", now>>20)
			break
		}
	}
	t.Logf("the log grew to %d MiB", largest>>20)
	eventually(t, "the log is empty", func() bool {
		if err := writer.emptyLog(t.Context()); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path + "-wal")
		return err == nil && info.Size() == 0
	})
	stop.Store(true)
	readers.Wait()
}

// A snapshot that is used again and again is not kept for longer than HoldTime: it does not keep
// another program from emptying the log.
func TestUsedSnapshotEnds(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		return // none is kept there
	}
	s := openHeld(t, filepath.Join(t.TempDir(), "v.kv"), Options{})
	keepLog(s)
	putNumber(t, s, "k", 1)
	eventually(t, "a snapshot is kept", func() bool { getNumber(t, s, "k"); return s.reads.held() == 1 })
	reader, err := s.reads.get(t.Context()) // out of reach of the pool, which would end it
	if err != nil {
		t.Fatal(err)
	}
	defer s.reads.put(reader)
	conf := s.conf
	conf.BusyTimeout = 0
	other, err := driver.Open(t.Context(), conf)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	begin := func() {
		if err := errors.Join(reader.Hold(), reader.Reuse(), reader.TakeSnapshot()); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 10 {
		putNumber(t, s, "k", i)
		begin() // finds another state
		begin() // finds it again, and keeps a snapshot of it
		if _, _, err := other.Checkpoint(true); driver.KindOf(err) != driver.Busy {
			t.Fatalf("the snapshot that is kept needs nothing of the log (%v)", err)
		}
		time.Sleep(2 * driver.HoldTime)
		begin()
		if _, _, err := other.Checkpoint(true); err != nil {
			t.Fatalf("the snapshot was not renewed: %v", err)
		}
	}
}
