package kvault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/writeback"
)

// Tx is a transaction: a snapshot of the vault plus its own changes. Its methods are those of
// Vault. They are safe for concurrent use, but run one at a time. After Update or View has returned
// they fail with ErrTxDone, and so do the readers, writers and listings that they made.
type Tx struct {
	v       *Vault
	tx      engine.Tx
	pending writeback.Overlay // the cache's entries when a read-only transaction began
	writes  bool
	done    atomic.Bool
	// atomic is held during a change that takes several calls of the engine. It guards halfDone, the
	// error because of which the transaction cannot be committed.
	atomic   sync.Mutex
	halfDone error
}

var _ executor = (*Tx)(nil)

// Update runs fn in a transaction that may write. All its changes become visible at once when fn
// returns nil, and none do if fn fails or panics. fn runs once, and Update returns its error
// unchanged. One Update runs at a time; readers do not wait for it. Update flushes the cache first,
// and cached writers wait until it ends.
//
// Inside fn use only the Tx. A method of the Vault that writes would wait for the transaction,
// which waits for it, until its context ends.
//
// If a call in the transaction fails after it changed something, and fn continues nevertheless,
// Update fails with ErrTxDone.
//
// ErrUnsupported if the engine has no transactions: see [New].
func (v *Vault) Update(ctx context.Context, fn func(*Tx) error) error {
	return failOwn("update", v.update(ctx, fn))
}

// update is Update with errors for failOwn.
func (v *Vault) update(ctx context.Context, fn func(*Tx) error) error {
	return v.change(ctx, func() error {
		t, ok := v.store.(engine.Transactor)
		if !ok {
			return errNoTransactions
		}
		return v.cache.exclusive(ctx, func() error { return v.runUpdate(ctx, t.Begin, fn, nil) })
	})
}

var errNoTransactions = fmt.Errorf("%w, which makes one change at a time: make the changes one by one, "+
	"each under the version tag that was read (IfTag, IfAbsent)", ErrUnsupported)

var errNoSnapshots = fmt.Errorf("%w, which has no snapshots of keys: read each key by itself", ErrUnsupported)

// beginner is engine.Transactor.Begin, or the like of it.
type beginner func(ctx context.Context, writable bool) (engine.Tx, error)

// runUpdate runs fn in a transaction, and commits it through around, if that is not nil.
func (v *Vault) runUpdate(ctx context.Context, begin beginner, fn func(*Tx) error, around func(commit func() error) error) error {
	var begun engine.Tx
	err := retry(ctx, &v.opt, func() (err error) {
		begun, err = begin(ctx, true)
		return err
	})
	if err != nil {
		return err
	}
	tx := &Tx{v: v, tx: begun, writes: true}
	defer tx.end() // rolls back unless committed, also if fn panics
	if err := fn(tx); err != nil {
		return own(err)
	}
	if err := tx.whole(); err != nil {
		return err
	}
	commit := func() error { return retry(ctx, &v.opt, func() error { return begun.Commit(ctx) }) }
	if around != nil {
		return around(commit)
	}
	return commit()
}

// whole returns an error if a change was made only in part.
func (t *Tx) whole() error {
	t.atomic.Lock()
	defer t.atomic.Unlock()
	if t.halfDone == nil {
		return nil
	}
	return fmt.Errorf("%w: it was rolled back, since a call in it failed halfway: %w", ErrTxDone, t.halfDone)
}

// View runs fn on a snapshot of the vault, cached writes included. Writers do not wait for it, but
// a long View keeps the write-ahead log from being reset. View returns the error of fn unchanged.
//
// ErrUnsupported if the engine has no transactions: see [New].
func (v *Vault) View(ctx context.Context, fn func(*Tx) error) error {
	return failOwn("view", v.view(ctx, func(tx *Tx) error { return own(fn(tx)) }))
}

func (v *Vault) view(ctx context.Context, fn func(*Tx) error) error {
	t, ok := v.store.(engine.Transactor)
	if !ok {
		return v.during(func() error { return errNoSnapshots })
	}
	return v.viewFrom(ctx, t.Begin, fn)
}

// viewFrom runs fn in a snapshot that begin gives.
func (v *Vault) viewFrom(ctx context.Context, begin beginner, fn func(*Tx) error) error {
	return v.during(func() error {
		tx, err := v.snapshot(ctx, begin)
		if err != nil {
			return err
		}
		defer tx.end()
		return fn(tx)
	})
}

