package sqlite

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
)

// checkpointBytes is how long the write-ahead log grows before it is copied into the file: the reference's 1000 pages of
// 32 KiB.
const checkpointBytes = 1000 * 32768

// truncateWait is how long all commits wait until no reader needs the log any more.
const truncateWait = 100 * time.Millisecond

// logState is what the writer knows of the write-ahead log, in pages.
type logState struct {
	threshold int // from which on it is copied into the file
	pages     int // its length after the last commit
	triedAt   int // its length at the last checkpoint that did not copy all
	// outwaited is its length when readers were waited for in vain.
	outwaited int
	unpinning atomic.Bool // blobs are being moved off old snapshots
	// beside is the copying that goes on, or went on, beside the commits since the last checkpoint; nil if there is none.
	beside *copying
	copier *driver.Conn // that does it; nil before the first time
}

// checkpoint copies the log into the file once it has grown, and again each time it grew by a quarter more: most of it beside the commits that
// follow, and the rest, once that is done, between two of them. Its failure is no failure of the commit before it: the log is still there.
func (w *writer) checkpoint() {
	l := &w.log
	if l.pages < l.triedAt {
		l.triedAt = 0
	}
	if l.pages < l.outwaited {
		l.outwaited = 0
	}
	if l.pages < l.threshold || (l.triedAt > 0 && l.pages < l.triedAt+l.threshold/4) {
		return
	}
	if l.beside == nil {
		w.copyBeside()
	}
	if l.beside.ended() || l.pages >= 2*l.threshold {
		w.finishLog()
	}
}

// finishLog copies what is left of the log, and begins to do something about readers who need it once it has become too long.
func (w *writer) finishLog() {
	w.waitForCopying()
	l, long := &w.log, w.log.pages
	l.beside = nil
	w.s.reads.release() // a snapshot of an earlier state keeps the log
	if !w.copyLog() && long > 2*l.threshold && l.unpinning.CompareAndSwap(false, true) {
		go func() {
			defer l.unpinning.Store(false)
			w.s.unpin()
		}()
	}
	if long > max(3*l.threshold, 2*l.outwaited) {
		w.outwait(long)
	}
}

// copyLog copies what it can of the log into the file, and says whether that was all. The next commit begins the log anew then, unless
// a reader still needs it.
func (w *writer) copyLog() bool {
	log, done, err := w.conn.Checkpoint(false)
	w.log.triedAt = w.log.pages
	if err != nil || done < log {
		return false
	}
	w.log.triedAt, w.log.pages = 0, 0
	return true
}

// outwait empties a log that has become long because there is always somebody who reads some of it. All readers give up the snapshots that
// they keep within the hold period, and take none that needs the log once all of it is in the file; that takes a while in
// which nobody commits.
func (w *writer) outwait(pages int) {
	ctx, cancel := context.WithTimeout(context.Background(), truncateWait)
	defer cancel()
	defer w.s.reads.pause()()
	w.conn.SetContext(ctx)
	defer w.conn.SetContext(context.Background())
	if _, _, err := w.conn.Checkpoint(true); err != nil {
		w.log.outwaited = pages // again when it is twice as long
		return
	}
	w.log.pages, w.log.triedAt, w.log.outwaited = 0, 0, 0
}
