package kvault

import (
	"context"
	"fmt"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/writeback"
)

// Vault is an ordered set of keys with values of any size. A key is 1 to MaxKey bytes of any kind.
// All methods are safe for concurrent use. Close it when done.
type Vault struct {
	store    engine.Store
	opt      Options
	cache    *cache
	inFlight inFlight
	// closing makes calls of Close run one at a time.
	closing chan struct{}
}

var _ executor = (*Vault)(nil)

// New makes a vault of any engine. The vault owns the store and closes it. It ignores the options
// about files. If another option makes no sense, New fails with ErrInvalid, as Open does, and the
// caller still owns the store.
//
// # Engines that make one change at a time
//
// An engine on a store of objects has no transactions of keys (see [engine.EachApplier]). On such an
// engine a vault differs in this, and each call that says otherwise in general is meant with it:
//
//   - Update, View, PutAll of several keys with the cache off, RenamePrefix, CopyPrefix, uploads and
//     backups are ErrUnsupported.
//   - A flush of the cache writes entry by entry, in no order and many at once. Those that fail stay
//     pending, and others can see some of the entries before the rest. LockCache puts a flush off,
//     and makes it no transaction. Put and Delete do not go by what other vaults wrote meanwhile:
//     the entry flushed last counts.
//   - Elements that the cache holds for columns are written all at once, or none. If an answer is
//     lost, they are in doubt: the next flush, or the next call that reads columns, even while the
//     cache is locked, writes them again, and they are added once. Until that succeeds, columns
//     cannot be read. That is possible for about nine minutes; after that DiscardCached gives them up.
//   - Rename, DeletePrefix and Clear are not atomic. One that fails may have left both keys, or
//     removed a part.
//   - A listing is no snapshot: it shows each key as it is when its page is read.
//   - Columns work, in transactions of their own: View and Update in package column.
//   - A change can fail with ErrUnknown.
func New(s engine.Store, o *Options) (*Vault, error) {
	if err := o.check(); err != nil {
		return nil, fail("new", "", err)
	}
	return newVault(s, o.resolved()), nil
}

func newVault(s engine.Store, o Options) *Vault {
	v := &Vault{store: s, opt: o, closing: make(chan struct{}, 1)}
	v.cache = newCache(v.flush, v.opt.OnError)
	return v
}

// Close waits for running calls, flushes the cache, locked or not, and releases the file. Calls
// that begin meanwhile fail with ErrClosed, and so do the vault's readers, writers and listings. Do
// not close a vault from inside Update, View or Options.OnError: Close would wait for its caller.
//
// If the flush fails, Close returns its error and the vault stays open, so that nothing is lost.
// Call Close again, read the values and keep them elsewhere, or call DiscardCached to give up the
// entry that the *FlushError names. Closing a closed vault returns nil.
func (v *Vault) Close() error {
	v.closing <- struct{}{}
	defer func() { <-v.closing }()
	if !v.inFlight.shut() {
		return nil
	}
	if err := v.cache.close(); err != nil {
		v.inFlight.end(false)
		return failFlush("close", err)
	}
	v.inFlight.end(true)
	return fail("close", "", v.store.Close())
}

// oneByOne reports whether the store makes one change at a time, as those beyond a network do.
func (v *Vault) oneByOne() bool { _, is := v.store.(engine.EachApplier); return is }

func (v *Vault) chunkSize() int { return v.opt.ChunkSize }

func (v *Vault) do(ctx context.Context, fn func(engine.Reader) error) error {
	if err := v.inFlight.enter(); err != nil {
		return err
	}
	defer v.inFlight.leave()
	return retry(ctx, &v.opt, func() error { return fn(v.store) })
}

func (v *Vault) lookup(key string) (writeback.Entry, bool) { return v.cache.lookup(key) }

func (v *Vault) page(ctx context.Context, q engine.Query, want projection, dst []string) (p page, err error) {
	err = v.consistent(ctx, q.Range, func(over writeback.Overlay) error {
		p, err = readPage(ctx, v.store, over, q, want, dst)
		return err
	})
	return p, err
}

