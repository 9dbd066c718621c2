// Pebble with its default options.
package main

import (
	"errors"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"github.com/kohakuvault/kvault/bench/internal/contract"
	"github.com/kohakuvault/kvault/bench/internal/load"
)

func main() { load.Main("github.com/cockroachdb/pebble/v2", open) }

type store struct {
	load.Chunked
	db   *pebble.DB
	sync *pebble.WriteOptions
}

type quiet struct{ pebble.Logger }

func (quiet) Infof(string, ...any) {}

func open(p contract.Params) (load.Store, error) {
	db, err := pebble.Open(p.Dir, &pebble.Options{Logger: quiet{pebble.DefaultLogger}})
	if err != nil {
		return nil, err
	}
	s := &store{db: db, sync: pebble.NoSync}
	if p.Full {
		s.sync = pebble.Sync
	}
	s.Chunked = load.Chunked{Batcher: s, Peeker: s}
	return s, nil
}

func (s *store) Close() error { return s.db.Close() }

func (s *store) Put(key string, value []byte) error { return s.db.Set([]byte(key), value, s.sync) }

func (s *store) PutBatch(pairs iter.Seq2[string, []byte]) error {
	b := s.db.NewBatch()
	for key, value := range pairs {
		if err := b.Set([]byte(key), value, nil); err != nil {
			return errors.Join(err, b.Close())
		}
	}
	return b.Commit(s.sync)
}

func peek(r pebble.Reader, key string, fn func([]byte) error) error {
	value, done, err := r.Get([]byte(key))
	if errors.Is(err, pebble.ErrNotFound) {
		return fmt.Errorf("%s: %w", key, load.ErrNoKey)
	}
	if err != nil {
		return err
	}
	return errors.Join(fn(value), done.Close())
}

func (s *store) Peek(key string, fn func([]byte) error) error { return peek(s.db, key, fn) }

// Get copies, because a value of Pebble's is gone once it is closed.
func (s *store) Get(key string) (value []byte, err error) {
	err = s.Peek(key, func(v []byte) error {
		value = append(value, v...)
		return nil
	})
	return value, err
}

func (s *store) View(keys []string, each func(int, []byte)) error {
	snapshot := s.db.NewSnapshot()
	for i, key := range keys {
		if err := peek(snapshot, key, func(v []byte) error { each(i, v); return nil }); err != nil {
			return errors.Join(err, snapshot.Close())
		}
	}
	return snapshot.Close()
}

func (s *store) List(each func(string)) error {
	it, err := s.db.NewIter(nil)
	if err != nil {
		return err
	}
	for it.First(); it.Valid(); it.Next() {
		each(string(it.Key()))
	}
	return it.Close()
}
