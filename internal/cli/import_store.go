package cli

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/transact"
)

// batchWriter stores items in the vault's cache and flushes it, one transaction for a batch.
type batchWriter struct {
	*importer
	// each has the items wait here, not in the cache, and be stored by a call of their own: where
	// there are no transactions, many at once, and with a condition, for which the cache would be
	// flushed for each of them.
	each    bool
	pending []pendingItem // in the cache and not reported yet
	bytes   int64
}

type pendingItem struct {
	entry kvault.Entry
	item  *item
}

func (w *batchWriter) storeAll(ctx context.Context, items <-chan *item) error {
	for it := range items {
		if err := w.store(ctx, it); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (w *batchWriter) store(ctx context.Context, it *item) error {
	defer it.close()
	key := w.key(it.source)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case it.err != nil && it.fatal:
		return it.err
	case it.err != nil:
		w.addFailed(&w.summary, w.command, key, it.err)
		return nil
	case it.unchanged:
		w.progress.add(it.size())
		return w.addUnchanged(&w.summary, key, it.size())
	case it.skipped:
		w.progress.add(it.size())
		return w.addSkipped(&w.summary, key, it.size())
	case w.dryRun:
		w.progress.add(it.size())
		return w.addDone(&w.summary, key, it.size())
	}
	var err error
	if it.content != nil {
		err = w.stream(ctx, key, it)
	} else {
		err = w.hold(ctx, key, it)
	}
	return w.itemError(ctx, key, it, err)
}

// itemError reports an error that is due to one item, and returns any other.
func (w *batchWriter) itemError(ctx context.Context, key string, it *item, err error) error {
	switch {
	case err == nil, ctx.Err() != nil:
		return err
	case w.noClobber && errors.Is(err, kvault.ErrExists):
		return w.addSkipped(&w.summary, key, it.size())
	case isItemError(err):
		w.addFailed(&w.summary, w.command, key, err)
		return nil
	}
	return err
}

func (w *batchWriter) options(it *item) *kvault.PutOptions {
	o := &kvault.PutOptions{
		ModTime:     engine.FitModTime(it.info.ModTime()),
		ContentType: it.contentType,
		User:        it.meta,

		IfAbsent: w.noClobber,
	}
	if it.content != nil && it.content.trusted {
		o.Size, o.SizeKnown = it.info.Size(), true
	}
	return o
}

// hold puts a small file into the cache, or keeps it for its batch.
func (w *batchWriter) hold(ctx context.Context, key string, it *item) error {
	e := kvault.Entry{Size: int64(len(it.value))}
	if !w.each {
		var err error
		if e, err = w.vault.PutWith(ctx, key, it.value, w.options(it)); err != nil {
			return err
		}
		it.value = nil
	}
	w.progress.add(e.Size)
	w.pending = append(w.pending, pendingItem{e, it})
	w.bytes += e.Size
	if len(w.pending) < w.batch.items && w.bytes < w.batch.bytes {
		return nil
	}
	return w.flush(ctx)
}

// stream stores a large file, which is a transaction of its own.
func (w *batchWriter) stream(ctx context.Context, key string, it *item) error {
	if err := w.flush(ctx); err != nil {
		return err
	}
	to, err := w.vault.NewWriter(ctx, key, w.options(it))
	if err != nil {
		return err
	}
	defer to.Abort()
	if _, err := to.ReadFrom(w.progress.reader(io.MultiReader(bytes.NewReader(it.value), it.content))); err != nil {
		return err
	}
	if err := to.Close(); err != nil {
		return err
	}
	it.grew = it.content.grew
	return w.stored(to.Entry(), it)
}

// flush makes what is held part of the vault, and only then reports it.
func (w *batchWriter) flush(ctx context.Context) error {
	if len(w.pending) == 0 {
		return nil
	}
	commit := w.commit
	if w.each {
		commit = w.commitEach
	}
	if err := commit(ctx); err != nil {
		return err
	}
	for _, p := range w.pending {
		err := p.item.err
		if err == nil {
			err = w.stored(p.entry, p.item)
		}
		if err := w.itemError(ctx, w.key(p.item.source), p.item, err); err != nil {
			return err
		}
	}
	w.pending, w.bytes = w.pending[:0], 0
	return nil
}

// commit flushes the cache.
func (w *batchWriter) commit(ctx context.Context) error {
	_, err := w.vault.FlushCache(ctx)
	if err != nil && ctx.Err() == nil {
		w.discard(ctx)
	}
	return err
}

// commitEach stores what is held: in one transaction, or many at once by themselves.
func (w *batchWriter) commitEach(ctx context.Context) error {
	whole := true
	err := transact.Update(ctx, w.vault, func(in transact.Store) error {
		whole = transact.Atomic(in)
		return transact.Each(ctx, in, len(w.pending), func(ctx context.Context, i int) error {
			p := &w.pending[i]
			p.entry, p.item.err = in.PutWith(ctx, w.key(p.item.source), p.item.value, w.options(p.item))
			if err := p.item.err; err != nil && !errors.Is(err, kvault.ErrExists) && !isItemError(err) {
				return err
			}
			return nil
		})
	})
	if err == nil {
		return nil
	}
	for _, p := range w.pending {
		if whole || p.entry.Key == "" || p.item.err != nil {
			continue
		}
		if failed := w.stored(p.entry, p.item); failed != nil {
			err = errors.Join(err, failed)
			break
		}
	}
	w.pending, w.bytes = nil, 0
	return err
}

// stored reports an item as imported, and what of it could not be kept.
func (w *batchWriter) stored(e kvault.Entry, it *item) error {
	if it.grew {
		w.note("%s", grewNote(w.shown(e.Key), e.Size))
	}
	if was := it.info.ModTime(); !e.ModTime.Equal(was) {
		w.summary.addTimes(1)
		w.note("%s", timeNote(w.shown(e.Key), was, e.ModTime))
	}
	return w.addDone(&w.summary, e.Key, e.Size)
}

// discard throws away what is held, after a flush that failed: the vault would else try it again at
// each step of its closing, wait for the same lock again, and report the same failure.
func (w *batchWriter) discard(ctx context.Context) {
	w.pending, w.bytes = nil, 0
	// If even this fails, closing the vault says what there is to say.
	_, _ = w.vault.DiscardCache(ctx)
}

// isItemError reports whether an error is due to one file or its key, so that the others can still
// be stored.
func isItemError(err error) bool {
	var reading *kvault.IOError
	switch {
	case errors.Is(err, kvault.ErrInvalid), errors.Is(err, kvault.ErrTooLarge):
		return true
	}
	return errors.As(err, &reading) && reading.Op == "read source"
}
