package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
)

// Whoever reads after a write was acknowledged gets that write or a later one, however the pages
// came to be where they are.
func TestFastReadsAreNeverStale(t *testing.T) {
	t.Parallel()
	const keys = 40
	wanted := int64(Amount(25, 1000))
	path := filepath.Join(t.TempDir(), "v.db")
	stores := []*Store{openFast(t, path, Options{}), openFast(t, path, Options{})}
	if !canTell(stores[0]) {
		t.Skip("there are no fast reads here")
	}
	var acked [keys]atomic.Int64
	var fast atomic.Int64
	deadline := time.Now().Add(5 * time.Minute)
	going := func() bool { return fast.Load() < wanted && time.Now().Before(deadline) && !t.Failed() }
	var writing sync.RWMutex
	var all sync.WaitGroup
	for n, in := range stores {
		all.Go(func() {
			for v := int64(1); going(); v++ {
				k := n + 2*rand.IntN(keys/2) // each key has one writer
				writing.RLock()
				_, err := in.Apply(context.Background(), []engine.Op{{Kind: engine.Put, Key: fmt.Sprint(k), Value: staleValue(v)}})
				writing.RUnlock()
				if err != nil {
					t.Error(err)
					return
				}
				acked[k].Store(v)
				if rand.IntN(3) == 0 {
					_ = in.writer.passive()
					before := fast.Load() // give readers time for a few
					for wait := time.Now().Add(20 * time.Millisecond); fast.Load() < before+3 && time.Now().Before(wait); {
						time.Sleep(100 * time.Microsecond)
					}
				}
				if v%20 == 0 {
					untilFast(in, &writing, &fast, going)
				}
			}
		})
		for range 2 {
			all.Go(func() {
				for going() {
					k := rand.IntN(keys)
					if err := readsFresh(in, fmt.Sprint(k), acked[k].Load(), &fast); err != nil {
						t.Errorf("key %d: %v", k, err)
					}
				}
			})
		}
	}
	all.Wait()
	if fast.Load() < wanted {
		t.Errorf("after five minutes %d reads were fast", fast.Load())
	}
}

// untilFast keeps writers, which hold writing for reading, from writing until a read is fast. On a
// busy machine no reader may have its turn between the copying of a log and the next commit.
func untilFast(in *Store, writing *sync.RWMutex, fast *atomic.Int64, going func() bool) {
	writing.Lock()
	defer writing.Unlock()
	for before := fast.Load(); fast.Load() == before && going(); time.Sleep(time.Millisecond) {
		_ = in.writer.passive() // in vain while a reader needs an earlier state
	}
}

func staleValue(v int64) []byte {
	return fmt.Appendf(nil, "%d/%s", v, strings.Repeat("x", int(v%9000)))
}

// readsFresh reads a key that has at least the given version, and counts what was read fast.
func readsFresh(s *Store, key string, least int64, fast *atomic.Int64) error {
	var got []byte
	err := s.read(context.Background(), s.reads, false, func(ses *session) error {
		value, _, found, err := ses.fastGet(nil, key)
		if err == nil {
			fast.Add(1)
			if got = value; !found {
				return engine.ErrNotFound
			}
			return nil
		}
		got, _, err = ses.getThrough(nil, key)
		return err
	})
	if errors.Is(err, engine.ErrNotFound) && least == 0 {
		return nil
	}
	var v int64
	_, scanErr := fmt.Sscanf(string(got), "%d/", &v)
	if err != nil || scanErr != nil || v < least || !bytes.Equal(got, staleValue(v)) {
		return fmt.Errorf("version %d, %w, want %d or later", v, errors.Join(err, scanErr), least)
	}
	return nil
}

// A store for reading goes on being right when everybody else has closed the file, so that the log
// and its shared memory would be made anew, perhaps with the same marks under the same number of
// the file.
func TestFastReadsOutliveTheLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	write := func(value string) {
		t.Helper()
		w, err := Open(t.Context(), path, &Options{})
		if err != nil {
			t.Fatal(err)
		}
		putFast(t, w, "k", []byte(value))
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	s := openFast(t, path, Options{ReadOnly: true})
	for i := range 20 {
		want := fmt.Sprint("version ", i)
		write(want)
		for range 4 {
			if got, err := s.Get(t.Context(), "k"); err != nil || string(got) != want {
				t.Fatalf("%q, %v, want %q", got, err, want)
			}
		}
		s.reads.mu.Lock() // as if they had become too large to be kept
		for _, c := range s.reads.idle {
			c.Close()
		}
		s.reads.idle = nil
		s.reads.mu.Unlock()
	}
}

// readsFast says whether a read at this moment is a fast one.
func (s *Store) readsFast() (ok bool) {
	_ = s.read(context.Background(), s.reads, true, func(ses *session) error {
		ok = ses.canReadFast()
		return nil
	})
	return ok
}

func (ses *session) canReadFast() bool {
	r, ok := ses.fastReader()
	return ok && r.schema.keys != 0 && r.schema.value.root != 0
}

// A file that is rebuilt has its pages elsewhere, and one whose table was made anew has others.
func TestFastReadsFollowTheSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	s := openFast(t, path, Options{})
	check := func(when string, want string) {
		t.Helper()
		swept(t, s)
		_ = s.writer.passive()
		for range 5 {
			if got, err := s.Get(t.Context(), "k"); err != nil || string(got) != want {
				t.Fatalf("%s: %q, %v", when, got, err)
			}
		}
		if canTell(s) && !s.readsFast() {
			t.Fatalf("%s: not read fast", when)
		}
	}
	putFast(t, s, "k", []byte("one"))
	for i := range 300 {
		putFast(t, s, fmt.Sprint(i), pattern(uint64(i), 3000))
	}
	check("at first", "one")
	if _, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.DeleteRange, Range: engine.Range{Start: "0", End: "A"}}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Optimize(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	check("rebuilt", "one")
	err := s.writer.do(&request{ctx: t.Context(), run: func(ses *session) error {
		return ses.c.Exec(`CREATE TABLE other(key BLOB PRIMARY KEY, value BLOB); INSERT INTO other SELECT key, x'74776f' FROM kvault;
			DROP TABLE kvault; CREATE TABLE kvault(id INTEGER PRIMARY KEY, value BLOB, key BLOB UNIQUE, size INTEGER);
			INSERT INTO kvault(key, value) SELECT key, value FROM other`)
	}})
	if err != nil {
		t.Fatal(err)
	}
	check("made anew", "two")
}
