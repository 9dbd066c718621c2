package kvault

import (
	"cmp"
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

// CacheOptions configure EnableCache and WithCache. Nil and the zero value are the defaults. The
// size of an entry is that of its key and its value. The size of a column's element is that of its
// encoding, plus 8 bytes where elements differ in size.
type CacheOptions struct {
	// Capacity is the most the cache holds, in bytes. Default 64 MiB. A larger value is written
	// through.
	Capacity int64
	// Threshold is the size in bytes at which a write flushes the cache. Default for EnableCache:
	// 16 MiB, or Capacity if that is less; for WithCache: a quarter of Capacity.
	Threshold int64
	// IdleFlush is the time without a write after which the cache is flushed in the background.
	// Default 0: never. After a failed flush the next attempt waits for IdleFlush, but at least 100 ms.
	// Each further failure doubles the wait, up to a minute, or IdleFlush if that is more. A flush
	// that succeeds resets the wait, and so does a discard.
	IdleFlush time.Duration
	// MaxAge is the age at which an entry is flushed in the background, however busy the writers
	// are. Default: ten times IdleFlush, and never if that is 0.
	MaxAge time.Duration
	// NoFlushOnReturn leaves pending entries in the cache when WithCache returns.
	NoFlushOnReturn bool
}

// CacheStats describe the cache at one moment.
type CacheStats struct {
	// Enabled: plain puts and deletes go to the cache. Locked: LockCache is held.
	Enabled, Locked bool
	// Entries is the number of keys that are pending or being written. A pending delete counts as
	// one, and so do the pending elements of a column.
	Entries int
	// Bytes is the size of the entries, and Capacity its limit: 0 if the cache is off.
	Bytes, Capacity int64
	// Flushes and FailedFlushes count since the vault was opened.
	Flushes, FailedFlushes int64
	// LastError is the error of the latest flush, or nil if it succeeded.
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
	c.capacity = cmp.Or(c.capacity, DefaultCapacity)
	if c.threshold == 0 {
		c.threshold = max(threshold(c.capacity), 1)
	}
	switch {
	case c.capacity < 0:
		return nil, invalid("Capacity %d is negative", o.Capacity)
	case c.threshold < 0:
		return nil, invalid("Threshold %d is negative", o.Threshold)
	case c.threshold > c.capacity:
		return nil, invalid("Threshold %d is above Capacity %d", c.threshold, c.capacity)
	case c.idle < 0:
		return nil, invalid("IdleFlush %v is negative", o.IdleFlush)
	case c.maxAge < 0:
		return nil, invalid("MaxAge %v is negative", o.MaxAge)
	}
	if c.maxAge == 0 && c.idle > 0 {
		c.maxAge = min(c.idle, math.MaxInt64/10) * 10
	}
	return c, nil
}

// cache decides which writes stay pending and when they are flushed. Package writeback does the
// bookkeeping.
//
// No goroutine holds mu during I/O. A goroutine that flushes, or that no flush may overtake, holds
// the semaphore sem. A direct change of the store ("direct") makes cached writers wait, so that it
// overtakes none of them.
type cache struct {
	// write writes a batch to the store. With an error it returns what the store has taken
	// nevertheless.
	write   func(context.Context, writeback.Batch) (writeback.Batch, error)
	onError func(error)
	sem     chan struct{}
	wake    chan struct{} // tells the background goroutine to look at its deadlines again
	work    sync.WaitGroup

	mu      sync.Mutex
	entries writeback.Cache
	sending int64 // bytes of the entries that are being flushed
	// committing is closed when a commit that moves elements of columns to the store has ended. It
	// is nil while there is no such commit.
	committing chan struct{}
	base       *cacheConfig   // of EnableCache
	scopes     []*cacheConfig // of WithCache, the newest last
	locks      int
	closed     bool
	// epoch changes whenever an entry may move from the cache to the store, and whenever the store
	// may change directly.
	epoch      uint64
	direct     int           // direct changes that are running
	directDone chan struct{} // closed when direct drops to zero
	lastWrite  time.Time
	stop       chan struct{} // ends the background goroutine; nil if there is none
	// After a failed flush the background goroutine waits for pause, until notBefore. A flush that
	// succeeds resets both.
	notBefore time.Time
	pause     time.Duration

	flushes, failed int64
	lastError       error
}

func newCache(write func(context.Context, writeback.Batch) (writeback.Batch, error), onError func(error)) *cache {
	return &cache{write: write, onError: onError, sem: make(chan struct{}, 1), wake: make(chan struct{}, 1)}
}

// config returns the settings in force, or nil if the cache is off.
func (c *cache) config() *cacheConfig {
	if n := len(c.scopes); n > 0 {
		return c.scopes[n-1]
	}
	return c.base
}

// off reports whether writes go straight to the store: the cache is off and holds no entry.
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

// overlay returns the pending entries within r and the current epoch; any is false if the cache
// holds no entry at all. With columns it first waits for a commit that moves elements of columns to
// the store: until that ends, a snapshot may or may not contain them. If nobody knows whether it
// took effect, overlay settles that: the caller does not hold sem, or has called resend.
func (c *cache) overlay(ctx context.Context, r engine.Range, columns bool) (over writeback.Overlay, epoch uint64, any bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for columns && (c.committing != nil || c.entries.InDoubt()) {
		done := c.committing
		c.mu.Unlock()
		var err error
		if done != nil {
			err = wait(ctx, done)
		} else {
			err = c.settle(ctx)
		}
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

// snapshotTries is how often a reader that a flush overtook starts again before it makes flushes
// wait.
const snapshotTries = 8

// consistent runs read with an overlay that matches the store: no entry moves from the cache to the
// store while read runs. If one does, read runs again. An empty overlay matches any later state.
// Without columns the overlay's keys match, but not its elements of columns. undo, if not nil,
// releases what read has acquired before consistent waits for a flush: with a rollback journal, a
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
	if columns {
		if err := c.resend(ctx); err != nil {
			return err
		}
	}
	over, _, _, err := c.overlay(ctx, r, columns)
	if err != nil {
		return err
	}
	return read(over)
}
