package sqlite

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
)

const (
	// A write-ahead log of checkpointBytes or more is copied into the file: 1000 pages of 32 KiB,
	// as in the Python package.
	checkpointBytes = 1000 * 32768
	// A shorter log is copied once no commit has come for idleTime: reads are faster when they need
	// not look into the log.
	idleTime = 500 * time.Millisecond
	// truncateWait is how long commits wait at most until no reader needs the log.
	truncateWait = 100 * time.Millisecond
	// backgroundPasses is the number of passes of a background checkpoint: each copies what was
	// committed during the one before.
	backgroundPasses = 4
	// A pass that copied less than this part of the threshold is the last one: the writer copies
	// the rest between two commits.
	backgroundRest = 8
)

// checkpointer copies the write-ahead log into the file: after commits that made the log long, and
// once no commit has come for a while. Unless a comment says otherwise, its fields and methods are
// for the goroutine that has the writer's turn.
//
// SQLite begins the log anew only when the file holds all of it, which cannot happen while commits
// go on. So a background pass copies most of the log on its own connection while others commit, and
// the writer copies the rest between two commits.
type checkpointer struct {
	w         *writer
	threshold int // pages of log from which on it is copied
	pages     int // of log after the last commit
	triedAt   int // pages of log at the last checkpoint that did not copy all of it
	waitedAt  int // pages of log when readers were waited for and did not give way

	pass *pass        // the background checkpoint since the last one that the writer finished; nil if there is none
	conn *driver.Conn // of background checkpoints; nil before the first one

	evicting atomic.Bool // readers are being moved off old snapshots
	idle     *time.Timer // calls whenIdle
	retry    time.Duration
}

// pass is a background checkpoint.
type pass struct {
	done  chan struct{}
	hurry atomic.Bool // a goroutine waits for its end
}

func (p *pass) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// afterCommit begins a checkpoint if the log is long, and again each time it grew by a quarter of
// the threshold more. A checkpoint that fails is no failure of the commit before it: the log is
// still there.
func (k *checkpointer) afterCommit() {
	if k.pages < k.triedAt {
		k.triedAt = 0
	}
	if k.pages < k.waitedAt {
		k.waitedAt = 0
	}
	if k.pages < k.threshold || (k.triedAt > 0 && k.pages < k.triedAt+k.threshold/4) {
		k.waitForIdle(idleTime)
		return
	}
	if k.pass == nil {
		k.background()
	}
	if k.pass.ended() || k.pages >= 2*k.threshold {
		k.finish()
	}
}

// finish copies what a background checkpoint left of the log. If readers keep it from being copied
// and it has become too long, it makes them give way.
func (k *checkpointer) finish() {
	k.wait()
	long := k.pages
	k.pass = nil
	if !k.copy() && long > 2*k.threshold && k.evicting.CompareAndSwap(false, true) {
		go func() {
			defer k.evicting.Store(false)
			k.w.s.evictReaders()
		}()
	}
	if long > max(3*k.threshold, 2*k.waitedAt) {
		k.truncate()
	}
	k.waitForIdle(idleTime) // for what a reader kept from being copied, if no commit follows
}

// copy copies what it can of the log into the file, and says whether that was all. The next commit
// begins the log anew then, unless a reader still needs it.
func (k *checkpointer) copy() bool {
	k.w.s.reads.release() // a snapshot of an earlier state keeps the log
	log, done, err := k.w.conn.Checkpoint(false)
	k.triedAt = k.pages
	if err != nil || done < log {
		return false
	}
	k.triedAt, k.pages = 0, 0
	return true
}

// truncate empties a log that has become long because at any moment some reader needs some of it.
// Commits wait meanwhile. No reader of this process keeps a snapshot then, and one that begins once
// the file holds all of the log does not need it.
func (k *checkpointer) truncate() {
	w := k.w
	ctx, cancel := context.WithTimeout(context.Background(), truncateWait)
	defer cancel()
	defer w.s.reads.pause()()
	w.conn.SetContext(ctx)
	defer w.conn.SetContext(context.Background())
	if _, _, err := w.conn.Checkpoint(true); err != nil {
		k.waitedAt = k.pages // again when it is twice as long
		return
	}
	k.pages, k.triedAt, k.waitedAt = 0, 0, 0
}

// waitForIdle starts the timer that copies the log once no commit has come for d.
func (k *checkpointer) waitForIdle(d time.Duration) {
	if k.pages > 0 {
		k.idle.Reset(d)
		k.retry = 2 * d
	}
}

// whenIdle copies the log. The timer calls it without the turn. It tries again later if a reader
// keeps it from copying all, or if another goroutine has the turn, which may be about to commit.
func (k *checkpointer) whenIdle() {
	w := k.w
	if w.s.enter() != nil {
		return
	}
	defer w.s.leave()
	select {
	case w.turn <- struct{}{}:
		defer w.release()
	default:
		k.idle.Reset(idleTime)
		return
	}
	if k.pages == 0 || k.pass != nil && !k.pass.ended() {
		return
	}
	if !k.copy() {
		k.waitForIdle(k.retry)
	}
}

