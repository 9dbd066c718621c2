package mem

import (
	"context"
	"sync"

	"github.com/kohakuvault/kvault/engine"
)

// tx is a transaction: a state of its own, which becomes the store's if it is committed.
type tx struct {
	reader
	store    *Store
	writable bool
	unlocked bool // it may write without the store's turn, and its owner commits it

	mu    sync.Mutex
	state state
	done  bool
}

// Begin starts a transaction.
func (s *Store) Begin(ctx context.Context, writable bool) (engine.Tx, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if writable {
		if err := s.take(ctx); err != nil {
			return nil, err
		}
	}
	x := &tx{store: s, writable: writable, state: *s.state.Load()}
	x.reader = reader{current: x.current, alive: x.alive}
	return x, nil
}

// usable fails once the transaction has ended. The caller holds x.mu.
func (x *tx) usable() error {
	if err := x.store.alive(); err != nil {
		return err
	}
	if x.done {
		return engine.ErrTxDone
	}
	return nil
}

func (x *tx) current() (*tree, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.state.keys, x.usable()
}

func (x *tx) alive() error {
	_, err := x.current()
	return err
}

// Apply performs all ops inside the transaction, or none of them.
func (x *tx) Apply(ctx context.Context, ops []engine.Op) ([]engine.Result, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.writing(ctx); err != nil {
		return nil, err
	}
	b := batch{store: x.store, tx: x, tree: x.state.keys, uploads: x.state.uploads}
	results, err := b.apply(ops)
	if err != nil {
		return nil, err
	}
	x.state.keys, x.state.uploads = b.tree, b.uploads
	b.settle()
	return results, nil
}

// writing fails unless the transaction can be written to. The caller holds x.mu.
func (x *tx) writing(ctx context.Context) error {
	if err := x.usable(); err != nil {
		return err
	}
	if !x.writable {
		return engine.ErrReadOnly
	}
	return ctx.Err()
}

// Stage starts a value that lives no longer than the transaction.
func (x *tx) Stage(ctx context.Context, o engine.StageOptions) (engine.Stage, error) {
	x.mu.Lock()
	err := x.writing(ctx)
	x.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return x.store.newStage(ctx, x, x.alive, o)
}

// Commit makes the transaction's state the store's.
func (x *tx) Commit(ctx context.Context) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.usable(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if x.writable {
		committed := x.state
		x.store.state.Store(&committed)
	}
	x.end()
	return nil
}

// Rollback forgets the transaction.
func (x *tx) Rollback() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.end()
	return nil
}

// end lets the next writer in. The caller holds x.mu.
func (x *tx) end() {
	if x.done {
		return
	}
	x.done, x.state = true, state{}
	if x.writable && !x.unlocked {
		x.store.release()
	}
}
