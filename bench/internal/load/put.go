package load

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/kohakuvault/kvault/bench/internal/contract"
)

// target is the index that operation op writes: a new key, or one of those that the store holds.
func (r *run) target(op int64) int64 {
	switch {
	case r.order != nil:
		return r.order[op]
	case r.Workload == "replace" && !r.Fill:
		return r.Pick(op, r.Keys)
	}
	return op
}

// put writes Ops values, Batch in each transaction, by Workers at once.
func (r *run) put() error {
	write := r.putOne
	if r.Batch > 1 {
		if _, ok := r.store.(Batcher); !ok {
			return fmt.Errorf("batches: %w", ErrUnsupported)
		}
		write = r.putBatch
	}
	if err := r.measure(func() error { return r.each(write) }); err != nil {
		return err
	}
	r.res.Ops, r.res.Bytes = r.Ops, r.Ops*r.Size
	return r.readBack(r.Ops)
}

// each calls fn for the first operation of each batch, from all workers.
func (r *run) each(fn func(op int64) error) error {
	if r.Workers <= 1 {
		for op := int64(0); op < r.Ops; op += r.Batch {
			if err := fn(op); err != nil {
				return err
			}
		}
		return nil
	}
	errs := make(chan error, r.Workers)
	var wg sync.WaitGroup
	for w := range r.Workers {
		wg.Go(func() {
			for op := int64(w) * r.Batch; op < r.Ops; op += int64(r.Workers) * r.Batch {
				if err := fn(op); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	return <-errs
}

func (r *run) putOne(op int64) error {
	i := r.target(op)
	return r.store.Put(r.Key(i), r.Value(i, r.Size))
}

func (r *run) putBatch(op int64) error {
	return r.store.(Batcher).PutBatch(func(yield func(string, []byte) bool) {
		for end := min(op+r.Batch, r.Ops); op < end; op++ {
			i := r.target(op)
			if !yield(r.Key(i), r.Value(i, r.Size)) {
				return
			}
		}
	})
}

// readBack compares some of the first n operations' values with what they should be.
func (r *run) readBack(n int64) error {
	sum := uint64(0)
	for op := range contract.Samples(n) {
		i := r.target(op)
		value, err := r.check(i)
		if err != nil {
			return err
		}
		sum += contract.Fold(i, value)
	}
	r.res.Checksum += contract.Checksum(sum)
	return nil
}

// check reads value i and compares all of it.
func (r *run) check(i int64) ([]byte, error) {
	value, err := r.store.Get(r.Key(i))
	if err != nil {
		return nil, fmt.Errorf("reading back value %d: %w", i, err)
	}
	if !bytes.Equal(value, r.Value(i, r.Size)) {
		return nil, fmt.Errorf("value %d reads back different, in %d bytes", i, len(value))
	}
	return value, nil
}
