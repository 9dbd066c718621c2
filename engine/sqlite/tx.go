package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
)

// tx is a transaction: on the writer's connection while it has the turn, or on one of the reading
// ones.
type tx struct {
	s        *Store
	writable bool

	mu    sync.Mutex
	done  error // what every call returns once it has ended
	ses   *session
	blobs map[*blob]struct{}
	// stages may have temporary files.
	stages []*stage
}

// Begin starts a transaction.
func (s *Store) Begin(ctx context.Context, writable bool) (engine.Tx, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	begin := s.beginRead
	if writable {
		begin = s.beginWrite
	}
	ses, err := begin(ctx)
	if err != nil {
		return nil, s.explain(ctx, err)
	}
	x := &tx{s: s, writable: writable, ses: ses, blobs: make(map[*blob]struct{})}
	s.register(x)
	return x, nil
}

func (s *Store) beginWrite(ctx context.Context) (*session, error) {
	if s.writer == nil {
		return nil, s.readOnly()
	}
	w := s.writer
	since := w.waited.Load()
	if err := w.acquire(ctx); err != nil {
		return nil, err
	}
	w.conn.SetContext(ctx)
	w.conn.SetPatience(w.patience(since))
	ses := &session{s: s, c: w.conn}
	err := w.syncLevel(false)
	if err == nil {
		err = w.conn.Begin(true)
	}
	if err == nil {
		err = ses.findTable()
	}
	if err != nil {
		w.giveUp()
		return nil, err
	}
	return ses, nil
}

// beginRead begins a snapshot as of now.
func (s *Store) beginRead(ctx context.Context) (ses *session, err error) {
	err = s.attempt(ctx, func() error {
		ses, err = s.beginReadOnce(ctx)
		return err
	})
	return ses, err
}

func (s *Store) beginReadOnce(ctx context.Context) (*session, error) {
	conn, err := s.getConn(ctx, s.reads)
	if err != nil {
		return nil, err
	}
	if !conn.InTransaction() {
		err = conn.Begin(false)
	}
	if err == nil {
		err = conn.TakeSnapshot()
	}
	var t *table
	if err == nil {
		t, err = s.tableIn(conn)
	}
	if err = s.verified(conn, err); err != nil {
		_ = conn.Rollback() // put closes the connection if it does not work
		s.reads.put(conn)
		return nil, err
	}
	return &session{s: s, c: conn, t: t}, nil
}

// in runs fn on the transaction's connection.
func (x *tx) in(ctx context.Context, fn func(*session) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := x.s.enter(); err != nil {
		return err
	}
	defer x.s.leave()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.done != nil {
		return x.done
	}
	if x.endIfLost(); x.done != nil { // by a blob
		return x.done
	}
	x.ses.c.SetContext(ctx)
	err := fn(x.ses)
	if !x.writable {
		if err = x.s.verified(x.ses.c, err); errors.Is(err, errAgain) {
			x.end(err)
		}
	}
	err = x.s.explain(ctx, err)
	if err != nil {
		x.endIfLost()
	}
	return err
}

// endIfLost ends a transaction that SQLite has rolled back, as it does after some failures. What
// came next would be a transaction of its own, committed at once.
func (x *tx) endIfLost() {
	if x.done == nil && !x.ses.c.InTransaction() {
		x.end(fmt.Errorf("%w: it was rolled back by an earlier failure", engine.ErrTxDone))
	}
}

// Get returns the value of key in the transaction.
func (x *tx) Get(ctx context.Context, key string) ([]byte, error) {
	return neverNil(x.AppendValue(ctx, nil, key))
}

// AppendValue appends the value of key in the transaction to dst.
func (x *tx) AppendValue(ctx context.Context, dst []byte, key string) (value []byte, err error) {
	if err := engine.CheckKey(key); err != nil {
		return nil, err
	}
	err = x.in(ctx, func(ses *session) error {
		var large bool
		if value, large, err = ses.getSmall(dst, key); err == nil && large {
			value, err = ses.get(dst, key)
		}
		return err
	})
	return value, err
}

// Stat describes key in the transaction.
func (x *tx) Stat(ctx context.Context, key string) (e engine.Entry, err error) {
	if err := engine.CheckKey(key); err != nil {
		return e, err
	}
	err = x.in(ctx, func(ses *session) error { e, err = ses.stat(key); return err })
	return e, err
}

// Tag returns the version tag of key in the transaction, as Store.Tag does.
func (x *tx) Tag(ctx context.Context, key string) (tag string, err error) {
	if err := engine.CheckKey(key); err != nil {
		return "", err
	}
	err = x.in(ctx, func(ses *session) error { tag, err = ses.tag(key); return err })
	return tag, err
}

// List returns a page as the transaction sees it.
func (x *tx) List(ctx context.Context, q engine.Query) (page engine.Page, err error) {
	err = x.in(ctx, func(ses *session) error { page, err = ses.list(q); return err })
	return page, err
}

// AppendKeys lists keys as the transaction sees them.
func (x *tx) AppendKeys(ctx context.Context, dst []string, q engine.Query) (keys []string, more bool, err error) {
	err = x.in(ctx, func(ses *session) error { keys, more, err = ses.appendKeys(dst, q); return err })
	return keys, more, err
}

