package mem

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/kohakuvault/kvault/engine"
	"github.com/ncruces/wbt"
)

// state is one state of the store. Nothing in it ever changes.
type state struct {
	keys    *tree
	arrays  *arrayTree
	uploads *uploadTree
	// lastID is the ID of the newest array.
	lastID int64
}

// tree holds the keys; nil is empty.
type tree = wbt.Tree[string, *record]

// record is one version of a value.
type record struct {
	meta engine.Meta
	data []byte
}

// Store is a store in memory. It implements engine.Transactor, engine.Uploader, engine.Checker and
// engine.Statser, and is safe for concurrent use. Nothing of it outlives the process.
type Store struct {
	reader
	state  atomic.Pointer[state]
	turn   chan struct{} // holds a token while somebody may write
	closed chan struct{}
	once   sync.Once
	stages atomic.Int64
}

var (
	_ engine.Transactor = (*Store)(nil)
	_ engine.Uploader   = (*Store)(nil)
	_ engine.Checker    = (*Store)(nil)
	_ engine.Statser    = (*Store)(nil)
)

// New returns an empty store.
func New() *Store {
	s := &Store{turn: make(chan struct{}, 1), closed: make(chan struct{})}
	s.state.Store(new(state))
	s.reader = reader{current: func() (*tree, error) { return s.state.Load().keys, s.alive() }, alive: s.alive}
	return s
}

// alive fails once the store is closed.
func (s *Store) alive() error {
	select {
	case <-s.closed:
		return engine.ErrClosed
	default:
		return nil
	}
}

// take waits until nobody else writes.
func (s *Store) take(ctx context.Context) error {
	if err := s.alive(); err != nil {
		return err
	}
	if err := engine.ContextErr(ctx); err != nil {
		return err
	}
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return engine.ContextErr(ctx)
	case <-s.closed:
		return engine.ErrClosed
	}
}

func (s *Store) release() { <-s.turn }

// Apply performs all ops, or none of them.
func (s *Store) Apply(ctx context.Context, ops []engine.Op) ([]engine.Result, error) {
	if err := s.take(ctx); err != nil {
		return nil, err
	}
	defer s.release()
	now := *s.state.Load()
	b := batch{store: s, tree: now.keys, uploads: now.uploads}
	results, err := b.apply(ops)
	if err != nil {
		return nil, err
	}
	now.keys, now.uploads = b.tree, b.uploads
	s.state.Store(&now)
	b.settle()
	return results, nil
}

// Close releases the store.
func (s *Store) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}
