package sqlite

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
)

const (
	// One commit carries at most so many requests, and starts no further one after so many bytes,
	// to bound how long the first of them waits.
	groupRequests = 128
	groupBytes    = 8 << 20
)

// writer owns the connection that writes. Whoever holds its turn may use it; concurrent requests
// that wait for the turn are executed together, in one transaction, by the first that gets it.
type writer struct {
	s    *Store
	conn *driver.Conn
	turn chan struct{}

	mu      sync.Mutex
	waiting []*request

	// waited is how long the connection has waited for the locks of others, in nanoseconds: a
	// request that waits for its turn meanwhile has waited for them too.
	waited atomic.Int64

	last      lastCommit
	ckpt      checkpointer
	plain     plainTables
	unsynced  bool // synchronous is lowered for the transaction at hand
	sweepStop context.CancelFunc
	sweepWake chan struct{}
	sweepDone chan struct{}
}

// request is one atomic change. run may be called again after a rollback, so it starts from nothing
// each time.
type request struct {
	ctx   context.Context
	run   func(*session) error
	bytes int
	// lazy requests need not be durable when they return: the commit of a later request syncs the
	// log before them too.
	lazy bool
	// since is what the writer had waited for locks when the request came.
	since int64
	err   error
	done  chan struct{}
}

// lastCommit is what the latest commit of the writer's connection knew. It holds until anybody else
// commits.
type lastCommit struct {
	version     uint32 // of the pager
	table       *table // nil if nothing is known
	noneForeign bool
}

// session is a connection inside a transaction.
type session struct {
	s *Store
	c *driver.Conn
	t *table
	// noneForeign says that there is no row whose metadata is not true.
	noneForeign bool
	// orphaned says that a value was left to the sweeper.
	orphaned bool
	// arrays is what a transaction knows of the tables of arrays, and chunk the chunk of one that
	// it touched last.
	arrays arrayTables
	chunk  chunkHandle
	// remade says that the transaction has changed the schema. A later one may give its version to
	// another.
	remade bool
	// found is the table if the transaction has looked at it again; that is true for others once it
	// is committed.
	found *table
}

func newWriter(s *Store, conn *driver.Conn) *writer {
	w := &writer{s: s, conn: conn, turn: make(chan struct{}, 1), sweepWake: make(chan struct{}, 1)}
	conn.OnWAL(func(pages int) { w.ckpt.pages = pages })
	conn.CountWaits(&w.waited)
	pageSize := s.opt.PageSize
	if st, err := conn.Prepare(`PRAGMA page_size`); err == nil {
		if row, err := st.Step(); err == nil && row {
			pageSize = int(st.ColInt(0))
		}
		st.Reset()
	}
	w.ckpt.w, w.ckpt.threshold = w, max(cmp.Or(s.opt.logBytes, checkpointBytes)/pageSize, 1)
	w.ckpt.idle = time.AfterFunc(idleTime, w.ckpt.whenIdle)
	w.ckpt.idle.Stop() // until the first commit
	return w
}

// acquire waits for the turn.
func (w *writer) acquire(ctx context.Context) error {
	if err := engine.ContextErr(ctx); err != nil {
		return err
	}
	select {
	case w.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return engine.ContextErr(ctx)
	case <-w.s.closing:
		return engine.ErrClosed
	}
}

func (w *writer) release() { <-w.turn }

// patience is how long a call may still wait for locks that came when the writer had waited for
// since.
func (w *writer) patience(since int64) time.Duration {
	return w.s.opt.BusyTimeout - time.Duration(w.waited.Load()-since)
}

// do executes r.run in a transaction, alone or with others.
func (w *writer) do(r *request) error {
	if err := engine.ContextErr(r.ctx); err != nil {
		return err
	}
	r.done, r.since = make(chan struct{}), w.waited.Load()
	w.mu.Lock()
	w.waiting = append(w.waiting, r)
	w.mu.Unlock()
	select {
	case w.turn <- struct{}{}:
	case <-r.done:
		return r.err
	case <-r.ctx.Done():
		return w.abandon(r, engine.ContextErr(r.ctx))
	case <-w.s.closing:
		return w.abandon(r, engine.ErrClosed)
	}
	defer w.release()
	for {
		select {
		case <-r.done:
			w.ckpt.afterCommit()
			return r.err
		default:
			w.execute(w.nextGroup())
		}
	}
}

// abandon gives up waiting, unless somebody is executing the request by now.
func (w *writer) abandon(r *request, why error) error {
	if w.withdraw(r) {
		return why
	}
	<-r.done
	return r.err
}

