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
			c.nudge() // the last wake that was taken may have been for the background that follows
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

// After a failure in the background the next attempt waits: firstPause at least, or as long as the
// settings say, then twice as long after each further failure, up to longestPause.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = time.Minute
)

// putOff has the background wait after a failure of its own.
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

// noPause ends the wait after failures: what they came from may be over. It is called with mu held.
func (c *cache) noPause() {
	if c.pause > 0 {
		c.pause, c.notBefore = 0, time.Time{}
		c.nudge()
	}
}

// report calls OnError, on a goroutine of its own: should it call runtime.Goexit, the background
// goes on.
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

// due is when the next flush falls due; false if nothing is to be flushed. It is called with mu
// held.
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

// flushDue flushes if it is still due once it can.
func (c *cache) flushDue() error {
	_, err := c.flush(context.Background(), func() bool {
		at, some := c.due()
		return some && !at.After(time.Now())
	})
	return err
}