// background starts a checkpoint on a connection of its own.
func (k *checkpointer) background() {
	w, p := k.w, &pass{done: make(chan struct{})}
	k.pass = p
	if !w.conn.CanSyncBackfill() || w.s.enter() != nil {
		close(p.done)
		return
	}
	go func() {
		defer w.s.leave()
		k.run(p)
		close(p.done)
		if w.acquire(context.Background()) == nil { // unless the store is closing, which copies the rest
			defer w.release()
			if k.pass == p {
				k.finish()
			}
		}
	}()
}

// run copies what is in the log, and what is committed meanwhile, until little is left. It does not
// have the turn; conn is its own until p is done.
func (k *checkpointer) run(p *pass) {
	s := k.w.s
	if k.conn == nil {
		conn, err := s.connectCopier(context.Background())
		if err != nil {
			return // the writer copies the log
		}
		k.conn = conn
	}
	s.reads.release() // a snapshot of an earlier state keeps the log
	before := 0
	for n := 0; n < backgroundPasses && !p.hurry.Load() && !s.isClosing(); n++ {
		log, done, err := k.conn.Checkpoint(false)
		if err == nil {
			err = k.conn.SyncBackfill()
		}
		if err != nil {
			_ = k.conn.Close() // the next pass opens a new one; the writer meets an error that lasts
			k.conn = nil
			return
		}
		if done < log || done-before < k.threshold/backgroundRest {
			return
		}
		before = done
	}
}

// wait waits for the end of a background checkpoint.
func (k *checkpointer) wait() { _ = k.waitFor(context.Background()) }

// waitFor is wait until ctx ends.
func (k *checkpointer) waitFor(ctx context.Context) error {
	p := k.pass
	if p == nil {
		return nil
	}
	p.hurry.Store(true)
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return engine.ContextErr(ctx)
	}
}

// close waits for the end of a background checkpoint and closes its connection.
func (k *checkpointer) close() error {
	k.idle.Stop()
	k.wait()
	if k.conn == nil {
		return nil
	}
	err := k.conn.Close()
	k.conn = nil
	return err
}

// evictAfter is how old a blob's snapshot must be before evictReaders moves it.
const evictAfter = time.Second

// evictReaders moves blobs off old snapshots, which keep the write-ahead log from being copied to
// its end. It skips blobs that another goroutine is reading; the next call tries them again.
func (s *Store) evictReaders() {
	if s.enter() != nil {
		return
	}
	defer s.leave()
	var moved []*blob
	for _, b := range s.blobs() {
		if !b.mu.TryLock() {
			continue
		}
		switch {
		case b.ended != nil || b.conn == nil || time.Since(b.since) <= evictAfter:
		case b.advance():
			moved = append(moved, b)
		default:
			// Where there is no room for a copy, the snapshot stays. A damaged value cannot be
			// copied, and must not keep the log for ever.
			if err := b.spill(); errors.Is(err, engine.ErrCorrupt) {
				b.ended = err
				b.letGo()
			}
		}
		b.mu.Unlock()
	}
	if s.writer != nil && len(moved) > 0 {
		s.writer.ckpt.renew(moved)
	}
}

// blobs returns the open blobs.
func (s *Store) blobs() (list []*blob) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		if b, ok := c.(*blob); ok {
			list = append(list, b)
		}
	}
	return list
}

// renew moves blobs to snapshots that need nothing of the log, so that the next commit begins it
// anew. A snapshot needs nothing of the log if the file held all of it when the snapshot began,
// which takes a moment without commits. The caller does not have the turn.
func (k *checkpointer) renew(blobs []*blob) {
	w := k.w
	if w.acquire(context.Background()) != nil {
		return
	}
	defer w.release()
	advanceAll(blobs)
	k.wait()
	if k.copy() {
		advanceAll(blobs)
	}
}

// advanceAll advances the blobs that no other goroutine is using.
func advanceAll(blobs []*blob) {
	for _, b := range blobs {
		if !b.mu.TryLock() {
			continue
		}
		if b.ended == nil && b.conn != nil {
			b.advance()
		}
		b.mu.Unlock()
	}
}

// advance changes to a new snapshot, if that has the same version of the value; the old one is kept
// until that is known.
func (b *blob) advance() bool {
	conn, err := b.s.streams.get(context.Background())
	if err != nil {
		return false
	}
	fresh, err := b.s.openOn(conn, b.entry.Key)
	if err != nil || fresh.cursor == nil || b.entry.Meta.Tag == "" || fresh.entry.Meta.Tag != b.entry.Meta.Tag || fresh.cursor.row.ref != b.cursor.row.ref {
		b.s.streams.put(conn)
		return false
	}
	b.letGo()
	b.conn, b.cursor, b.since = conn, fresh.cursor, time.Now()
	return true
}

// spill copies the value to a temporary file and ends the snapshot, if it is the blob's own.
func (b *blob) spill() error {
	f, err := newTempFile("kvault-reader-*")
	if err != nil {
		return tempError(err)
	}
	b.cursor.c.SetContext(context.Background())
	err = b.cursor.each(func(p []byte) error {
		if _, err := f.Write(p); err != nil {
			return tempError(err)
		}
		return nil
	})
	if err != nil {
		return errors.Join(err, f.Close())
	}
	b.letGo()
	b.file = f
	return nil
}