// snapshot begins a read-only transaction with the overlay that matches it.
func (v *Vault) snapshot(ctx context.Context, begin beginner) (*Tx, error) {
	tx := &Tx{v: v}
	undo := func() {
		if tx.tx != nil {
			tx.tx.Rollback()
			tx.tx = nil
		}
	}
	err := v.cache.consistent(ctx, engine.Range{}, true, func(over writeback.Overlay) error {
		tx.pending = over
		return retry(ctx, &v.opt, func() error {
			begun, err := begin(ctx, false)
			if err == nil {
				tx.tx = begun
			}
			return err
		})
	}, undo)
	if err != nil {
		undo()
	}
	return tx, err
}

// ownError marks an error of the caller's function, which is returned unchanged.
type ownError struct{ err error }

func own(err error) error {
	if err == nil {
		return nil
	}
	return &ownError{err}
}

func (o *ownError) Error() string { return o.err.Error() }
func (o *ownError) Unwrap() error { return o.err }

// failOwn is fail, but returns the caller's own errors unchanged.
func failOwn(op string, err error) error {
	if own, ok := err.(*ownError); ok {
		return own.err
	}
	return fail(op, "", err)
}

// end ends the Tx. A rollback that fails does not matter: nothing was committed.
func (t *Tx) end() {
	t.done.Store(true)
	t.tx.Rollback()
}

func (t *Tx) chunkSize() int { return t.v.opt.ChunkSize }

func (t *Tx) do(ctx context.Context, fn func(engine.Reader) error) error {
	return retry(ctx, &t.v.opt, func() error {
		if t.done.Load() {
			return ErrTxDone
		}
		return fn(t.tx)
	})
}

func (t *Tx) lookup(key string) (writeback.Entry, bool) { return t.pending.Lookup(key) }

func (t *Tx) page(ctx context.Context, q engine.Query, want projection, dst []string) (p page, err error) {
	err = t.do(ctx, func(r engine.Reader) error {
		p, err = readPage(ctx, r, t.pending.Within(q.Range), q, want, dst)
		return err
	})
	return p, err
}

func (t *Tx) count(ctx context.Context, rng engine.Range) (n int64, err error) {
	err = t.do(ctx, func(r engine.Reader) error {
		n, err = countOver(ctx, r, t.pending.Within(rng).Items(), rng)
		return err
	})
	return n, err
}

func (t *Tx) writable(ctx context.Context) error {
	return t.do(ctx, func(engine.Reader) error {
		if !t.writes {
			return ErrReadOnly
		}
		return nil
	})
}

func (t *Tx) apply(ctx context.Context, op engine.Op) (engine.Result, error) {
	res, err := t.applyAll(ctx, []engine.Op{op})
	if err != nil {
		return engine.Result{}, err
	}
	return res[0], nil
}

func (t *Tx) applyAll(ctx context.Context, ops []engine.Op) (res []engine.Result, err error) {
	if err := t.writable(ctx); err != nil {
		return nil, err
	}
	err = t.do(ctx, func(engine.Reader) error {
		res, err = t.tx.Apply(ctx, ops)
		return err
	})
	return res, err
}

// atomically runs fn, which sets changed once it has changed something; one such function of the
// transaction runs at a time. If fn fails after that, the transaction ends as if rolled back,
// because it would commit half of a change. A savepoint for each fn would cost as much as a small
// change itself.
func (t *Tx) atomically(fn func(changed *bool) error) error {
	t.atomic.Lock()
	defer t.atomic.Unlock()
	changed, err := false, errPanicked
	defer func() {
		if err != nil && changed {
			t.halfDone = err
			t.end()
		}
	}()
	err = fn(&changed)
	return err
}

var errPanicked = errors.New("a panic")

func (t *Tx) stage(ctx context.Context, o engine.StageOptions) (st engine.Stage, err error) {
	if err := t.writable(ctx); err != nil {
		return nil, err
	}
	err = t.do(ctx, func(engine.Reader) error {
		st, err = t.tx.Stage(ctx, o)
		return err
	})
	return st, err
}

// Get is Vault.Get in the transaction.
func (t *Tx) Get(ctx context.Context, key string) ([]byte, error) { return get(ctx, t, key) }

// AppendValue is Vault.AppendValue in the transaction.
func (t *Tx) AppendValue(ctx context.Context, dst []byte, key string) ([]byte, error) {
	return appendValue(ctx, t, dst, key)
}

