package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
)

// storm calls what a vault can do at random, from many goroutines, with contexts that end at
// random. Each key has a twin that is written with it in one step, and every value is one byte
// repeated.
type storm struct {
	t *testing.T
	s *Store
}

// check lets pass what a cancelled call may return.
func (st storm) check(err error) bool {
	for _, ok := range []error{context.Canceled, context.DeadlineExceeded, engine.ErrNotFound, engine.ErrTxDone} {
		if errors.Is(err, ok) {
			return false
		}
	}
	if err != nil {
		st.t.Error(err)
	}
	return err == nil
}

func (st storm) same(p []byte) {
	if len(p) > 0 && bytes.Count(p, p[:1]) != len(p) {
		st.t.Errorf("%d bytes of several versions", len(p))
	}
}

func twins(key string, value []byte) []engine.Op {
	return []engine.Op{{Kind: engine.Put, Key: key, Value: value}, {Kind: engine.Put, Key: key + " twin", Value: value}}
}

func (st storm) put(ctx context.Context, key string, value []byte) {
	_, err := st.s.Apply(ctx, twins(key, value))
	st.check(err)
}

func (st storm) get(ctx context.Context, key string, _ []byte) {
	value, err := st.s.Get(ctx, key)
	st.check(err)
	st.same(value)
}

func (st storm) write(ctx context.Context, key string, value []byte) {
	x, err := st.s.Begin(ctx, true)
	if !st.check(err) {
		return
	}
	defer x.Rollback()
	sound := true
	for _, op := range twins(key, value) {
		_, err := x.Apply(ctx, []engine.Op{op})
		sound = st.check(err) && sound
	}
	if sound {
		st.check(x.Commit(ctx))
	}
}

func (st storm) compare(_ context.Context, key string, _ []byte) {
	x, err := st.s.Begin(context.Background(), false)
	if !st.check(err) {
		return
	}
	defer x.Rollback()
	a, err := x.Get(context.Background(), key)
	st.check(err)
	b, err := x.Get(context.Background(), key+" twin")
	st.check(err)
	if !bytes.Equal(a, b) {
		st.t.Errorf("%s has %d bytes, its twin %d", key, len(a), len(b))
	}
}

func (st storm) stream(ctx context.Context, key string, _ []byte) {
	sg, err := st.s.Stage(ctx, engine.StageOptions{ChunkSize: 3000, Size: -1})
	if !st.check(err) {
		return
	}
	chunk, n := bytes.Repeat([]byte{7}, 3000), 0
	for range 3 {
		if st.check(sg.WriteChunk(ctx, chunk)) {
			n += len(chunk)
		}
	}
	ops := twins(key, bytes.Repeat([]byte{7}, n))
	ops[0].Staged = sg
	_, err = st.s.Apply(ctx, ops)
	st.check(err)
	st.check(sg.Abort())
}

func (st storm) read(ctx context.Context, key string, _ []byte) {
	b, err := st.s.Open(ctx, key)
	if !st.check(err) {
		return
	}
	p := make([]byte, b.Entry().Size)
	if n, err := b.ReadAt(ctx, p, 0); err != io.EOF && st.check(err) {
		st.same(p[:n])
	}
	st.check(b.Close())
}

func (st storm) rename(ctx context.Context, key string, _ []byte) {
	_, err := st.s.Apply(ctx, []engine.Op{{Kind: engine.Rename, Key: key, To: "k1"}, {Kind: engine.Rename, Key: key + " twin", To: "k1 twin"}})
	st.check(err)
}

func (st storm) maintain(ctx context.Context, _ string, _ []byte) {
	_, err := st.s.List(ctx, engine.Query{Limit: 7, Values: true})
	st.check(err)
	st.check(st.s.Check(context.Background(), func(p engine.Problem) { st.t.Error(p) }, nil))
	if rand.IntN(20) == 0 {
		st.check(st.s.Optimize(ctx, nil))
		_, err = st.s.Shrink(context.Background(), time.Millisecond)
		st.check(err)
	}
}

func (st storm) run(until time.Time) {
	actions := []func(context.Context, string, []byte){st.put, st.put, st.get, st.write, st.compare, st.stream, st.read, st.rename, st.maintain}
	for time.Now().Before(until) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rand.IntN(3000))*time.Microsecond)
		value := bytes.Repeat([]byte{byte(rand.IntN(256))}, rand.IntN(20000))
		actions[rand.IntN(len(actions))](ctx, fmt.Sprint("k", rand.IntN(20)), value)
		cancel()
	}
}

// Calls that are cut off at any moment leave the vault whole, usable, and without chunks that
// belong to nothing.
func TestCancelledCalls(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{{PageSize: 512, OneRowLimit: 5000}, {PageSize: 512, OneRowLimit: 5000, Full: true},
		{PageSize: 512, OneRowLimit: 5000, logBytes: 100_000}} {
		path := filepath.Join(t.TempDir(), "v.kv")
		s, other := openVault(t, path, &o), openVault(t, path, &o)
		var wg sync.WaitGroup
		until := time.Now().Add(Storm)
		for g := range 8 {
			st := storm{t, s}
			if g%4 == 3 {
				st.s = other
			}
			wg.Go(func() { st.run(until) })
		}
		wg.Wait()
		if err := s.Check(t.Context(), func(p engine.Problem) { t.Error(p) }, nil); err != nil {
			t.Error(err)
		}
		for _, h := range []*Store{s, other} { // what aborts a stage does not wait for that
			eventually(t, "the sweeper knows of all aborted stages", func() bool {
				h.mu.Lock()
				defer h.mu.Unlock()
				return len(h.open) == 0
			})
		}
		if err := s.Optimize(t.Context(), nil); err != nil {
			t.Error(err)
		}
		noOrphans(t, s)
	}
}