func (w *writer) withdraw(r *request) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, x := range w.waiting {
		if x == r {
			w.waiting = append(w.waiting[:i], w.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// nextGroup takes the requests of the next commit.
func (w *writer) nextGroup() []*request {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, bytes := 0, 0
	for n < len(w.waiting) && n < groupRequests && bytes < groupBytes {
		bytes += w.waiting[n].bytes
		n++
	}
	group := append([]*request(nil), w.waiting[:n]...)
	w.waiting = append(w.waiting[:0], w.waiting[n:]...)
	return group
}

// execute commits a group together. If that fails, each request gets a transaction and an error of
// its own.
func (w *writer) execute(group []*request) {
	defer func() {
		for _, r := range group {
			close(r.done)
		}
	}()
	if len(group) > 1 && w.transact(context.Background(), group) == nil {
		return
	}
	for _, r := range group {
		if r.err = engine.ContextErr(r.ctx); r.err == nil {
			r.err = w.s.explain(r.ctx, w.transact(r.ctx, []*request{r}))
		}
	}
}

// transact runs requests in one transaction. A request that fails without having changed anything
// keeps its error to itself, unless it is alone; any other failure undoes them all.
func (w *writer) transact(ctx context.Context, group []*request) (err error) {
	lazy, since := true, group[0].since // the first came first
	for _, r := range group {
		lazy = lazy && r.lazy
	}
	w.conn.SetContext(ctx)
	w.conn.SetPatience(w.patience(since))
	defer w.conn.SetContext(context.Background())
	err = w.syncLevel(lazy)
	if err == nil {
		err = w.conn.Begin(true)
	}
	if err != nil {
		w.repair() // it may be left from before, when no other connection could be had
		return err
	}
	ses := &session{s: w.s, c: w.conn}
	defer func() {
		if err != nil {
			if undo := w.conn.Rollback(); undo != nil {
				err = errors.Join(err, undo)
			}
			w.repair()
		}
	}()
	if err := ses.findTable(); err != nil {
		return err
	}
	for _, r := range group {
		before := w.conn.TotalChanges()
		if r.err = r.run(ses); r.err != nil && (len(group) == 1 || w.conn.TotalChanges() != before || driver.KindOf(r.err) != driver.Other) {
			return r.err
		}
	}
	if err := w.conn.Commit(); err != nil {
		return err
	}
	ses.tellTable()
	if ses.orphaned {
		w.wakeSweeper()
	}
	return nil
}

// findTable finds the table of a transaction that writes. If another program has changed the schema
// since, metadata that nothing keeps true any more is dropped, and what does so is made anew.
func (ses *session) findTable() error {
	ses.t = ses.s.currentTable()
	if last := ses.s.writer.last; last.table == ses.t {
		if v, err := ses.c.PagerVersion(); err == nil && v == last.version {
			ses.noneForeign = last.noneForeign
			return nil
		}
	}
	version, err := ses.c.SchemaVersion()
	if err != nil || version == ses.t.version && ses.t.tracked {
		return err
	}
	t, err := ses.s.inspectAgain(ses.c, ses.t.name)
	if err != nil {
		return err
	}
	if !t.tracked {
		if err := t.track(ses.c); err != nil {
			return err
		}
		ses.remade = true
	}
	ses.t, ses.found = t, t
	return nil
}

// tellTable tells other transactions what findTable found, once it is committed.
func (ses *session) tellTable() {
	if ses.found != nil {
		ses.s.setTable(ses.found)
	}
	if w := ses.s.writer; w != nil && w.conn == ses.c {
		w.last = lastCommit{}
		if v, err := ses.c.PagerVersion(); err == nil {
			w.last = lastCommit{v, ses.t, ses.noneForeign}
		}
	}
}

// syncLevel lowers the durability of a transaction that only adds chunks nobody can see yet.
func (w *writer) syncLevel(lazy bool) error {
	if !w.s.opt.Full || w.s.opt.DisableWAL || lazy == w.unsynced {
		return nil
	}
	if err := w.conn.Exec("PRAGMA synchronous=" + synchronous(true, !lazy)); err != nil {
		return err
	}
	w.unsynced = lazy
	return nil
}

// giveUp ends a transaction that is not committed, and the turn.
func (w *writer) giveUp() {
	if err := w.conn.Rollback(); err != nil {
		w.replace() // a connection that cannot end its transaction would hold the lock for ever
	}
	w.repair()
	w.conn.SetContext(context.Background())
	w.release()
}

// repair replaces a connection that ran out of memory, or that could not end its transaction.
func (w *writer) repair() {
	if w.conn.Broken() || w.conn.InTransaction() {
		w.replace()
	}
}

func (w *writer) replace() {
	conn, err := w.s.connectWriter(context.Background())
	if err != nil {
		return // the next transaction reports what is wrong with the old one
	}
	w.conn.Close()
	w.conn, w.unsynced, w.last = conn, false, lastCommit{}
	conn.OnWAL(func(pages int) { w.ckpt.pages = pages })
	conn.CountWaits(&w.waited)
}

func (w *writer) close() error {
	w.turn <- struct{}{}
	defer w.release()
	err := w.ckpt.close()
	lost := w.conn.Whole()
	if driver.KindOf(lost) == driver.Overwritten {
		lost = errors.Join(lost, w.conn.LeaveLog()) // of another file
	}
	if lost == nil {
		lost = w.conn.RepairLog()
	}
	return errors.Join(err, lost, w.conn.Close())
}
