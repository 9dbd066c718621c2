package load

import (
	"bytes"
	"fmt"
	"iter"
	"os"
	"path/filepath"

	"github.com/kohakuvault/kvault/bench/internal/contract"
)

// tree stores the files of a folder under their relative paths, Batch in each transaction.
func (r *run) tree() error {
	files, err := contract.Tree(r.Path)
	if err != nil {
		return err
	}
	err = r.measure(func() error {
		b, ok := r.store.(Batcher)
		if !ok || r.Batch <= 1 {
			return r.putFiles(files)
		}
		for rest := files; len(rest) > 0; {
			n := min(int(r.Batch), len(rest))
			if err := putBatchOfFiles(b, r.Path, rest[:n]); err != nil {
				return err
			}
			rest = rest[n:]
		}
		return nil
	})
	if err != nil {
		return err
	}
	sum := uint64(0)
	for _, name := range files {
		want, err := os.ReadFile(filepath.Join(r.Path, name))
		if err != nil {
			return err
		}
		value, err := r.store.Get(name)
		if err != nil {
			return err
		}
		if !bytes.Equal(value, want) {
			return fmt.Errorf("%s reads back different", name)
		}
		r.res.Bytes += int64(len(value))
		sum += contract.Fold(0, value)
	}
	r.res.Ops, r.res.Checksum = int64(len(files)), contract.Checksum(sum)
	return nil
}

func (r *run) putFiles(files []string) error {
	for _, name := range files {
		value, err := os.ReadFile(filepath.Join(r.Path, name))
		if err == nil {
			err = r.store.Put(name, value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func putBatchOfFiles(b Batcher, dir string, files []string) (err error) {
	var pairs iter.Seq2[string, []byte] = func(yield func(string, []byte) bool) {
		for _, name := range files {
			var value []byte
			if value, err = os.ReadFile(filepath.Join(dir, name)); err != nil || !yield(name, value) {
				return
			}
		}
	}
	if putErr := b.PutBatch(pairs); putErr != nil {
		return putErr
	}
	return err
}
