package kvault

import (
	"context"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/unexported"
)

func init() {
	unexported.Arrays = func(tx any) (engine.Arrays, error) { return tx.(*Tx).arrays() }
	unexported.ViewArrays = func(ctx context.Context, v any, fn func(any) error) error {
		return failOwn("view", v.(*Vault).viewArrays(ctx, func(tx *Tx) error { return own(fn(tx)) }))
	}
	unexported.UpdateArrays = func(ctx context.Context, v any, fn func(any) error) error {
		return failOwn("update", v.(*Vault).updateArrays(ctx, func(tx *Tx) error { return fn(tx) }))
	}
	unexported.RunsAgain = func(v any) bool {
		_, ok := v.(*Vault).store.(engine.ArrayBeginner)
		return ok
	}
	unexported.CacheAppends = func(ctx context.Context, v any, list ...engine.Append) (bool, error) {
		return v.(*Vault).cacheAppends(ctx, list)
	}
}

// arrays returns the arrays that the file has beside the keys, for package column.
func (t *Tx) arrays() (engine.Arrays, error) {
	if t.done.Load() {
		return nil, fail("arrays", "", ErrTxDone)
	}
	a, ok := t.tx.(engine.Arrays)
	if !ok {
		return nil, fail("arrays", "", ErrUnsupported)
	}
	return &txArrays{t: t, a: a}, nil
}

// txArrays repeats each call while the database is busy, and ends with its transaction.
type txArrays struct {
	t *Tx
	a engine.Arrays
	// changed, if not nil, is set when anything has changed.
	changed *bool
}

// Atomic runs fn, which reads or changes arrays by several calls, as Tx.atomically does.
func (x *txArrays) Atomic(fn func(engine.Arrays) error) error {
	if !x.t.writes {
		return fn(x)
	}
	return x.t.atomically(func(changed *bool) error { return fn(&txArrays{x.t, x.a, changed}) })
}

// Pending returns the cached elements that follow those of a column, in order.
func (x *txArrays) Pending(target string) []engine.Append { return x.t.pending.Appends(target) }

func (x *txArrays) do(ctx context.Context, fn func() error) error {
	return x.t.do(ctx, func(engine.Reader) error { return fn() })
}

// change is do for a call that changes something if it succeeds.
func (x *txArrays) change(ctx context.Context, fn func() error) error {
	err := x.do(ctx, fn)
	if err == nil && x.changed != nil {
		*x.changed = true
	}
	return err
}

func (x *txArrays) Arrays(ctx context.Context) (list []engine.Array, err error) {
	err = x.do(ctx, func() error { list, err = x.a.Arrays(ctx); return err })
	return list, err
}

func (x *txArrays) Array(ctx context.Context, name string) (a engine.Array, err error) {
	err = x.do(ctx, func() error { a, err = x.a.Array(ctx, name); return err })
	return a, err
}

func (x *txArrays) ArraysNamed(ctx context.Context, names ...string) (list []engine.Array, err error) {
	err = x.do(ctx, func() error { list, err = x.a.ArraysNamed(ctx, names...); return err })
	return list, err
}

func (x *txArrays) CreateArray(ctx context.Context, a engine.Array) (made engine.Array, err error) {
	err = x.change(ctx, func() error { made, err = x.a.CreateArray(ctx, a); return err })
	return made, err
}

func (x *txArrays) DropArray(ctx context.Context, id int64) error {
	return x.change(ctx, func() error { return x.a.DropArray(ctx, id) })
}

func (x *txArrays) RenameArray(ctx context.Context, id int64, name string) error {
	return x.change(ctx, func() error { return x.a.RenameArray(ctx, id, name) })
}

func (x *txArrays) SetArrayLength(ctx context.Context, id, length int64) error {
	return x.change(ctx, func() error { return x.a.SetArrayLength(ctx, id, length) })
}

func (x *txArrays) ChunkSize(ctx context.Context, id, chunk int64) (size int64, err error) {
	err = x.do(ctx, func() error { size, err = x.a.ChunkSize(ctx, id, chunk); return err })
	return size, err
}

func (x *txArrays) ChunkUsed(ctx context.Context, id, chunk int64) (used int64, deleted bool, err error) {
	err = x.do(ctx, func() error { used, deleted, err = x.a.ChunkUsed(ctx, id, chunk); return err })
	return used, deleted, err
}

func (x *txArrays) SetChunkUsed(ctx context.Context, id, chunk, used int64, deleted bool) error {
	return x.change(ctx, func() error { return x.a.SetChunkUsed(ctx, id, chunk, used, deleted) })
}

func (x *txArrays) Chunks(ctx context.Context, id int64) (n int64, err error) {
	err = x.do(ctx, func() error { n, err = x.a.Chunks(ctx, id); return err })
	return n, err
}

func (x *txArrays) ReadChunk(ctx context.Context, id, chunk, off int64, p []byte) error {
	return x.do(ctx, func() error { return x.a.ReadChunk(ctx, id, chunk, off, p) })
}

func (x *txArrays) WriteChunk(ctx context.Context, id, chunk, off int64, p []byte) error {
	if x.changed != nil {
		*x.changed = true // a call that fails may have written a part
	}
	return x.do(ctx, func() error { return x.a.WriteChunk(ctx, id, chunk, off, p) })
}

func (x *txArrays) ResizeChunk(ctx context.Context, id, chunk, size int64) error {
	return x.change(ctx, func() error { return x.a.ResizeChunk(ctx, id, chunk, size) })
}

func (x *txArrays) TruncateChunks(ctx context.Context, id, n int64) error {
	return x.change(ctx, func() error { return x.a.TruncateChunks(ctx, id, n) })
}

// ForeignArrays lists the arrays that other programs keep in a layout of their own, if the engine
// can list them.
func (x *txArrays) ForeignArrays(ctx context.Context) (list []engine.Array, err error) {
	foreign, ok := x.a.(engine.ForeignArrays)
	if !ok {
		return nil, nil
	}
	err = x.do(ctx, func() error { list, err = foreign.ForeignArrays(ctx); return err })
	return list, err
}
