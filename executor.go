package kvault

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/backoff"
	"github.com/kohakuvault/kvault/internal/writeback"
)

// executor runs the verbs: the vault itself, or one of its transactions. Each call fails with
// ErrClosed or ErrTxDone once the executor has ended, and is attempted again while the database is
// busy.
type executor interface {
	// do runs fn with the engine's reader, to which the entries that lookup finds are not yet
	// written.
	do(ctx context.Context, fn func(engine.Reader) error) error
	// lookup returns the pending entry of key. Call it inside do, before asking the reader.
	lookup(key string) (writeback.Entry, bool)
	// page lists one page with pending writes merged in. It appends keys to dst if only keys are
	// wanted.
	page(ctx context.Context, q engine.Query, want projection, dst []string) (page, error)
	// count counts keys with pending writes merged in.
	count(ctx context.Context, r engine.Range) (int64, error)
	// apply makes one change. A plain put or delete may stay pending.
	apply(ctx context.Context, op engine.Op) (engine.Result, error)
	stage(ctx context.Context, o engine.StageOptions) (engine.Stage, error)
	// writable returns the error that every write would return, or nil.
	writable(ctx context.Context) error
	chunkSize() int
}

// page is one merged page of a listing: items, or keys alone. If more, next is the range that
// remains.
type page struct {
	items []engine.Item
	keys  []string
	next  engine.Range
	more  bool
}

// readPage reads one page from r and merges over into it.
func readPage(ctx context.Context, r engine.Reader, over writeback.Overlay, q engine.Query, want projection, dst []string) (page, error) {
	if l, ok := r.(engine.KeyLister); ok && want == keysOnly && over.Empty() {
		return readKeys(ctx, l, q, dst)
	}
	stored, err := r.List(ctx, q)
	if err != nil {
		return page{}, err
	}
	var p page
	p.items, p.next, p.more = over.Merge(q, stored)
	return p, nil
}

// readKeys reads the keys of one page from l.
func readKeys(ctx context.Context, l engine.KeyLister, q engine.Query, dst []string) (p page, err error) {
	p.keys, p.more, err = l.AppendKeys(ctx, dst, q)
	if p.more = p.more && len(p.keys) > 0; p.more {
		p.next = q.After(p.keys[len(p.keys)-1], q.Reverse)
		p.more = !p.next.Empty()
	}
	return p, err
}

// countOver counts the keys of rng as if pending were written to r, which must be one snapshot.
func countOver(ctx context.Context, r engine.Reader, pending []writeback.Item, rng engine.Range) (int64, error) {
	n, err := r.Count(ctx, rng)
	if err != nil {
		return 0, err
	}
	for _, it := range pending {
		stored, err := exists(ctx, r, it.Key)
		if err != nil {
			return 0, err
		}
		switch {
		case stored && it.Deleted:
			n--
		case !stored && !it.Deleted:
			n++
		}
	}
	return n, nil
}

// inFlight counts the running calls, so that Close can wait for them and refuse new ones.
type inFlight struct {
	mu      sync.Mutex
	running int
	closed  bool          // or being closed
	done    bool          // closed for good
	idle    chan struct{} // made by shut; closed when running drops to zero
}

// enter begins a call; leave must follow if it returns nil.
func (c *inFlight) enter() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	c.running++
	return nil
}

func (c *inFlight) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running--
	if c.running == 0 && c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
}

// shut refuses new calls and waits for the running ones. It reports false if the vault was closed
// before.
func (c *inFlight) shut() bool {
	c.mu.Lock()
	if c.done {
		c.mu.Unlock()
		return false
	}
	c.closed = true
	var idle chan struct{}
	if c.running > 0 {
		idle = make(chan struct{})
		c.idle = idle
	}
	c.mu.Unlock()
	if idle != nil {
		<-idle
	}
	return true
}

// end completes what shut began: the vault is closed if done, and open again otherwise.
func (c *inFlight) end(done bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done, c.closed = done, done
}

// retry calls fn until the database is not busy, within the limits of the options.
func retry(ctx context.Context, o *Options, fn func() error) error {
	return retryIf(ctx, o, isBusy, fn)
}

// retryIf is retry for the errors for which again returns true.
func retryIf(ctx context.Context, o *Options, again func(error) bool, fn func() error) error {
	if err := engine.ContextErr(ctx); err != nil {
		return err
	}
	begun := time.Now()
	p := backoff.Policy{Attempts: o.Attempts, Delay: o.RetryDelay, Limit: o.BusyTimeout}
	err := backoff.Do(ctx, p, again, fn)
	if isBusy(err) {
		return gaveUp(err, time.Since(begun))
	}
	return err
}

func isBusy(err error) bool { return errors.Is(err, ErrBusy) }

// gaveUp adds to err how long the call waited for the database.
func gaveUp(err error, after time.Duration) error {
	if oe, ok := err.(*engine.OpError); ok {
		return &engine.OpError{Index: oe.Index, Key: oe.Key, Err: gaveUp(oe.Err, after)}
	}
	return fmt.Errorf("%w; gave up after %v", err, after.Round(time.Millisecond))
}
