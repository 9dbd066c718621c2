// Package singletest makes stores that take one change at a time of stores with transactions, for
// tests of what runs on an object store.
package singletest

import (
	"context"
	"errors"
	"flag"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// whole is what engine/sqlite has beyond transactions, and an object store too.
type whole interface {
	engine.Transactor
	engine.ValueAppender
	engine.RangeReader
	engine.KeyLister
	engine.Statser
	engine.Checker
}

// Of returns s as a store that is an engine.EachApplier and an engine.ArrayBeginner, and has no
// transactions, uploads, backups and layouts. s is that of engine/sqlite or engine/mem, and the
// result has what it can read quickly.
func Of(s engine.Transactor) engine.Store {
	if w, ok := s.(whole); ok {
		return &full{store{s}, w}
	}
	return &store{s}
}

// On says that Open is to make vaults of stores that take one change at a time.
var On bool

// Open opens a vault in memory.
func Open(ctx context.Context, o *kvault.Options) (*kvault.Vault, error) {
	if !On {
		return kvault.Open(ctx, ":memory:", o)
	}
	s, err := sqlite.Open(ctx, ":memory:", nil)
	if err != nil {
		return nil, err
	}
	return kvault.New(Of(s), o)
}

// Both runs the tests of a package twice: on vaults of both kinds, if they come from Open. It is for
// TestMain.
type Both struct {
	M *testing.M
	// Skip is a pattern of tests that are left out the second time.
	Skip string
}

// Run returns the exit code.
func (b Both) Run() int {
	code := b.M.Run()
	if On = code == 0; !On {
		return code
	}
	if skip := flag.Lookup("test.skip"); b.Skip != "" && skip.Value.String() == "" {
		if err := skip.Value.Set(b.Skip); err != nil {
			panic(err)
		}
	}
	return b.M.Run()
}

// Exit runs the tests, and ends the process.
func (b Both) Exit() { os.Exit(b.Run()) }

// store hides what s has beyond its methods.
type store struct{ s engine.Transactor }

// full is a store with more methods of s.
type full struct {
	store
	s whole
}

var (
	_ engine.EachApplier   = (*store)(nil)
	_ engine.ArrayBeginner = (*store)(nil)
)

func (s *store) Get(ctx context.Context, key string) ([]byte, error) { return s.s.Get(ctx, key) }

func (s *store) Stat(ctx context.Context, key string) (engine.Entry, error) {
	return s.s.Stat(ctx, key)
}

func (s *store) Open(ctx context.Context, key string) (engine.Blob, error) {
	return s.s.Open(ctx, key)
}

func (s *store) List(ctx context.Context, q engine.Query) (engine.Page, error) {
	p, err := s.s.List(ctx, q)
	if q.Sizes {
		for i := range p.Items {
			p.Items[i].Meta = engine.Meta{} // which an object store does not know then
		}
	}
	return p, err
}

func (s *store) Count(ctx context.Context, r engine.Range) (int64, error) { return s.s.Count(ctx, r) }

func (s *store) Apply(ctx context.Context, ops []engine.Op) ([]engine.Result, error) {
	if err := engine.CheckSingle(ops); err != nil {
		return nil, err
	}
	res, err := s.s.Apply(ctx, ops)
	if err == nil && len(ops) == 1 && ops[0].Kind == engine.Put {
		res[0].Found = false // for which it would have to ask
	}
	return res, err
}

func (s *store) ApplyEach(ctx context.Context, ops []engine.Op) ([]engine.Result, []error) {
	results, errs := make([]engine.Result, len(ops)), make([]error, len(ops))
	var all sync.WaitGroup
	for i := range ops {
		all.Go(func() {
			res, err := s.Apply(ctx, ops[i:i+1])
			if oe := (*engine.OpError)(nil); errors.As(err, &oe) {
				err = oe.Err
			}
			if errs[i] = err; err == nil {
				results[i] = res[0]
			}
		})
	}
	all.Wait()
	return results, errs
}

func (s *store) Stage(ctx context.Context, o engine.StageOptions) (engine.Stage, error) {
	return s.s.Stage(ctx, o)
}

func (s *store) Close() error { return s.s.Close() }

func (s *full) AppendValue(ctx context.Context, dst []byte, key string) ([]byte, error) {
	return s.s.AppendValue(ctx, dst, key)
}

func (s *full) ReadRange(
	ctx context.Context, key, tag string, p []byte, off int64,
) (int, error) {
	return s.s.ReadRange(ctx, key, tag, p, off)
}

func (s *full) AppendKeys(
	ctx context.Context, dst []string, q engine.Query,
) ([]string, bool, error) {
	return s.s.AppendKeys(ctx, dst, q)
}

func (s *full) Stats(ctx context.Context) (engine.Stats, error) { return s.s.Stats(ctx) }

func (s *full) Check(
	ctx context.Context, report func(engine.Problem), progress func(done, total int64),
) error {
	return s.s.Check(ctx, report, progress)
}

// Optimize is what an object store has in the place of it: it looks for what nobody needs.
func (s *full) Optimize(ctx context.Context, _ func(done, total int64)) error { return ctx.Err() }

// Shrink is ErrUnsupported.
func (s *full) Shrink(context.Context, time.Duration) (int64, error) {
	return 0, engine.ErrUnsupported
}

func (s *store) BeginArrays(ctx context.Context, writable bool) (engine.ArrayTx, error) {
	tx, err := s.s.Begin(ctx, writable)
	if err != nil {
		return nil, err
	}
	a, ok := tx.(engine.Arrays)
	if !ok {
		return nil, errors.Join(engine.ErrUnsupported, tx.Rollback())
	}
	return &arrays{a, tx}, nil
}

// arrays hides the keys of a transaction.
type arrays struct {
	inner
	tx engine.Tx
}

type inner = engine.Arrays

func (a *arrays) Commit(ctx context.Context, _ string) error { return a.tx.Commit(ctx) }

func (a *arrays) Rollback() error { return a.tx.Rollback() }
