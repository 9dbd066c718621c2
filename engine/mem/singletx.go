package mem

import (
	"context"
	"time"

	"github.com/kohakuvault/kvault/engine"
)

// arraysOf has a name of its own because engine.Arrays has a method Arrays.
type arraysOf = engine.Arrays

// singleTx is a transaction of arrays, which keeps nobody waiting: it loses if another has
// committed a change since it began.
type singleTx struct {
	arraysOf
	x      *tx
	single *Single
	began  state // what the store was then
	write  bool
}

// BeginArrays starts a transaction of arrays.
func (s *Single) BeginArrays(ctx context.Context, writable bool) (engine.ArrayTx, error) {
	begun, err := s.store.Begin(ctx, false)
	if err != nil {
		return nil, err
	}
	x := begun.(*tx)
	// The transaction may write, but does not hold the turn, which tx.end would release.
	x.unlocked, x.writable = true, writable
	return &singleTx{arraysOf: x, x: x, single: s, began: x.state, write: writable}, nil
}

// Commit makes the changes the store's, unless another writer was faster. It ends the transaction,
// unless ctx had ended before.
func (t *singleTx) Commit(ctx context.Context, id string) error {
	if err := t.x.looking(ctx, func() error { return nil }); err != nil {
		return err
	}
	var f Fault
	if t.write && t.single.o.Commit != nil {
		f = t.single.o.Commit(id)
	}
	if f.Err != nil && !f.Done {
		_ = t.x.Rollback()
		return f.Err
	}
	err := t.commit(ctx, id)
	if f.Err != nil {
		return f.Err
	}
	return err
}

func (t *singleTx) commit(ctx context.Context, id string) error {
	if !t.write {
		return t.x.Rollback()
	}
	if err := t.single.store.take(ctx); err != nil {
		return err
	}
	defer t.single.store.release()
	t.x.mu.Lock()
	defer t.x.mu.Unlock()
	if err := t.x.usable(); err != nil {
		return err
	}
	mine := t.x.state
	t.x.end()
	now := *t.single.store.state.Load()
	switch {
	case t.single.known(id):
		return nil
	case mine.arrays == t.began.arrays: // it has changed nothing
	case now.arrays != t.began.arrays || now.lastID != t.began.lastID:
		return engine.ErrConflict
	default:
		now.arrays, now.lastID = mine.arrays, mine.lastID
		t.single.store.state.Store(&now)
	}
	t.single.remember(id)
	return nil
}

// Rollback forgets the transaction.
func (t *singleTx) Rollback() error { return t.x.Rollback() }

// known reports whether a commit of that id took effect.
func (s *Single) known(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.commits[id]
	return ok && time.Since(at) < engine.CommitMemory
}

func (s *Single) remember(id string) {
	if id == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for old, at := range s.commits {
		if time.Since(at) >= engine.CommitMemory {
			delete(s.commits, old)
		}
	}
	s.commits[id] = time.Now()
}