func (v *Vault) count(ctx context.Context, r engine.Range) (n int64, err error) {
	err = v.consistent(ctx, r, func(over writeback.Overlay) error {
		pending := over.Items()
		var reader engine.Reader = v.store
		if t, ok := v.store.(engine.Transactor); ok && len(pending) > 0 {
			tx, err := t.Begin(ctx, false)
			if err != nil {
				return err
			}
			defer tx.Rollback()
			reader = tx
		}
		n, err = countOver(ctx, reader, pending, r)
		return err
	})
	return n, err
}

// consistent runs read, which must not change anything, with an overlay that matches the store.
func (v *Vault) consistent(ctx context.Context, r engine.Range, read func(writeback.Overlay) error) error {
	return v.during(func() error {
		return v.cache.consistent(ctx, r, false, func(over writeback.Overlay) error {
			return retry(ctx, &v.opt, func() error { return read(over) })
		}, nil)
	})
}

func (v *Vault) stage(ctx context.Context, o engine.StageOptions) (st engine.Stage, err error) {
	if v.opt.ReadOnly {
		return nil, ErrReadOnly
	}
	err = v.do(ctx, func(engine.Reader) error {
		st, err = v.store.Stage(ctx, o)
		return err
	})
	return st, err
}

// apply sends plain puts and deletes to the cache, if it is on, and everything else to the store.
func (v *Vault) apply(ctx context.Context, op engine.Op) (res engine.Result, err error) {
	err = v.change(ctx, func() error {
		var cached bool
		if cached, res, err = v.applyCached(ctx, op); cached {
			return err
		}
		return v.cache.exclusive(ctx, func() error {
			res, err = v.writeOne(ctx, op)
			return err
		})
	})
	return res, err
}

func (v *Vault) applyCached(ctx context.Context, op engine.Op) (cached bool, res engine.Result, err error) {
	if op.If != (engine.Condition{}) || op.Take {
		return false, res, nil
	}
	switch {
	case op.Kind == engine.Put && op.Staged == nil && op.Upload == nil:
		var e writeback.Entry
		if e, cached, err = v.cache.put(ctx, op.Key, op.Value, op.Meta); cached && (err == nil || isKept(err)) {
			res.Entry = pendingEntry(op.Key, e)
		}
	case op.Kind == engine.Delete:
		res.Found, cached, err = v.cache.remove(ctx, op.Key, func() (found bool, err error) {
			err = retry(ctx, &v.opt, func() error {
				found, err = exists(ctx, v.store, op.Key)
				return err
			})
			return found, err
		})
	}
	return cached, res, err
}

// during runs fn as a call that Close waits for.
func (v *Vault) during(fn func() error) error {
	if err := v.inFlight.enter(); err != nil {
		return err
	}
	defer v.inFlight.leave()
	return fn()
}

// writable fails if the vault cannot be written to, before a caller reads its source.
func (v *Vault) writable(ctx context.Context) error {
	return v.change(ctx, func() error { return nil })
}

// change runs fn as a call that writes.
func (v *Vault) change(ctx context.Context, fn func() error) error {
	return v.during(func() error {
		if v.opt.ReadOnly {
			return ErrReadOnly
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		return fn()
	})
}

// write applies a batch to the store.
func (v *Vault) write(ctx context.Context, ops []engine.Op) (res []engine.Result, err error) {
	err = retry(ctx, &v.opt, func() error {
		res, err = v.store.Apply(ctx, ops)
		return err
	})
	if err == nil && len(res) != len(ops) {
		err = fmt.Errorf("engine answered %d of %d ops", len(res), len(ops))
	}
	return res, err
}

func (v *Vault) writeOne(ctx context.Context, op engine.Op) (engine.Result, error) {
	res, err := v.write(ctx, []engine.Op{op})
	if err != nil {
		return engine.Result{}, err
	}
	return res[0], nil
}
