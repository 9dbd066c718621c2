// The contender that all others are compared with: this vault, through one of its interfaces.
package main

import (
	"context"
	"errors"
	"io"
	"iter"
	"path/filepath"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/bench/internal/contract"
	"github.com/kohakuvault/kvault/bench/internal/load"
	"github.com/kohakuvault/kvault/column"
)

func main() {
	load.Main("github.com/ncruces/go-sqlite3", open)
}

var ctx = context.Background()

type store struct {
	*kvault.Vault
	via string
	col *column.Column[int64]
	buf []byte
}

func open(p contract.Params) (load.Store, error) {
	o := &kvault.Options{}
	if p.Full {
		o.Durability = kvault.Full
	}
	v, err := kvault.Open(ctx, filepath.Join(p.Dir, "vault.kv"), o)
	if err != nil {
		return nil, err
	}
	s := &store{Vault: v, via: p.Via}
	if p.Via == "cached" && !p.Fill {
		if err := v.EnableCache(ctx, nil); err != nil {
			return nil, errors.Join(err, v.Close())
		}
	}
	if p.Via == "touched" && !p.Fill {
		if err := touch(v, p); err != nil {
			return nil, errors.Join(err, v.Close())
		}
	}
	switch p.Workload {
	case "extend", "append", "scan", "element":
		if s.col, err = column.Ensure(ctx, v, "numbers", column.Int64, nil); err != nil {
			return nil, errors.Join(err, v.Close())
		}
	}
	return s, nil
}

// touch replaces one value by the same one, and waits a second: what reads take afterwards shows
// what a single put takes away.
func touch(v *kvault.Vault, p contract.Params) error {
	data, err := contract.LoadData(p.Pool, p.Seed)
	if err != nil {
		return err
	}
	if err := v.Put(ctx, data.Key(0), data.Value(0, p.Size)); err != nil {
		return err
	}
	time.Sleep(time.Second)
	return nil
}

// Put goes through the interface that is measured.
func (s *store) Put(key string, value []byte) error {
	switch s.via {
	case "update":
		return s.Update(ctx, func(tx *kvault.Tx) error { return tx.Put(ctx, key, value) })
	case "stream":
		w, err := s.NewWriter(ctx, key, nil)
		if err != nil {
			return err
		}
		_, err = w.Write(value)
		return errors.Join(err, w.Close())
	}
	return s.Vault.Put(ctx, key, value)
}

// Get makes a new value, or reuses the memory of the last one, as C does.
func (s *store) Get(key string) (value []byte, err error) {
	if s.via == "append" {
		s.buf, err = s.AppendValue(ctx, s.buf[:0], key)
		return s.buf, err
	}
	return s.Vault.Get(ctx, key)
}

func (s *store) Flush() error {
	if s.via != "cached" {
		return nil
	}
	_, err := s.FlushCache(ctx)
	return err
}

func (s *store) PutBatch(pairs iter.Seq2[string, []byte]) error {
	switch s.via {
	case "update":
		return s.Update(ctx, func(tx *kvault.Tx) error {
			for key, value := range pairs {
				if err := tx.Put(ctx, key, value); err != nil {
					return err
				}
			}
			return nil
		})
	case "cached":
		for key, value := range pairs {
			if err := s.Vault.Put(ctx, key, value); err != nil {
				return err
			}
		}
		return nil
	}
	return s.PutAll(ctx, pairs)
}

// View reads in a transaction, or with GetMany.
func (s *store) View(keys []string, each func(int, []byte)) error {
	if s.via == "getmany" {
		values, err := s.GetMany(ctx, keys...)
		for i, key := range keys {
			each(i, values[key])
		}
		return err
	}
	return s.Vault.View(ctx, func(tx *kvault.Tx) error {
		for i, key := range keys {
			var err error
			if s.buf, err = tx.AppendValue(ctx, s.buf[:0], key); err != nil {
				return err
			}
			each(i, s.buf)
		}
		return nil
	})
}

func (s *store) List(each func(string)) error {
	for key, err := range s.Keys(ctx, nil) {
		if err != nil {
			return err
		}
		each(key)
	}
	return nil
}

func (s *store) PutStream(key string, r io.Reader, size int64) error {
	o := &kvault.PutOptions{}
	if size >= 0 {
		o.Size, o.SizeKnown = size, true
	}
	_, err := s.PutReader(ctx, key, r, o)
	return err
}

func (s *store) GetStream(key string, w io.Writer) error {
	_, err := s.GetTo(ctx, key, w)
	return err
}

func (s *store) OpenValue(key string) (load.ReaderAtCloser, error) { return s.NewReader(ctx, key) }

func (s *store) Extend(x []int64) error {
	if len(x) == 1 {
		return s.col.Append(ctx, x[0])
	}
	return s.col.Extend(ctx, x)
}

func (s *store) Scan(each func([]int64)) error {
	for block, err := range s.col.Blocks(ctx) {
		if err != nil {
			return err
		}
		each(block)
	}
	return nil
}

func (s *store) At(i int64) (int64, error) { return s.col.Get(ctx, i) }
