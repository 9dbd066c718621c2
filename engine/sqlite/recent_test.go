package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
)

func (r *recent) holds(key string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, young := r.young[key]
	_, old := r.old[key]
	return young || old
}

// remembered reads key until it is remembered.
func remembered(t *testing.T, s *Store, key string) {
	t.Helper()
	eventually(t, key+" is remembered", func() bool {
		_, err := s.Get(t.Context(), key)
		return err == nil && s.recent.holds(key)
	})
}

func needMarks(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("the log's shared memory is not to be had here")
	}
}

// Whatever changes a value that is remembered, in this handle or another, the very next read sees it.
func TestRememberedValueIsNeverStale(t *testing.T) {
	needMarks(t)
	path := filepath.Join(t.TempDir(), "v.kv")
	a, b := openRemembering(t, path, Options{}), openRemembering(t, path, Options{Table: "kvault"})
	apply := func(ops ...engine.Op) func(s *Store) error {
		return func(s *Store) error { _, err := s.Apply(t.Context(), ops); return err }
	}
	put := func(key, value string) engine.Op {
		return engine.Op{Kind: engine.Put, Key: key, Value: []byte(value)}
	}
	for i, tt := range []struct {
		name   string
		change func(s *Store) error
		want   string // empty if the key is gone
	}{
		{"put", apply(put("k", "put")), "put"},
		{"delete", apply(engine.Op{Kind: engine.Delete, Key: "k"}), ""},
		{"rename", apply(engine.Op{Kind: engine.Rename, Key: "other", To: "k"}), "other"},
		{"clear", apply(engine.Op{Kind: engine.DeleteRange}), ""},
		{"batch", apply(put("x", "1"), put("k", "batch")), "batch"},
		{"transaction", func(s *Store) error {
			tx, err := s.Begin(t.Context(), true)
			if err == nil {
				_, err = tx.Apply(t.Context(), []engine.Op{put("k", "transaction")})
			}
			return errors.Join(err, tx.Commit(t.Context()))
		}, "transaction"},
		{"large", apply(put("k", string(bytes.Repeat([]byte("x"), 2<<20)))), string(bytes.Repeat([]byte("x"), 2<<20))},
		{"optimize", func(s *Store) error {
			return errors.Join(apply(put("k", "before"))(s), s.Optimize(t.Context()))
		}, "before"},
	} {
		for j, writer := range []*Store{a, b} {
			if err := apply(put("k", "old"), put("other", "other"))(a); err != nil {
				t.Fatal(err)
			}
			remembered(t, a, "k")
			remembered(t, b, "k")
			if err := tt.change(writer); err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			for k, reader := range []*Store{a, b} {
				got, err := reader.Get(t.Context(), "k")
				if string(got) != tt.want || (tt.want == "") != errors.Is(err, engine.ErrNotFound) {
					t.Errorf("%d %s by handle %d: handle %d reads %.20q, %v", i, tt.name, j, k, got, err)
				}
			}
		}
	}
}

// Readers in two handles, beside writers in two handles: a read that begins after a write was acknowledged sees it or a later one.
func TestRememberedValuesUnderLoad(t *testing.T) {
	needMarks(t)
	path := filepath.Join(t.TempDir(), "v.kv")
	stores := []*Store{openRemembering(t, path, Options{}), openRemembering(t, path, Options{})}
	putNumber(t, stores[0], "n", 0)
	var acknowledged, hits atomic.Int64
	var stop atomic.Bool
	var wg sync.WaitGroup
	for i := range 4 {
		s := stores[i%2]
		wg.Go(func() {
			for !stop.Load() {
				before := acknowledged.Load()
				if n := getNumber(t, s, "n"); int64(n) < before {
					t.Errorf("read %d after %d was acknowledged", n, before)
					return
				}
				if s.recent.holds("n") {
					hits.Add(1)
				}
			}
		})
	}
	for n := 1; n < Amount(120, 1000) && !t.Failed(); n++ {
		putNumber(t, stores[n%2], "n", n)
		acknowledged.Store(int64(n))
		time.Sleep(time.Duration(n%4) * time.Millisecond)
	}
	stop.Store(true)
	wg.Wait()
	if hits.Load() == 0 {
		t.Error("nothing was ever remembered")
	}
}

// What comes out is the caller's own.
func TestRememberedValueIsACopy(t *testing.T) {
	needMarks(t)
	s := openRemembering(t, filepath.Join(t.TempDir(), "v.kv"), Options{})
	putNumber(t, s, "k", 12345)
	remembered(t, s, "k")
	for range 2 {
		v, err := s.Get(t.Context(), "k")
		if err != nil || string(v) != "12345" {
			t.Fatalf("%q, %v", v, err)
		}
		clear(v)
	}
}

// The memory is bounded, and is given up where it does not help.
func TestRememberedValuesAreBounded(t *testing.T) {
	needMarks(t)
	s := openRemembering(t, filepath.Join(t.TempDir(), "v.kv"), Options{CacheKB: 16000})
	const limit = 2_048_000
	var ops []engine.Op
	const n = 2 * recentTrial
	for i := range n {
		ops = append(ops, engine.Op{Kind: engine.Put, Key: fmt.Sprint(i), Value: make([]byte, recentValue/2+i)})
	}
	if _, err := s.Apply(t.Context(), ops); err != nil {
		t.Fatal(err)
	}
	s.recent.mu.Lock()
	s.recent.reads = 0
	s.recent.mu.Unlock()
	peak := 0
	for i := range n {
		if _, err := s.Get(t.Context(), fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
		if i%97 != 0 {
			continue
		}
		total := 0
		for _, m := range []map[string]string{s.recent.young, s.recent.old} {
			for k, v := range m {
				total += len(k) + len(v)
			}
		}
		peak = max(peak, total)
	}
	if peak < limit/4 || peak > limit {
		t.Errorf("%d bytes are remembered, at most %d may be", peak, limit)
	}
	if s.recent.young != nil || s.recent.reads == 0 {
		t.Error("values that nobody asks for again go on being remembered")
	}
}

// Without a log there are no marks, whatever lies beside the file.
func TestNothingIsRememberedWithoutALog(t *testing.T) {
	dir := t.TempDir()
	logged := filepath.Join(dir, "logged.kv")
	s := openRemembering(t, logged, Options{})
	putNumber(t, s, "k", 1)
	if err := s.writer.passive(); err != nil { // so that the file would hold all that the log does
		t.Fatal(err)
	}
	shm, err := os.ReadFile(logged + "-shm")
	if err != nil {
		t.Skip("the log's shared memory is not a file here")
	}
	path := filepath.Join(dir, "v.kv")
	a, b := openRemembering(t, path, Options{DisableWAL: true}), (*Store)(nil)
	if err := os.WriteFile(path+"-shm", shm, 0o600); err != nil {
		t.Fatal(err)
	}
	b = openRemembering(t, path, Options{DisableWAL: true})
	for i := range 3 {
		putNumber(t, a, "k", i)
		for range 2 * recentAfter {
			if n := getNumber(t, b, "k"); n != i {
				t.Fatalf("%d, want %d", n, i)
			}
		}
		x, err := b.Begin(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := x.Get(t.Context(), "k"); err != nil || string(v) != strconv.Itoa(i) {
			t.Fatalf("in a transaction: %s, %v, want %d", v, err, i)
		}
		if err := x.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
}
