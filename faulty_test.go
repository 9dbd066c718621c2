package kvault_test

import (
	"context"
	"io"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/mem"
)

// faulty is the reference store with a hook in front of each call: it may block, or return an error
// in the call's place. A few calls have a hook behind them too, whose error does not count.
type faulty struct {
	*mem.Store
	mu     sync.Mutex
	before func(ctx context.Context, call string) error
	calls  map[string]int
	lists  []engine.Query
	ops    [][]engine.Op
}

func newFaulty() *faulty { return &faulty{Store: mem.New(), calls: map[string]int{}} }

// on sets the hook.
func (f *faulty) on(before func(ctx context.Context, call string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before = before
}

// fail has the named call return err for the next n times; n < 0 means from now on.
func (f *faulty) fail(call string, n int, err error) {
	f.on(func(_ context.Context, c string) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if c != call || n == 0 {
			return nil
		}
		n--
		return err
	})
}

// block has the named call wait until release is called, and tells reached when it does.
func (f *faulty) block(call string) (reached <-chan struct{}, release func()) {
	at, gate := make(chan struct{}, 100), make(chan struct{})
	f.on(func(ctx context.Context, c string) error {
		if c != call {
			return nil
		}
		at <- struct{}{}
		select {
		case <-gate:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	return at, sync.OnceFunc(func() { close(gate) })
}

func (f *faulty) count(call string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[call]
}

// batches are the ops of all successful Apply calls so far.
func (f *faulty) batches() [][]engine.Op {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.ops)
}

func (f *faulty) queries() []engine.Query {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.lists)
}

func (f *faulty) enter(ctx context.Context, call string) error {
	f.mu.Lock()
	f.calls[call]++
	before := f.before
	f.mu.Unlock()
	if before == nil {
		return nil
	}
	return before(ctx, call)
}

// get is Get of the store or a transaction on it, behind the hook.
func get(ctx context.Context, f *faulty, r engine.Reader, key string) ([]byte, error) {
	if err := f.enter(ctx, "get"); err != nil {
		return nil, err
	}
	return r.Get(ctx, key)
}

func (f *faulty) Get(ctx context.Context, key string) ([]byte, error) {
	return get(ctx, f, f.Store, key)
}

func (f *faulty) Stat(ctx context.Context, key string) (engine.Entry, error) {
	if err := f.enter(ctx, "stat"); err != nil {
		return engine.Entry{}, err
	}
	e, err := f.Store.Stat(ctx, key)
	f.enter(ctx, "after stat")
	return e, err
}

func (f *faulty) Open(ctx context.Context, key string) (engine.Blob, error) {
	if err := f.enter(ctx, "open"); err != nil {
		return nil, err
	}
	b, err := f.Store.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	return &faultyBlob{b, f}, nil
}

func (f *faulty) List(ctx context.Context, q engine.Query) (engine.Page, error) {
	if err := f.enter(ctx, "list"); err != nil {
		return engine.Page{}, err
	}
	f.mu.Lock()
	f.lists = append(f.lists, q)
	f.mu.Unlock()
	return f.Store.List(ctx, q)
}

func (f *faulty) Count(ctx context.Context, r engine.Range) (int64, error) {
	if err := f.enter(ctx, "count"); err != nil {
		return 0, err
	}
	return f.Store.Count(ctx, r)
}

func (f *faulty) Apply(ctx context.Context, ops []engine.Op) ([]engine.Result, error) {
	if err := f.enter(ctx, "apply"); err != nil {
		return nil, err
	}
	ops = slices.Clone(ops)
	for i := range ops {
		if s, ok := ops[i].Staged.(*faultyStage); ok {
			ops[i].Staged = s.Stage
		}
	}
	res, err := f.Store.Apply(ctx, ops)
	if err == nil {
		f.mu.Lock()
		f.ops = append(f.ops, ops)
		f.mu.Unlock()
		f.enter(ctx, "after apply")
	}
	return res, err
}

func (f *faulty) Stage(ctx context.Context, o engine.StageOptions) (engine.Stage, error) {
	if err := f.enter(ctx, "stage"); err != nil {
		return nil, err
	}
	s, err := f.Store.Stage(ctx, o)
	if err != nil {
		return nil, err
	}
	return &faultyStage{s, f}, nil
}

func (f *faulty) Begin(ctx context.Context, writable bool) (engine.Tx, error) {
	call := "begin read"
	if writable {
		call = "begin write"
	}
	if err := f.enter(ctx, call); err != nil {
		return nil, err
	}
	tx, err := f.Store.Begin(ctx, writable)
	if err != nil {
		return nil, err
	}
	return &faultyTx{tx, f}, nil
}

func (f *faulty) Close() error {
	if err := f.enter(context.Background(), "close"); err != nil {
		return err
	}
	return f.Store.Close()
}

// Optimize, Shrink and Backup do nothing but be called.
func (f *faulty) Optimize(ctx context.Context, _ func(done, total int64)) error {
	return f.enter(ctx, "optimize")
}

func (f *faulty) Shrink(ctx context.Context, _ time.Duration) (int64, error) {
	return 10, f.enter(ctx, "shrink")
}

func (f *faulty) Backup(ctx context.Context, _ string, progress func(done, total int64)) error {
	if progress != nil {
		progress(1, 2)
	}
	return f.enter(ctx, "backup")
}

func (f *faulty) BackupTo(ctx context.Context, _ io.Writer, progress func(done, total int64)) error {
	return f.Backup(ctx, "", progress)
}

func (f *faulty) Stats(ctx context.Context) (engine.Stats, error) {
	if err := f.enter(ctx, "stats"); err != nil {
		return engine.Stats{}, err
	}
	return f.Store.Stats(ctx)
}

type faultyBlob struct {
	engine.Blob
	f *faulty
}

func (b *faultyBlob) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	n, err := b.Blob.ReadAt(ctx, p, off)
	if failed := b.f.enter(ctx, "read blob"); failed != nil {
		return n, failed // which counts, however much was read
	}
	return n, err
}

type faultyStage struct {
	engine.Stage
	f *faulty
}

func (s *faultyStage) WriteChunk(ctx context.Context, p []byte) error {
	if err := s.f.enter(ctx, "write chunk"); err != nil {
		return err
	}
	return s.Stage.WriteChunk(ctx, p)
}

type faultyTx struct {
	engine.Tx
	f *faulty
}

func (t *faultyTx) Get(ctx context.Context, key string) ([]byte, error) {
	return get(ctx, t.f, t.Tx, key)
}

func (t *faultyTx) Commit(ctx context.Context) error {
	if err := t.f.enter(ctx, "commit"); err != nil {
		return err
	}
	err := t.Tx.Commit(ctx)
	t.f.enter(ctx, "after commit")
	return err
}

func (t *faultyTx) Rollback() error {
	t.f.enter(context.Background(), "rollback")
	return t.Tx.Rollback()
}

// simple is a store without any of the optional interfaces.
type simple struct{ engine.Store }

// stored is what the store itself holds, without the cache.
func (f *faulty) stored(t *testing.T) map[string]string {
	t.Helper()
	m := map[string]string{}
	q := engine.Query{Limit: 1 << 30, Values: true}
	page, err := f.Store.List(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range page.Items {
		m[it.Key] = string(it.Value)
	}
	return m
}

func (f *faulty) wantStored(t *testing.T, pairs ...string) {
	t.Helper()
	want := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		want[pairs[i]] = pairs[i+1]
	}
	if got := f.stored(t); !maps.Equal(got, want) {
		t.Errorf("store holds %v, want %v", got, want)
	}
}
