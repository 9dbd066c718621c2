package kvault

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/writeback"
)

// Defaults of CacheOptions.
const (
	DefaultCapacity  = 64 << 20
	DefaultThreshold = 16 << 20
)

// CacheOptions configure EnableCache and WithCache. Nil and the zero value are the defaults. An entry counts the bytes of
// its key and of its value, an element of a column those it is encoded in, and 8 more where elements differ in size.
type CacheOptions struct {
	// Capacity is never exceeded, in bytes. Default 64 MiB. A larger value is written through.
	Capacity int64
	// Threshold is the size in bytes at which a write flushes the cache. Default for EnableCache: 16 MiB, or Capacity if that
	// is less; for WithCache: a quarter of Capacity.
	Threshold int64
	// IdleFlush flushes in the background after so long without a write; 0 does not. After a
	// failure the next attempt waits for as long, but at least 100 ms, and twice as long after each
	// further one, up to a minute or IdleFlush if that is more. Any flush that succeeds ends that,
	// and so does a discard.
	IdleFlush time.Duration
	// MaxAge flushes in the background what has been pending for so long, however busy the writers are. Default: ten times
	// IdleFlush, and never if that is 0.
	MaxAge time.Duration
	// NoFlushOnReturn leaves what is pending in the cache when WithCache returns.
	NoFlushOnReturn bool
}

// CacheStats describe the cache at one moment.
type CacheStats struct {
	// Enabled: plain puts and deletes go to the cache. Locked: LockCache is held.
	Enabled, Locked bool
	// Entries are the keys that wait to be written, or are being written; a pending delete is one too, and so are the elements
	// that wait for one column.
	Entries int
	// Bytes is what they count, and Capacity what they may: 0 if the cache is off.
	Bytes, Capacity int64
	// Flushes and FailedFlushes count since the vault was opened.
	Flushes, FailedFlushes int64
	// LastError is why the latest flush failed; nil once one has succeeded.
	LastError error
}

// cacheConfig is a CacheOptions with its defaults filled in.
type cacheConfig struct {
	capacity, threshold int64
	idle, maxAge        time.Duration
	keep                bool
}

func (o *CacheOptions) resolved(threshold func(capacity int64) int64) (*cacheConfig, error) {
	if o == nil {
		o = &CacheOptions{}
	}
	c := &cacheConfig{capacity: o.Capacity, threshold: o.Threshold, idle: o.IdleFlush, maxAge: o.MaxAge, keep: o.NoFlushOnReturn}
	if c.capacity == 0 {
		c.capacity = DefaultCapacity
	}
	if c.threshold == 0 {
		c.threshold = max(threshold(c.capacity), 1)
	}
	switch {
	case c.capacity < 0:
		return nil, invalid("cache capacity %d is negative", o.Capacity)
	case c.threshold < 0:
		return nil, invalid("cache threshold %d is negative", o.Threshold)
	case c.threshold > c.capacity:
		return nil, invalid("cache threshold %d is above the capacity %d", c.threshold, c.capacity)
	case c.idle < 0:
		return nil, invalid("idle flush %v is negative", o.IdleFlush)
	case c.maxAge < 0:
		return nil, invalid("maximum age %v is negative", o.MaxAge)
	}
	if c.maxAge == 0 && c.idle > 0 {
		c.maxAge = min(c.idle, math.MaxInt64/10) * 10
	}
	return c, nil
}

// cache decides what stays pending and when it is written. The bookkeeping is package writeback's.
//
// mu is never held over I/O. Whoever flushes, or must not be overtaken by a flush, holds the semaphore sem. A direct change
// of the store ("direct") makes cached writers wait, so that none of them is overtaken by it.
type cache struct {
	write   func(context.Context, writeback.Batch) error
	onError func(error)
	sem     chan struct{}
	wake    chan struct{} // tells the background that there is something to wait for
	work    sync.WaitGroup

	mu      sync.Mutex
	entries writeback.Cache
	sending int64 // bytes of the entries that are being flushed
	// committing is closed when a commit that moves elements of columns to the store is over; nil while there is none.
	committing chan struct{}
	base       *cacheConfig   // of EnableCache
	scopes     []*cacheConfig // of WithCache, the newest last
	locks      int
	closed     bool
	// epoch changes whenever something may move from the cache to the store, or the store change under it.
	epoch      uint64
	direct     int           // direct changes that are running
	directDone chan struct{} // closed when there are none any more
	lastWrite  time.Time
	stop       chan struct{} // ends the background; nil if there is none
	// After a failure the background attempts nothing before notBefore, and pause is how long it
	// waits. A success ends that.
	notBefore time.Time
	pause     time.Duration

	flushes, failed int64
	lastError       error
}

func newCache(write func(context.Context, writeback.Batch) error, onError func(error)) *cache {
	return &cache{write: write, onError: onError, sem: make(chan struct{}, 1), wake: make(chan struct{}, 1)}
}

// config is the settings in force, or nil if the cache is off.
func (c *cache) config() *cacheConfig {
	if n := len(c.scopes); n > 0 {
		return c.scopes[n-1]
	}
	return c.base
}

// off reports that writes may go straight to the store: nothing is cached, and nothing left behind.
func (c *cache) off() bool { return c.config() == nil && c.entries.Len() == 0 }

func (c *cache) acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case c.sem <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *cache) release() { <-c.sem }

func (c *cache) stats() CacheStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := CacheStats{
		Locked: c.locks > 0, Entries: c.entries.Len(), Bytes: c.entries.Bytes(),
		Flushes: c.flushes, FailedFlushes: c.failed, LastError: c.lastError,
	}
	if cfg := c.config(); cfg != nil {
		s.Enabled, s.Capacity = true, cfg.capacity
	}
	return s
}

// lookup finds the newest pending entry of key.
func (c *cache) lookup(key string) (writeback.Entry, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries.Lookup(key)
}

// overlay is what is pending within r, and the epoch in which it is; any is false if nothing is pending at all. With columns it is
// not taken while elements of columns are in the cache or in the store, and nobody can tell which.
func (c *cache) overlay(ctx context.Context, r engine.Range, columns bool) (over writeback.Overlay, epoch uint64, any bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for columns && c.committing != nil {
		done := c.committing
		c.mu.Unlock()
		err := wait(ctx, done)
		c.mu.Lock()
		if err != nil {
			return over, 0, false, err
		}
	}
	return c.entries.Overlay(r), c.epoch, c.entries.Len() > 0, nil
}

func (c *cache) unmoved(epoch uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.epoch == epoch
}

// snapshotTries is how often a reader that was overtaken by a flush starts again before it makes flushes wait.
const snapshotTries = 8

// consistent runs read with an overlay that fits what the store holds while read runs: nothing moves
// from the one to the other meanwhile. If something did, read runs again. An empty overlay fits any
// later state. Without columns the overlay's keys fit, but not its elements of columns. undo, if not
// nil, releases what read has acquired before consistent waits for a flush: with a rollback journal, a
// flush cannot commit while a snapshot is open.
func (c *cache) consistent(ctx context.Context, r engine.Range, columns bool, read func(writeback.Overlay) error, undo func()) error {
	for range snapshotTries {
		over, epoch, any, err := c.overlay(ctx, r, columns)
		if err != nil {
			return err
		}
		if err := read(over); err != nil || !any || c.unmoved(epoch) {
			return err
		}
		if undo != nil {
			undo()
		}
	}
	if err := c.acquire(ctx); err != nil {
		return err
	}
	defer c.release()
	over, _, _, err := c.overlay(ctx, r, columns)
	if err != nil {
		return err
	}
	return read(over)
}
