package kvault

import (
	"context"
	"time"
)

// tune starts or ends the background after a change of the settings. It is called with mu held.
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

// nudge has the background look again at what it waits for.
func (c *cache) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// background flushes what has been pending long enough, until stop is closed.
func (c *cache) background(stop <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var notBefore time.Time
	due := func() (time.Time, bool) { return c.due(notBefore) }
	for {
		var ripe <-chan time.Time
		c.mu.Lock()
		at, some := due()
		c.mu.Unlock()
		if some {
			timer.Reset(time.Until(at))
			ripe = timer.C
		}
		select {
		case <-stop:
			c.nudge() // the last wake that was taken may have been for the background that follows
			return
		case <-c.wake:
			continue
		case <-ripe:
		}
		pause, err := c.flushDue(due)
		if err != nil {
			notBefore = time.Now().Add(pause)
			if c.onError != nil {
				c.onError(failFlush(err))
			}
		}
	}
}

// due is when the next flush falls due, but not before notBefore; false if nothing is to be flushed. It is called with mu
// held.
func (c *cache) due(notBefore time.Time) (at time.Time, some bool) {
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
	if at.Before(notBefore) {
		at = notBefore
	}
	return at, some
}

// flushDue flushes if it is still due once it can. After a failure, pause is how long to leave it.
func (c *cache) flushDue(due func() (time.Time, bool)) (pause time.Duration, err error) {
	_, err = c.flush(context.Background(), func() bool {
		at, some := due()
		if cfg := c.config(); cfg != nil {
			pause = cfg.idle
			if pause == 0 {
				pause = cfg.maxAge
			}
		}
		return some && !at.After(time.Now())
	})
	return pause, err
}
