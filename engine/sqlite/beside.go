package sqlite

import (
	"context"
	"sync/atomic"

	"github.com/kohakuvault/kvault/engine"
)

const (
	// besidePasses is how often the log is gone through beside the commits at most, for what came meanwhile.
	besidePasses = 4
	// A pass that copied less than this part of the threshold was the last: what has come since is soon copied.
	besideRest = 8
)

// copying copies the log into the file on a connection of its own, while others commit. What it leaves is little, and the writer
// copies that between two commits: only with nobody committing is all of the log in the file at some moment, and the log can begin anew.
type copying struct {
	done chan struct{}
	// hurry says that somebody waits for its end.
	hurry atomic.Bool
}

func (c *copying) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// copyBeside begins to copy the log beside the commits that follow. Whoever calls has the turn.
func (w *writer) copyBeside() {
	c := &copying{done: make(chan struct{})}
	w.log.beside = c
	if !w.conn.CanSyncCopied() || w.s.enter() != nil {
		close(c.done)
		return
	}
	go func() {
		defer w.s.leave()
		w.copyPasses(c)
		close(c.done)
		if w.take(context.Background()) == nil { // unless the store is closing, which copies the rest
			defer w.release()
			if w.log.beside == c {
				w.finishLog()
			}
		}
	}()
}

// copyPasses copies what is in the log, and what comes meanwhile, until that is little.
func (w *writer) copyPasses(c *copying) {
	if w.log.copier == nil {
		conn, err := w.s.connectCopier(context.Background())
		if err != nil {
			return // the writer copies it
		}
		w.log.copier = conn
	}
	w.s.reads.release() // a snapshot of an earlier state keeps the log
	before := 0
	for pass := 0; pass < besidePasses && !c.hurry.Load() && !w.s.isClosing(); pass++ {
		log, done, err := w.log.copier.Checkpoint(false)
		if err == nil {
			err = w.log.copier.SyncCopied()
		}
		if err != nil {
			_ = w.log.copier.Close() // the next time has a new one, and the writer meets the error, if it lasts
			w.log.copier = nil
			return
		}
		if done < log || done-before < w.log.threshold/besideRest {
			return
		}
		before = done
	}
}

// waitForCopying waits until nothing is copied beside the commits. Whoever calls has the turn.
func (w *writer) waitForCopying() { _ = w.copyingEnds(context.Background()) }

// copyingEnds is waitForCopying until ctx ends.
func (w *writer) copyingEnds(ctx context.Context) error {
	c := w.log.beside
	if c == nil {
		return nil
	}
	c.hurry.Store(true)
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		return engine.ContextErr(ctx)
	}
}

// dropCopier closes the connection for copying.
func (w *writer) dropCopier() error {
	w.waitForCopying()
	c := w.log.copier
	if c == nil {
		return nil
	}
	w.log.copier = nil
	return c.Close()
}
