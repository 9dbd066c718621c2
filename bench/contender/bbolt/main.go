// bbolt with its default options; without syncs (NoSync) in the class that survives a crash of the
// program only.
package main

import (
	"fmt"
	"iter"
	"path/filepath"

	"go.etcd.io/bbolt"

	"github.com/kohakuvault/kvault/bench/internal/contract"
	"github.com/kohakuvault/kvault/bench/internal/load"
)

func main() { load.Main("go.etcd.io/bbolt", open) }

var bucket = []byte("values")

type store struct {
	load.Chunked
	db *bbolt.DB
}

func open(p contract.Params) (load.Store, error) {
	o := *bbolt.DefaultOptions
	o.NoSync = !p.Full
	db, err := bbolt.Open(filepath.Join(p.Dir, "bolt.db"), 0o600, &o)
	if err != nil {
		return nil, err
	}
	s := &store{db: db}
	s.Chunked = load.Chunked{Batcher: s, Peeker: s, Mapped: true}
	return s, db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bucket)
		return err
	})
}

func (s *store) Close() error { return s.db.Close() }

// Put is a transaction of its own.
func (s *store) Put(key string, value []byte) error {
	return s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put([]byte(key), value) })
}

func (s *store) PutBatch(pairs iter.Seq2[string, []byte]) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucket)
		for key, value := range pairs {
			if err := b.Put([]byte(key), value); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *store) Peek(key string, fn func([]byte) error) error {
	return s.db.View(func(tx *bbolt.Tx) error {
		value := tx.Bucket(bucket).Get([]byte(key))
		if value == nil {
			return fmt.Errorf("%s: %w", key, load.ErrNoKey)
		}
		return fn(value)
	})
}

// Get copies, because a value of bbolt's is gone after its transaction.
func (s *store) Get(key string) (value []byte, err error) {
	err = s.Peek(key, func(v []byte) error {
		value = append(value, v...)
		return nil
	})
	return value, err
}

func (s *store) View(keys []string, each func(int, []byte)) error {
	return s.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucket)
		for i, key := range keys {
			each(i, b.Get([]byte(key)))
		}
		return nil
	})
}

func (s *store) List(each func(string)) error {
	return s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucket).ForEach(func(k, _ []byte) error {
			each(string(k))
			return nil
		})
	})
}
