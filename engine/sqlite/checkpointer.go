package sqlite

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
)

const (
	// checkpointBytes is the length of the write-ahead log from which on it is copied into the file: the reference's 1000 pages of 32 KiB.
	checkpointBytes = 1000 * 32768
	// idleTime is how long nobody commits before a short log is copied, too. Reads are faster then: they need not look into it.
	idleTime = 500 * time.Millisecond
	// truncateWait is how long all commits wait until no reader needs the log.
	truncateWait = 100 * time.Millisecond
	// backgroundPasses is how often a background checkpoint goes through the log, for what was committed meanwhile.
	backgroundPasses = 4
	// A pass that copied less than this part of the threshold is the last one: the writer copies the rest between two commits.
	backgroundRest = 8
)

// checkpointer copies the write-ahead log into the file: after commits that made the log long, and once nobody commits. Its fields and methods are
// for the goroutine that has the writer's turn; where that is not so, it is said.
//
// Only a log that the file holds all of can begin anew, and there is such a moment only while nobody commits. So a background pass copies most of
// the log on a connection of its own, beside the commits that follow, and the writer copies the rest between two of them.
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
	hurry atomic.Bool // somebody waits for its end
}

func (p *pass) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// afterCommit begins a checkpoint if the log is long, and again each time it grew by a quarter of the threshold more. A checkpoint that fails is no
// failure of the commit before it: the log is still there.
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

// finish copies what a background checkpoint left of the log. If readers keep it from being copied and it has become too long, it makes them give way.
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
}

// copy copies what it can of the log into the file, and says whether that was all. The next commit begins the log anew then, unless a reader
// still needs it.
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

// truncate empties a log that has become long because at any moment some reader needs some of it. Commits wait meanwhile. No reader of
// this process keeps a snapshot then, and one that begins once the file holds all of the log does not need it.
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

// waitForIdle has the log copied once nobody has committed for d.
func (k *checkpointer) waitForIdle(d time.Duration) {
	if k.pages > 0 {
		k.idle.Reset(d)
		k.retry = 2 * d
	}
}

// whenIdle copies the log, and tries again later if a reader keeps it from that, or another goroutine has the turn: it may be about to commit.
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

// background begins a checkpoint on a connection of its own.
func (k *checkpointer) background() {
	w, p := k.w, &pass{done: make(chan struct{})}
	k.pass = p
	if !w.conn.CanSyncCopied() || w.s.enter() != nil {
		close(p.done)
		return
	}
	go func() {
		defer w.s.leave()
		k.run(p)
		close(p.done)
		if w.take(context.Background()) == nil { // unless the store is closing, which copies the rest
			defer w.release()
			if k.pass == p {
				k.finish()
			}
		}
	}()
}

// run copies what is in the log, and what is committed meanwhile, until little is left. It does not have the turn; conn is its own until p is done.
func (k *checkpointer) run(p *pass) {
	s := k.w.s
	if k.conn == nil {
		conn, err := s.connectCopier(context.Background())
		if err != nil {
			return // the writer copies it
		}
		k.conn = conn
	}
	s.reads.release() // a snapshot of an earlier state keeps the log
	before := 0
	for n := 0; n < backgroundPasses && !p.hurry.Load() && !s.isClosing(); n++ {
		log, done, err := k.conn.Checkpoint(false)
		if err == nil {
			err = k.conn.SyncCopied()
		}
		if err != nil {
			_ = k.conn.Close() // the next time has a new one, and the writer meets the error, if it lasts
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