// noOrphans fails if the sweeper left anything.
func noOrphans(t *testing.T, s *Store) {
	t.Helper()
	err := s.read(t.Context(), s.reads, true, func(ses *session) error {
		left, err := texts(ses.c, `SELECT id FROM kvault_orphans UNION ALL SELECT id FROM kvault_chunks WHERE id >> 28 NOT IN (SELECT id FROM kvault_values)
			UNION ALL SELECT id FROM kvault_values WHERE id NOT IN (SELECT stage FROM `+ses.t.name+` WHERE stage IS NOT NULL)`)
		if len(left) > 0 {
			t.Errorf("the sweeper left %v", left)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// leaveOpen begins all that Close has to end, and ends some of it itself, until the vault is
// closed.
func leaveOpen(s *Store, seed int) (err error) {
	ctx := context.Background()
	for i := seed; err == nil; i++ {
		switch i % 5 {
		case 0:
			_, err = s.Apply(ctx, twins("k", make([]byte, rand.IntN(10000))))
		case 1:
			var x engine.Tx
			if x, err = s.Begin(ctx, true); err == nil {
				_, _ = x.Apply(ctx, twins("t", nil)) // Close may come first
				err = x.Rollback()
			}
		case 2:
			var x engine.Tx
			if x, err = s.Begin(ctx, false); err == nil && i%2 == 0 {
				err = x.Rollback()
			}
		case 3:
			var b engine.Blob
			if b, err = s.Open(ctx, "big"); err == nil && i%2 == 0 {
				s.evictReaders()
				err = b.Close()
			}
		case 4:
			var st engine.Stage
			if st, err = s.Stage(ctx, engine.StageOptions{ChunkSize: 100}); err == nil {
				if err = st.WriteChunk(ctx, make([]byte, 100)); err == nil && i%2 == 0 {
					err = st.Abort()
				}
			}
		}
	}
	return err
}

// Close in the middle of everything ends it all, and leaves no stage behind that a later Open would
// take for a live one.
func TestCloseInTheMiddle(t *testing.T) {
	t.Parallel()
	for range 6 {
		path := filepath.Join(t.TempDir(), "v.kv")
		s := openVault(t, path, &Options{OneRowLimit: 5000, PageSize: 1024, logBytes: 100_000})
		apply(t, s, engine.Op{Kind: engine.Put, Key: "big", Value: make([]byte, 2<<20)})
		var wg sync.WaitGroup
		for g := range 6 {
			wg.Go(func() {
				if err := leaveOpen(s, g); !errors.Is(err, engine.ErrClosed) {
					t.Error(err)
				}
			})
		}
		time.Sleep(time.Duration(rand.IntN(10)) * time.Millisecond) // anywhere will do
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
		s = openVault(t, path, nil)
		if err := s.Optimize(t.Context(), nil); err != nil {
			t.Error(err)
		}
		noOrphans(t, s)
	}
}

// Readers that are moved to another snapshot, or to a file, while values are replaced, renamed and
// rebuilt, keep theirs.
func TestEvictReadersWhileReading(t *testing.T) {
	t.Parallel()
	for _, limit := range []int64{5000, 64 << 20} {
		s := openVault(t, filepath.Join(t.TempDir(), "v.kv"), &Options{OneRowLimit: limit})
		until := time.Now().Add(Storm)
		var wg sync.WaitGroup
		for g := range 3 {
			key := fmt.Sprint("k", g)
			value := func(b int) []byte { return bytes.Repeat([]byte{byte(b)}, 2<<20) }
			apply(t, s, twins(key, value(0))...)
			wg.Go(func() {
				for i := 1; time.Now().Before(until); i++ {
					(storm{t, s}).put(t.Context(), key, value(i))
					(storm{t, s}).rename(t.Context(), key, nil)
				}
			})
			wg.Go(func() {
				for time.Now().Before(until) {
					readWhileMoved(t, s, key)
				}
			})
		}
		wg.Wait()
		if err := s.Check(t.Context(), func(p engine.Problem) { t.Error(p) }, nil); err != nil {
			t.Error(err)
		}
	}
}

func readWhileMoved(t *testing.T, s *Store, key string) {
	b, err := s.Open(t.Context(), key)
	if errors.Is(err, engine.ErrNotFound) {
		return
	}
	if err != nil {
		t.Error(err)
		return
	}
	defer b.Close()
	p := make([]byte, b.Entry().Size)
	for i := range 4 {
		n, err := b.ReadAt(t.Context(), p[len(p)/4*i:len(p)/4*(i+1)], int64(len(p)/4*i))
		if err != nil || n != len(p)/4 {
			t.Error(n, err)
		}
		inner := b.(*blob)
		inner.mu.Lock()
		inner.since = time.Time{}
		inner.mu.Unlock()
		s.evictReaders()
	}
	(storm{t, s}).same(p)
}
