// Badger with its default options, or with a low threshold above which values go to a log of their
// own (vlog).
package main

import (
	"errors"
	"fmt"
	"iter"

	"github.com/dgraph-io/badger/v4"

	"github.com/kohakuvault/kvault/bench/internal/contract"
	"github.com/kohakuvault/kvault/bench/internal/load"
)

func main() { load.Main("github.com/dgraph-io/badger/v4", open) }

// lowThreshold is the one that separates all but the smallest values.
const lowThreshold = 512

type store struct {
	load.Chunked
	db *badger.DB
}

func open(p contract.Params) (load.Store, error) {
	o := badger.DefaultOptions(p.Dir).WithLogger(nil).WithSyncWrites(p.Full)
	if p.Via == "vlog" {
		o = o.WithValueThreshold(lowThreshold)
	}
	db, err := badger.Open(o)
	if err != nil {
		return nil, err
	}
	s := &store{db: db}
	s.Chunked = load.Chunked{Batcher: s, Peeker: s, Mapped: true}
	return s, nil
}

func (s *store) Close() error { return s.db.Close() }

func (s *store) Put(key string, value []byte) error {
	return s.db.Update(func(tx *badger.Txn) error { return tx.Set([]byte(key), value) })
}

// PutBatch uses a WriteBatch, which is Badger's way for bulk writes but not atomic: its
// transactions are too small for large values.
func (s *store) PutBatch(pairs iter.Seq2[string, []byte]) error {
	b := s.db.NewWriteBatch()
	defer b.Cancel()
	for key, value := range pairs {
		if err := b.Set([]byte(key), value); err != nil {
			return err
		}
	}
	return b.Flush()
}

func item(tx *badger.Txn, key string) (*badger.Item, error) {
	it, err := tx.Get([]byte(key))
	if errors.Is(err, badger.ErrKeyNotFound) {
		err = fmt.Errorf("%s: %w", key, load.ErrNoKey)
	}
	return it, err
}

func (s *store) Peek(key string, fn func([]byte) error) error {
	return s.db.View(func(tx *badger.Txn) error {
		it, err := item(tx, key)
		if err != nil {
			return err
		}
		return it.Value(fn)
	})
}

func (s *store) Get(key string) (value []byte, err error) {
	err = s.db.View(func(tx *badger.Txn) error {
		it, err := item(tx, key)
		if err == nil {
			value, err = it.ValueCopy(nil)
		}
		return err
	})
	return value, err
}

func (s *store) View(keys []string, each func(int, []byte)) error {
	return s.db.View(func(tx *badger.Txn) error {
		for i, key := range keys {
			it, err := item(tx, key)
			if err != nil {
				return err
			}
			if err := it.Value(func(v []byte) error { each(i, v); return nil }); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *store) List(each func(string)) error {
	return s.db.View(func(tx *badger.Txn) error {
		o := badger.DefaultIteratorOptions
		o.PrefetchValues = false
		it := tx.NewIterator(o)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			each(string(it.Item().Key()))
		}
		return nil
	})
}
