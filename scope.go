package kvault

import (
	"context"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/writeback"
)

// scope is where a verb runs: on the vault itself, or inside one of its transactions. Each call fails with ErrClosed or
// ErrTxDone once that has ended, and is attempted again while the database is busy.
type scope interface {
	// do runs fn with the reader that lies below what lookup finds.
	do(ctx context.Context, fn func(engine.Reader) error) error
	// lookup finds what is pending for key. It is asked inside do, before the reader is.
	lookup(key string) (writeback.Entry, bool)
	// page lists with pending writes merged in. Keys alone are appended to dst.
	page(ctx context.Context, q engine.Query, want what, dst []string) (page, error)
	// count counts with pending writes merged in.
	count(ctx context.Context, r engine.Range) (int64, error)
	// apply makes one change, which may stay pending if it is a plain put or delete.
	apply(ctx context.Context, op engine.Op) (engine.Result, error)
	stage(ctx context.Context, o engine.StageOptions) (engine.Stage, error)
	// writable fails if a write would for certain.
	writable(ctx context.Context) error
	chunkSize() int
}

// page is one merged page of a listing, of items or of keys alone; if more, next is what remains to be visited.
type page struct {
	items []engine.Item
	keys  []string
	next  engine.Range
	more  bool
}

// readPage asks r for one page and lays over onto it.
func readPage(ctx context.Context, r engine.Reader, over writeback.Overlay, q engine.Query, want what, dst []string) (page, error) {
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

// readKeys asks l for the keys of one page.
func readKeys(ctx context.Context, l engine.KeyLister, q engine.Query, dst []string) (p page, err error) {
	p.keys, p.more, err = l.AppendKeys(ctx, dst, q)
	if p.more = p.more && len(p.keys) > 0; p.more {
		p.next = q.After(p.keys[len(p.keys)-1], q.Reverse)
		p.more = !p.next.Empty()
	}
	return p, err
}

// countOver counts the keys of rng in r, which must be one snapshot, as they would be with pending written to it.
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
