package kvault

import (
	"context"
	"time"
)

// tune starts or ends the background goroutine after a change of the settings. The caller holds mu.
func (c *cache) tune() {
	cfg := c.config()
	wanted := !c.closed && cfg != nil && (cfg.idle > 0 || cfg.maxAge > 0)
	switch {
	case wanted && c.stop == nil:
		stop := make(chan struct{})
		c.stop = stop
		c.work.Go(func() { c.background(stop) })
	case !wanted && c.stop != nil:
		close(c.stop)
		c.stop = nil
	case wanted:
		c.nudge()
	}
}

// nudge makes the background goroutine look at its deadlines again.
func (c *cache) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// background flushes entries that have been pending long enough, until stop is closed.
func (c *cache) background(stop <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var ripe <-chan time.Time
		c.mu.Lock()
		at, some := c.due()
		c.mu.Unlock()
		if some {
			timer.Reset(time.Until(at))
			ripe = timer.C
		}
		select {
		case <-stop:
			c.nudge() // the wake it has received may have been for its successor
			return
		case <-c.wake:
			continue
		case <-ripe:
		}
		if err := c.flushDue(); err != nil {
			c.putOff()
			c.report(failFlush("flush cache", err))
		}
	}
}

// After a failed flush in the background the next attempt waits: for firstPause, or IdleFlush if
// that is more. Each further failure doubles the wait, up to longestPause.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = time.Minute
)

// putOff makes the background goroutine wait after a failed flush of its own.
func (c *cache) putOff() {
	c.mu.Lock()
	defer c.mu.Unlock()
	least := firstPause
	if cfg := c.config(); cfg != nil && cfg.idle > 0 {
		least = max(least, cfg.idle)
	} else if cfg != nil {
		least = max(least, cfg.maxAge)
	}
	c.pause = max(min(2*c.pause, longestPause), least)
	c.notBefore = time.Now().Add(c.pause)
}

// noPause ends the wait after failures, whose cause may be gone. The caller holds mu.
func (c *cache) noPause() {
	if c.pause > 0 {
		c.pause, c.notBefore = 0, time.Time{}
		c.nudge()
	}
}

// report calls OnError on a goroutine of its own, so that the background goroutine survives if
// OnError calls runtime.Goexit.
func (c *cache) report(err error) {
	if c.onError == nil {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.onError(err)
	}()
	<-done
}

// due returns the time of the next flush, and false if there is nothing to flush. The caller holds
// mu.
func (c *cache) due() (at time.Time, some bool) {
	cfg := c.config()
	oldest, pending := c.entries.Oldest()
	if cfg == nil || !pending || c.locks > 0 {
		return at, false
	}
	if cfg.idle > 0 {
		at, some = c.lastWrite.Add(cfg.idle), true
	}
	if age := oldest.Add(cfg.maxAge); cfg.maxAge > 0 && (!some || age.Before(at)) {
		at, some = age, true
	}
	if at.Before(c.notBefore) {
		at = c.notBefore
	}
	return at, some
}

// flushDue waits for a running flush, and then flushes if a flush is still due.
func (c *cache) flushDue() error {
	_, err := c.flush(context.Background(), func() bool {
		at, some := c.due()
		return some && !at.After(time.Now())
	})
	return err
}
