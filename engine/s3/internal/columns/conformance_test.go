package columns_test

import (
	"context"
	"errors"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/enginetest"
	"github.com/kohakuvault/kvault/engine/mem"
	"github.com/kohakuvault/kvault/engine/s3/internal/columns"
	"github.com/kohakuvault/kvault/engine/s3/internal/object/memory"
)

// beside is a store that keeps keys in memory and arrays in a bucket, so that the tests of
// transactions with arrays run on them.
type beside struct {
	engine.Store
	keys   engine.Transactor
	arrays *columns.Columns
}

type besideTx struct {
	engine.Tx
	engine.ArrayTx
}

func (b beside) Begin(ctx context.Context, writable bool) (engine.Tx, error) {
	keys, err := b.keys.Begin(ctx, writable)
	if err != nil {
		return nil, err
	}
	arrays, err := b.arrays.Begin(ctx, writable)
	if err != nil {
		return nil, errors.Join(err, keys.Rollback())
	}
	return besideTx{keys, arrays}, nil
}

func (x besideTx) Commit(ctx context.Context) error {
	if err := x.ArrayTx.Commit(ctx, ""); err != nil && !errors.Is(err, engine.ErrTxDone) {
		return err
	}
	return x.Tx.Commit(ctx)
}

func (x besideTx) Rollback() error { return errors.Join(x.ArrayTx.Rollback(), x.Tx.Rollback()) }

func TestConformance(t *testing.T) {
	for name, o := range map[string]columns.Options{
		"default": {},
		"spills":  {SpillBytes: 100, CacheBytes: 1},
	} {
		t.Run(name, func(t *testing.T) {
			enginetest.Run(t, func(t *testing.T) engine.Store {
				s := mem.New()
				return beside{s, s, columns.New(memory.New(), "p/", o)}
			})
		})
	}
}