// GetOr is Vault.GetOr in the transaction.
func (t *Tx) GetOr(ctx context.Context, key string, def []byte) ([]byte, error) {
	return getOr(ctx, t, key, def)
}

// GetRange is Vault.GetRange in the transaction.
func (t *Tx) GetRange(ctx context.Context, key string, off, n int64) ([]byte, error) {
	return getRange(ctx, t, key, off, n)
}

// Stat is Vault.Stat in the transaction.
func (t *Tx) Stat(ctx context.Context, key string) (Entry, error) { return stat(ctx, t, key) }

// Tag is Vault.Tag in the transaction.
func (t *Tx) Tag(ctx context.Context, key string) (string, error) { return tagOf(ctx, t, key) }

// Exists is Vault.Exists in the transaction.
func (t *Tx) Exists(ctx context.Context, key string) (bool, error) { return has(ctx, t, key) }

// NewReader is Vault.NewReader in the transaction. Close the reader before the transaction ends.
func (t *Tx) NewReader(ctx context.Context, key string) (*Reader, error) {
	r, err := newReader(ctx, t, key)
	return r, fail("open", key, err)
}

// GetTo is Vault.GetTo in the transaction.
func (t *Tx) GetTo(ctx context.Context, key string, w io.Writer) (int64, error) {
	return getTo(ctx, t, key, w)
}

// Len is Vault.Len in the transaction.
func (t *Tx) Len(ctx context.Context) (int64, error) { return length(ctx, t) }

// Count is Vault.Count in the transaction.
func (t *Tx) Count(ctx context.Context, o *ListOptions) (int64, error) { return count(ctx, t, o) }

// List is Vault.List in the transaction. All pages are of one snapshot. Of the transaction's own
// changes a loop sees those made before the page was read.
func (t *Tx) List(ctx context.Context, o *ListOptions) iter.Seq2[Entry, error] {
	return list(ctx, t, o)
}

// Keys is Vault.Keys in the transaction, as Tx.List.
func (t *Tx) Keys(ctx context.Context, o *ListOptions) iter.Seq2[string, error] {
	return keys(ctx, t, o)
}

// Values is Vault.Values in the transaction, as Tx.List.
func (t *Tx) Values(ctx context.Context, o *ListOptions) iter.Seq2[[]byte, error] {
	return values(ctx, t, o)
}

// Items is Vault.Items in the transaction, as Tx.List.
func (t *Tx) Items(ctx context.Context, o *ListOptions) iter.Seq2[Item, error] {
	return items(ctx, t, o)
}

// Put is Vault.Put in the transaction.
func (t *Tx) Put(ctx context.Context, key string, value []byte) error {
	_, err := put(ctx, t, key, value, nil)
	return err
}

// PutWith is Vault.PutWith in the transaction.
func (t *Tx) PutWith(ctx context.Context, key string, value []byte, o *PutOptions) (Entry, error) {
	return put(ctx, t, key, value, o)
}

// PutReader is Vault.PutReader in the transaction. Other writers wait while r is read.
func (t *Tx) PutReader(ctx context.Context, key string, r io.Reader, o *PutOptions) (Entry, error) {
	return putReader(ctx, t, key, r, o)
}

// Delete is Vault.Delete in the transaction.
func (t *Tx) Delete(ctx context.Context, key string) (bool, error) { return remove(ctx, t, key) }

// DeleteIf is Vault.DeleteIf in the transaction.
func (t *Tx) DeleteIf(ctx context.Context, key, tag string) error { return removeIf(ctx, t, key, tag) }

// Pop is Vault.Pop in the transaction.
func (t *Tx) Pop(ctx context.Context, key string) ([]byte, error) { return pop(ctx, t, key) }

// SetDefault is Vault.SetDefault in the transaction.
func (t *Tx) SetDefault(ctx context.Context, key string, value []byte) (stored []byte, existed bool, err error) {
	return setDefault(ctx, t, key, value)
}

// Rename is Vault.Rename in the transaction.
func (t *Tx) Rename(ctx context.Context, from, to string, o *RenameOptions) error {
	return rename(ctx, t, from, to, o)
}

// Clear is Vault.Clear in the transaction.
func (t *Tx) Clear(ctx context.Context) (int64, error) {
	return removeRange(ctx, t, "clear", engine.Range{})
}

// DeletePrefix is Vault.DeletePrefix in the transaction.
func (t *Tx) DeletePrefix(ctx context.Context, prefix string) (int64, error) {
	return removePrefix(ctx, t, prefix)
}
