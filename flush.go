package kvault

import (
	"context"
	"errors"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/writeback"
)

// CacheEntry names the pending entry of one key, or the pending elements of one column.
type CacheEntry struct {
	Key    string // or empty
	Column string // or empty
}

// FlushError is the error of a flush that failed, by itself or in a call that needed it. Nothing
// was written, and all entries are still pending; on an engine that makes one change at a time (see
// New), those that could not be written are. FlushCache, Close, CacheStats, Options.OnError and
// every call that flushes return it; use errors.As.
type FlushError struct {
	// Entry is the one that could not be written, or the first of them. It is zero if no entry is the
	// cause, as when the disk is full. Put a value under the key that can be written, or call
	// DiscardCached, and the others can be flushed.
	Entry CacheEntry
	// Err is the cause.
	Err error
}

func (f *FlushError) Error() string {
	if f.Entry.Key != "" {
		return "flush cache: " + quoteKey(f.Entry.Key) + ": " + f.Err.Error()
	}
	return "flush cache: " + f.Err.Error() // which names the column, if there is one
}

// Unwrap returns the cause.
func (f *FlushError) Unwrap() error { return f.Err }

// flushCause is a FlushError whose entry the surrounding error already names.
type flushCause struct {
	text string
	*FlushError
}

func (f *flushCause) Error() string { return f.text + f.Err.Error() }
func (f *flushCause) Unwrap() error { return f.FlushError }

// failFlush is fail for a call without a key: it names the key of the entry to blame.
func failFlush(op string, err error) error {
	f, ok := err.(*FlushError)
	if !ok {
		return fail(op, "", err)
	}
	text := "flush cache: "
	if op == "flush cache" {
		text = ""
	}
	return &Error{Op: op, Key: f.Entry.Key, Err: &flushCause{text, f}}
}

// flush writes the batch of a cache flush to the store: in one transaction, or entry by entry where
// there are none, and then written is what the store took before an error.
func (v *Vault) flush(ctx context.Context, b writeback.Batch) (written writeback.Batch, err error) {
	if each, ok := v.store.(engine.EachApplier); ok {
		return v.flushEach(ctx, each, b)
	}
	entry, err := v.writeBatch(ctx, b)
	return written, flushError(entry, err)
}

// flushError returns the error of a flush that failed at entry, if that is known, because of err.
func flushError(entry CacheEntry, err error) error {
	if err == nil {
		return nil
	}
	if own, ok := err.(*ownError); ok {
		err = own.err
	}
	if oe, ok := err.(*engine.OpError); ok {
		entry, err = CacheEntry{Key: oe.Key}, oe.Err
	}
	if !isOfEntry(err) {
		entry = CacheEntry{}
	}
	return &FlushError{Entry: entry, Err: err}
}

// isOfEntry reports whether the entry that was being written may be the cause of err. If it is not,
// discarding it would not help.
func isOfEntry(err error) bool {
	if errors.Is(err, errLate) {
		return true
	}
	for _, other := range []error{
		context.Canceled, context.DeadlineExceeded, ErrBusy, ErrClosed, ErrMoved, ErrReadOnly, ErrTxDone,
		ErrConflict, ErrUnknown,
	} {
		if errors.Is(err, other) {
			return false
		}
	}
	_, disk := errors.AsType[*IOError](err)
	return !disk
}

// opsOf are the changes that pending entries stand for.
func opsOf(items []writeback.Item) []engine.Op {
	ops := make([]engine.Op, len(items))
	for i, it := range items {
		ops[i] = engine.Op{Kind: engine.Put, Key: it.Key, Value: it.Value, Meta: it.Meta}
		if it.Deleted {
			ops[i] = engine.Op{Kind: engine.Delete, Key: it.Key}
		}
	}
	return ops
}

// writeBatch writes a batch in one transaction. On an error, column names the column whose elements
// were being written, if any.
func (v *Vault) writeBatch(ctx context.Context, b writeback.Batch) (column CacheEntry, err error) {
	ops := opsOf(b.Items)
	if len(b.Appends) == 0 {
		_, err := v.write(ctx, ops)
		return column, err
	}
	t, ok := v.store.(engine.Transactor)
	if !ok {
		return column, ErrUnsupported // Check would have said so before
	}
	err = v.runUpdate(ctx, t.Begin, func(tx *Tx) error {
		if len(ops) > 0 {
			if _, err := tx.tx.Apply(ctx, ops); err != nil {
				return err
			}
		}
		arrays, err := tx.arrays()
		if err != nil {
			return err
		}
		column.Column, err = writeAppends(ctx, b.Appends, arrays)
		return err
	}, v.cache.commit)
	return column, err
}

// writeAppends adds elements to columns. On an error, column is the one that failed.
func writeAppends(ctx context.Context, list []engine.Append, arrays engine.Arrays) (column string, err error) {
	for _, do := range []func(engine.Append, context.Context, engine.Arrays) error{engine.Append.Check, engine.Append.Write} {
		for _, a := range list {
			if err := do(a, ctx, arrays); err != nil {
				return a.Column(), err
			}
		}
	}
	return "", nil
}
