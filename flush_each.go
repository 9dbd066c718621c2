package kvault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/writeback"
)

// flushEach writes the batch of a cache flush to a store that makes one change at a time.
func (v *Vault) flushEach(ctx context.Context, s engine.EachApplier, b writeback.Batch) (writeback.Batch, error) {
	var written writeback.Batch
	failed := failures{of: len(b.Items)}
	if len(b.Items) > 0 {
		_, errs := s.ApplyEach(ctx, opsOf(b.Items))
		if len(errs) != len(b.Items) {
			return written, &FlushError{Err: fmt.Errorf("engine answered %d of %d ops", len(errs), len(b.Items))}
		}
		for i, err := range errs {
			if err == nil {
				written.Items = append(written.Items, b.Items[i])
			} else {
				failed.add(b.Items[i].Key, err)
			}
		}
	}
	err := failed.err()
	if len(b.Appends) > 0 {
		column, appendErr := v.flushAppends(ctx, b)
		if appendErr == nil {
			written.Appends = b.Appends
		} else if appendErr = flushError(column, appendErr); err == nil {
			err = appendErr
		} else {
			first := err.(*FlushError)
			err = &FlushError{Entry: first.Entry, Err: errors.Join(first.Err, appendErr)}
		}
	}
	return written, err
}

// failures are the entries of a flush that could not be written.
type failures struct {
	of, n int
	first CacheEntry // whose doing it is, if any
	errs  []error
}

// toldFailures is how many errors of entries a FlushError has: a server that is gone fails all.
const toldFailures = 8

func (f *failures) add(key string, err error) {
	f.n++
	if f.first == (CacheEntry{}) && isOfEntry(err) {
		f.first.Key = key
	}
	if len(f.errs) < toldFailures {
		f.errs = append(f.errs, fmt.Errorf("%s: %w", quoteKey(key), err))
	}
}

func (f *failures) err() error {
	switch {
	case f.n == 0:
		return nil
	case f.n > len(f.errs):
		f.errs = append(f.errs, fmt.Errorf("and %d more", f.n-len(f.errs)))
	}
	return &FlushError{Entry: f.first, Err: fmt.Errorf("%d of %d entries were not written: %w", f.n, f.of, errors.Join(f.errs...))}
}

// flushAppends adds the elements of a batch to their columns, all of them or none. If nobody can tell
// which, they are in doubt: the next flush writes the same under the same id, and the store knows
// whether it has that already.
func (v *Vault) flushAppends(ctx context.Context, b writeback.Batch) (column CacheEntry, err error) {
	s, ok := v.store.(engine.ArrayBeginner)
	if !ok {
		return column, ErrUnsupported // Check would have said so before
	}
	id, since := b.Doubt.ID, b.Doubt.Since
	if id == "" {
		id, since = newTag(), time.Now()
	} else if time.Since(since) > engine.CommitMemory-commitMargin {
		column.Column = b.Appends[0].Column()
		return column, fmt.Errorf("append %q: %w", column.Column, errLate)
	}
	err = v.runArrays(ctx, s, id, func(tx *Tx) error {
		arrays, err := tx.arrays()
		if err != nil {
			return err
		}
		column.Column, err = writeAppends(ctx, b.Appends, arrays)
		return err
	}, func(commit func() error) error {
		return v.cache.commit(func() error {
			v.cache.doubt(id, since) // also if Commit panics
			err := commit()
			if b.Doubt.ID == "" && !inDoubt(err) {
				v.cache.doubt("", time.Time{})
			}
			return err
		})
	})
	return column, err
}

// errLate is the error of elements in doubt that the store may not know any more.
var errLate = fmt.Errorf("%w, and cannot be found out after %v: give the elements up by DiscardCached, "+
	"then look which of them the column has, and append the others again",
	ErrUnknown, engine.CommitMemory-commitMargin)

// inDoubt reports whether a commit that failed with err may have taken effect.
func inDoubt(err error) bool {
	return errors.Is(err, ErrUnknown) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// commitMargin is how long a commit may take, and clocks may differ.
const commitMargin = time.Minute

// doubt says that nobody knows whether the elements of the running flush were written.
func (c *cache) doubt(id string, since time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries.DoubtAppends(id, since)
}
