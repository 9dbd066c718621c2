package load

import (
	"fmt"
	"sync/atomic"

	"github.com/kohakuvault/kvault/bench/internal/contract"
)

// get reads Ops values in a random order, Batch in each transaction.
func (r *run) get() error {
	var sum atomic.Uint64
	read := func(op int64) error {
		i := r.Pick(op, r.Keys)
		value, err := r.store.Get(r.Key(i))
		sum.Add(contract.Fold(i, value))
		return err
	}
	if r.Batch > 1 {
		v, ok := r.store.(Viewer)
		if !ok {
			return fmt.Errorf("several reads in a transaction: %w", ErrUnsupported)
		}
		read = func(op int64) error {
			keys := make([]string, min(r.Batch, r.Ops-op))
			for j := range keys {
				keys[j] = r.Key(r.Pick(op+int64(j), r.Keys))
			}
			s := uint64(0)
			err := v.View(keys, func(j int, value []byte) { s += contract.Fold(r.Pick(op+int64(j), r.Keys), value) })
			sum.Add(s)
			return err
		}
	}
	if err := r.warm(r.Batch, read); err != nil {
		return err
	}
	sum.Store(0)
	if err := r.measure(func() error { return r.each(read) }); err != nil {
		return err
	}
	r.res.Checksum = contract.Checksum(sum.Load())
	return r.checkPicked()
}

// warm runs operations, those in front of the first and in steps, before the measured section.
func (r *run) warm(step int64, fn func(op int64) error) error {
	for op := -r.Warm; op < 0; op += step {
		if err := fn(op); err != nil {
			return err
		}
	}
	return nil
}

// checkPicked compares some of the values that were read.
func (r *run) checkPicked() error {
	r.res.Ops, r.res.Bytes = r.Ops, r.Ops*r.Size
	for op := range contract.Samples(r.Ops) {
		if _, err := r.check(r.Pick(op, r.Keys)); err != nil {
			return err
		}
	}
	return nil
}

// mixed writes with one operation in ten and reads with the others.
func (r *run) mixed() error {
	var sum atomic.Uint64
	err := r.measure(func() error {
		return r.each(func(op int64) error {
			i := r.Pick(op, r.Keys)
			if op%10 == 0 {
				return r.store.Put(r.Key(i), r.Value(i, r.Size))
			}
			value, err := r.store.Get(r.Key(i))
			sum.Add(contract.Fold(i, value))
			return err
		})
	})
	if err != nil {
		return err
	}
	r.res.Checksum = contract.Checksum(sum.Load())
	return r.checkPicked()
}

// list visits all keys, Ops times over all.
func (r *run) list() error {
	l, ok := r.store.(Lister)
	if !ok {
		return fmt.Errorf("ordered listings: %w", ErrUnsupported)
	}
	sum := uint64(0)
	err := r.measure(func() error {
		for range max(r.Ops/max(r.Keys, 1), 1) {
			if err := l.List(func(key string) {
				sum = contract.FoldKey(sum, key)
				r.res.Bytes += int64(len(key))
				r.res.Ops++
			}); err != nil {
				return err
			}
		}
		return nil
	})
	r.res.Checksum = contract.Checksum(sum)
	return err
}
