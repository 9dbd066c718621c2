// Package replicate copies one vault into another: it finds what differs, and copies that, so that
// copying again goes on after an interruption, or brings over what has changed since. It knows the
// vaults by their public methods only, and nothing of engines, files or terminals.
//
// A [Copier] walks the listings of both vaults in step. It reads each value as one version, holds
// it against its checksum, and stores it under the condition that the target still has what the
// listing said. So a value that another writer puts into the target meanwhile is a conflict, which
// is reported, and never lost. A copy keeps the tag, the time, the content type and the metadata of
// the user. Columns are copied by their elements.
package replicate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"syscall"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
)

// Options say what to copy. The zero value copies everything.
type Options struct {
	// Prefix selects the keys, and the columns by their names, that begin with it. In the target
	// ToPrefix takes its place. To keep the names, set both.
	Prefix, ToPrefix string
	// NoKeys leaves out keys, and NoColumns columns.
	NoKeys, NoColumns bool
	// Snapshot reads one state of the source from beginning to end. ErrUnsupported if its engine has
	// no transactions. As long as it takes, a vault in a file cannot reset its log.
	Snapshot bool
	// DryRun changes nothing; events and counts are those of a run that does.
	DryRun bool
	// BatchItems and BatchBytes bound what one transaction of a target with transactions stores.
	// Default 2000 values, 16 MiB.
	BatchItems int
	BatchBytes int64
	// Report, if not nil, is called for each item, one call at a time. An error ends the call that
	// is under way.
	Report func(Event) error
	// Progress, if not nil, is called with the numbers of bytes of values that are done with. Calls
	// may be made at the same time.
	Progress func(n int64)
}

// Action is what became of an item.
type Action uint8

// The actions.
const (
	// Copied: the target has it now.
	Copied Action = iota + 1
	// Unchanged: the target had it already.
	Unchanged
	// Deleted: the source does not have it, and now the target does not either.
	Deleted
	// Conflict: another writer changed the target meanwhile, and what it wrote stays.
	Conflict
	// Failed: Event.Err says why.
	Failed
	// Different: Verify found something else in the target.
	Different
)

// Event says what became of one item.
type Event struct {
	Action Action
	// Key is a key, or with Column the name of a column. Those deleted are the target's, all others
	// the source's.
	Key    string
	Column bool
	// Size is the length of a value in bytes, or the number of elements of a column that were copied
	// or, if none were, that it has.
	Size int64
	// Err is set for Conflict, Failed and Different. Match it with errors.Is.
	Err error
}

// Counts are how many items met which end.
type Counts struct {
	Copied, Unchanged, Deleted, Conflicts, Failed, Different int64 // keys and columns
	Bytes                                                    int64 // of values copied
	Columns                                                  int64 // of Copied
	Elements                                                 int64 // copied
	// Verified counts the items that Verify found the same.
	Verified int64
}

// Copier copies one vault into another. Its methods are for one goroutine.
type Copier struct {
	from, to *kvault.Vault
	src      source // from, or a snapshot of it
	o        Options
	each     bool // the target makes one change at a time

	// Of the last Copy.
	complete bool // the source was listed to its end
	seen     int64
	surplus  []Surplus

	mu     sync.Mutex
	counts Counts
	inARow int // failures without a success in between
}

// New returns a Copier. It fails with ErrInvalid if the options exclude each other. The caller
// keeps both vaults open as long as it uses the Copier.
func New(from, to *kvault.Vault, o Options) (*Copier, error) {
	if o.NoKeys && o.NoColumns {
		return nil, fmt.Errorf("NoKeys and NoColumns leave nothing to copy: %w", kvault.ErrInvalid)
	}
	if o.BatchItems <= 0 {
		o.BatchItems = 2000
	}
	if o.BatchBytes <= 0 {
		o.BatchBytes = 16 << 20
	}
	return &Copier{from: from, to: to, src: source{v: from}, o: o}, nil
}

