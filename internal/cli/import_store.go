package cli

import (
	"context"
	"errors"

	"github.com/kohakuvault/kvault"
)

// batchWriter stores items in the vault's cache and flushes it, one transaction for a batch.
type batchWriter struct {
	*importer
	pending []kvault.Entry // in the cache and not reported yet
	bytes   int64
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
		w.failedItem(&w.tally, "import", key, it.err)
		return nil
	case it.unchanged:
		w.progress.add(it.info.Size())
		return w.leftAlone(&w.tally, key, it.info.Size())
	}
	var err error
	if it.large != nil {
		err = w.stream(ctx, key, it)
	} else {
		err = w.hold(ctx, key, it)
	}
	if err != nil && ctx.Err() == nil && itemsFault(err) {
		w.failedItem(&w.tally, "import", key, err)
		return nil
	}
	return err
}

func (w *batchWriter) options(it *item) *kvault.PutOptions {
	return &kvault.PutOptions{
		Size: it.info.Size(), SizeKnown: true,
		ModTime: it.info.ModTime(),
		User:    map[string]string{modeMeta: modeOf(it.info)},
	}
}

// hold puts a small file into the cache.
func (w *batchWriter) hold(ctx context.Context, key string, it *item) error {
	e, err := w.vault.PutWith(ctx, key, it.value, w.options(it))
	if err != nil {
		return err
	}
	w.progress.add(e.Size)
	w.pending = append(w.pending, e)
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
	if _, err := to.ReadFrom(w.progress.reader(it.large)); err != nil {
		return err
	}
	// Asked before Close, so that the old value stays in place of one that may be of no one version.
	if err := unchangedSince(it.large, it.info); err != nil {
		return &sourceError{err}
	}
	if err := to.Close(); err != nil {
		return err
	}
	return w.did(&w.tally, "imported", key, to.Entry().Size)
}

// flush makes what is held part of the vault, and only then reports it.
func (w *batchWriter) flush(ctx context.Context) error {
	if len(w.pending) == 0 {
		return nil
	}
	if _, err := w.vault.FlushCache(ctx); err != nil {
		if ctx.Err() == nil {
			w.giveUp(ctx)
		}
		return err
	}
	for _, e := range w.pending {
		if err := w.did(&w.tally, "imported", e.Key, e.Size); err != nil {
			return err
		}
	}
	w.pending, w.bytes = w.pending[:0], 0
	return nil
}

// giveUp throws away what is held, after a flush that failed: the vault would else try it again at each step of its closing, wait for
// the same lock again, and report the same failure.
func (w *batchWriter) giveUp(ctx context.Context) {
	w.pending, w.bytes = nil, 0
	// If even this fails, closing the vault says what there is to say.
	_, _ = w.vault.DiscardCache(ctx)
}

// sourceError is a failure of the file that was to be imported.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

// itemsFault reports whether an error is due to one file or its key, so that the others can still be stored.
func itemsFault(err error) bool {
	var source *sourceError
	var reading *kvault.IOError
	switch {
	case errors.As(err, &source), errors.Is(err, kvault.ErrInvalid), errors.Is(err, kvault.ErrTooLarge):
		return true
	}
	return errors.As(err, &reading) && reading.Op == "read source"
}