// Count returns how many keys of r the transaction sees.
func (x *tx) Count(ctx context.Context, r engine.Range) (n int64, err error) {
	err = x.in(ctx, func(ses *session) error { n, err = ses.countKeys(r); return err })
	return n, err
}

// Open returns a blob that lives as long as the transaction.
func (x *tx) Open(ctx context.Context, key string) (engine.Blob, error) {
	if err := engine.CheckKey(key); err != nil {
		return nil, err
	}
	var b *blob
	err := x.in(ctx, func(ses *session) (err error) {
		if b, err = ses.openBlob(key); err != nil {
			return err
		}
		if x.writable && b.cursor != nil && !b.cursor.row.chunked {
			// The transaction may yet overwrite the row, which would take the value from under the
			// blob.
			if err := b.spill(); err != nil {
				b.letGo()
				return err
			}
		}
		x.blobs[b] = struct{}{}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &txBlob{blob: b, x: x}, nil
}

// txBlob is a blob that shares the connection of its transaction.
type txBlob struct {
	*blob
	x *tx
}

func (b *txBlob) ReadAt(ctx context.Context, p []byte, off int64) (n int, err error) {
	b.x.mu.Lock()
	defer b.x.mu.Unlock()
	return b.blob.ReadAt(ctx, p, off)
}

func (b *txBlob) ReadOn(ctx context.Context, p []byte, off int64) (n int, err error) {
	b.x.mu.Lock()
	defer b.x.mu.Unlock()
	return b.blob.ReadOn(ctx, p, off)
}

func (b *txBlob) Close() error {
	b.x.mu.Lock()
	defer b.x.mu.Unlock()
	delete(b.x.blobs, b.blob)
	return b.end(engine.ErrClosed)
}

// Apply performs the operations inside the transaction, all or none.
func (x *tx) Apply(ctx context.Context, ops []engine.Op) (results []engine.Result, err error) {
	err = x.in(ctx, func(ses *session) error {
		if !x.writable {
			return engine.ErrReadOnly
		}
		if err := checkOps(ops); err != nil {
			return err
		}
		apply := func() error { results, err = ses.apply(ops); return err }
		if len(ops) == 1 && ops[0].Kind == engine.Put && ops[0].Staged == nil && ops[0].Upload == nil && len(ops[0].Value) <= boundBytes {
			return ses.allOrEnd(apply)
		}
		return ses.savepoint(apply)
	})
	if err != nil {
		return nil, err
	}
	markApplied(ops)
	return results, nil
}

// Stage starts a value whose chunks are part of the transaction.
func (x *tx) Stage(ctx context.Context, o engine.StageOptions) (engine.Stage, error) {
	err := x.in(ctx, func(*session) error {
		if !x.writable {
			return engine.ErrReadOnly
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	st, err := x.s.newStage(o)
	if err != nil {
		return nil, err
	}
	st.run = func(ctx context.Context, _ int, fn func(*session) error) error {
		return x.in(ctx, func(ses *session) error { return ses.savepoint(func() error { return fn(ses) }) })
	}
	st.ready = func(ctx context.Context) error { return x.in(ctx, func(*session) error { return nil }) }
	st.inTx = true
	x.mu.Lock()
	defer x.mu.Unlock()
	x.stages = append(x.stages, st)
	return st, nil
}

// Commit ends the transaction and keeps its changes. After ErrBusy it is still open.
func (x *tx) Commit(ctx context.Context) error {
	return x.in(ctx, func(ses *session) error {
		x.endBlobs()
		ses.letChunkGo()
		if err := ses.c.Commit(); err != nil {
			if driver.KindOf(err) != driver.Busy {
				x.end(engine.ErrTxDone)
			}
			return err
		}
		if w := x.s.writer; x.writable {
			ses.tellTable()
			if ses.orphaned {
				w.wakeSweeper()
			}
			w.ckpt.afterCommit()
		}
		x.end(engine.ErrTxDone)
		return nil
	})
}

// Rollback ends the transaction and forgets its changes.
func (x *tx) Rollback() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.end(engine.ErrTxDone)
	return nil
}

func (x *tx) shut() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.end(engine.ErrClosed)
}

func (x *tx) endBlobs() {
	for b := range x.blobs {
		_ = b.end(engine.ErrTxDone)
	}
	clear(x.blobs)
}

// dropStages removes the temporary files of stages that end with the transaction.
func (x *tx) dropStages() {
	for _, st := range x.stages {
		if !st.mu.TryLock() {
			go st.endApplied() // whoever writes a chunk now is waiting for the transaction
			continue
		}
		st.applied = true
		st.dropTemp()
		st.mu.Unlock()
	}
	x.stages = nil
}

// end gives the connection back. The caller holds x.mu.
func (x *tx) end(why error) {
	if x.done != nil {
		return
	}
	x.done = why
	x.endBlobs()
	x.dropStages()
	x.ses.letChunkGo()
	x.s.unregister(x)
	if !x.writable {
		x.s.reads.put(x.ses.c)
		return
	}
	x.s.writer.giveUp()
}