// Counts returns what has been done so far.
func (c *Copier) Counts() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts
}

// Copy copies what the target lacks or has otherwise. An item that cannot be copied is reported,
// and the others are copied nevertheless. An error means that Copy could not go on: what it has
// copied until then is there, and the next Copy leaves that out.
func (c *Copier) Copy(ctx context.Context) error {
	c.complete, c.seen, c.surplus = false, 0, nil
	if !c.o.DryRun {
		// An Update that does nothing tells whether there are transactions.
		err := c.to.Update(ctx, func(*kvault.Tx) error { return nil })
		c.each = errors.Is(err, kvault.ErrUnsupported)
		if err != nil && !c.each {
			return err
		}
	}
	return c.reading(ctx, func() error {
		if !c.o.NoKeys {
			if err := c.copyKeys(ctx); err != nil {
				return err
			}
		}
		if !c.o.NoColumns {
			if err := c.copyColumns(ctx); err != nil {
				return err
			}
		}
		c.complete = true
		return nil
	})
}

// reading runs fn with the source that the options ask for.
func (c *Copier) reading(ctx context.Context, fn func() error) error {
	if !c.o.Snapshot {
		return fn()
	}
	return c.from.View(ctx, func(tx *kvault.Tx) error {
		c.src = source{v: c.from, tx: tx}
		defer func() { c.src = source{v: c.from} }()
		return fn()
	})
}

// maxInARow is how many items may fail one after another, without one that succeeds, for reasons
// that may be due to the whole vault.
const maxInARow = 20

// report counts an event and passes it on. It fails if Copy is to end.
func (c *Copier) report(e Event) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := &c.counts
	switch e.Action {
	case Copied:
		n.Copied++
		if e.Column {
			n.Columns, n.Elements = n.Columns+1, n.Elements+e.Size
		} else {
			n.Bytes += e.Size
		}
	case Unchanged:
		n.Unchanged++
	case Deleted:
		n.Deleted++
	case Conflict:
		n.Conflicts++
	case Failed:
		n.Failed++
	case Different:
		n.Different++
	}
	if e.Action != Failed {
		c.inARow = 0
	} else if !isOwn(e.Err) {
		c.inARow++
	}
	if c.o.Report != nil {
		if err := c.o.Report(e); err != nil {
			return err
		}
	}
	if c.inARow >= maxInARow {
		return fmt.Errorf("%d items failed in a row; the last one: %w", maxInARow, e.Err)
	}
	return nil
}

// failed reports an item that failed. It returns an error that is not the item's own.
func (c *Copier) failed(ctx context.Context, e Event, err error) error {
	if ctx.Err() != nil || isFatal(err) {
		return err
	}
	e.Action, e.Err = Failed, err
	return c.report(e)
}

// progress says that n more bytes are done with.
func (c *Copier) progress(n int64) {
	if c.o.Progress != nil && n != 0 {
		c.o.Progress(n)
	}
}

// isOwn reports whether an error is due to one item, so that it says nothing about others.
func isOwn(err error) bool {
	return matches(err,
		kvault.ErrCorrupt, kvault.ErrInvalid, kvault.ErrTooLarge, kvault.ErrUnsupported)
}

// isFatal reports whether an error will meet every further item too.
func isFatal(err error) bool {
	return matches(err, kvault.ErrBusy, kvault.ErrClosed, kvault.ErrReadOnly, kvault.ErrMoved,
		kvault.ErrTxDone, fs.ErrPermission, syscall.ENOSPC, syscall.EDQUOT)
}

// isMet reports whether an error says that the condition of a change was not met, or may not have
// been.
func isMet(err error) bool {
	return matches(err, kvault.ErrExists, kvault.ErrTagMismatch, kvault.ErrNotFound,
		engine.ErrConflict, engine.ErrUnknown)
}

func matches(err error, targets ...error) bool {
	for _, t := range targets {
		if errors.Is(err, t) {
			return true
		}
	}
	return false
}
