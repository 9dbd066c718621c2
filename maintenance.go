package kvault

import (
	"context"
	"io"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// Optimize rebuilds the file in its smallest form. It may take minutes, during which nothing else can write; Shrink does it
// in small steps. While a transaction reads an earlier state, in this process or another, or a Reader a value that was replaced, it does
// its work without waiting for them, but the file becomes shorter only some writes after they have ended, or with the last Close.
// ErrUnsupported if the engine cannot.
func (v *Vault) Optimize(ctx context.Context) error {
	o, ok := v.store.(engine.Optimizer)
	return v.maintain(ctx, "optimize", ok, func() error { return o.Optimize(ctx) })
}

// Shrink gives unused space back to the file system, step by step, until none is left or budget is used up. Between two steps
// other writers get their turn. It returns how many bytes it gave back. ErrUnsupported if the engine cannot, or the file was not
// created for it.
func (v *Vault) Shrink(ctx context.Context, budget time.Duration) (total int64, err error) {
	if budget < 0 {
		return 0, fail("shrink", "", invalid("budget %v is negative", budget))
	}
	o, ok := v.store.(engine.Optimizer)
	begun := time.Now()
	err = v.maintain(ctx, "shrink", ok, func() error {
		n, err := o.Shrink(ctx, max(budget-time.Since(begun), 0))
		total += n
		return err
	})
	return total, err
}

// Backup writes a complete copy of the vault, as of one moment, to a new file at path, while the vault stays in use. It holds
// all that was written before the call, cached or not. progress, if not nil, is told how many of how many bytes are done.
// A failed backup leaves nothing at path.
//
// The copy is one file, with the permissions of the vault's file and, where the process may give
// it, its owner. Pages are copied as they are, damaged or not: Check the copy. Restore puts it
// back.
//
// Errors: ErrExists if there is a file at path, or a log or journal that SQLite would take for its
// own; ErrInvalid if path has the name of the vault's own log or journal; ErrUnsupported if the
// engine cannot.
func (v *Vault) Backup(ctx context.Context, path string, progress func(done, total int64)) error {
	b, ok := v.store.(engine.Backuper)
	return v.maintain(ctx, "backup", ok, func() error { return b.Backup(ctx, path, progress) })
}

// BackupTo writes to w what Backup writes to a file. It makes the whole copy in the folder for
// temporary files first, which needs as much space there as the vault is large; if that fails, it
// writes nothing to w. A failure of w is an *IOError.
func (v *Vault) BackupTo(ctx context.Context, w io.Writer, progress func(done, total int64)) error {
	b, ok := v.store.(engine.Backuper)
	return v.maintain(ctx, "backup", ok, func() error { return b.BackupTo(ctx, w, progress) })
}

// maintain runs fn on a store that holds all writes so far. Cached writers go on while it runs.
func (v *Vault) maintain(ctx context.Context, op string, supported bool, fn func() error) error {
	return fail(op, "", v.during(func() error {
		if !supported {
			return ErrUnsupported
		}
		if err := v.cache.settle(ctx); err != nil {
			return err
		}
		return retry(ctx, &v.opt, fn)
	}))
}

// SearchTable is a table of the Python package, or of another program, for searches in text or vectors.
type SearchTable = engine.SearchTable

// Stats describes a vault.
type Stats struct {
	// Stats are the engine's own figures; zero if it has none.
	engine.Stats
	// Keys counts cached writes in.
	Keys int64
	// Cache is the state of the write-back cache.
	Cache CacheStats
}

// Stats describes the vault and the file under it. It counts the keys in their index and reads no
// value, so a program may poll it. List gives the sizes of values, to add them up.
func (v *Vault) Stats(ctx context.Context) (s Stats, err error) {
	s.Cache = v.CacheStats()
	if s.Keys, err = v.count(ctx, engine.Range{}); err != nil {
		return Stats{}, fail("stats", "", err)
	}
	if st, ok := v.store.(engine.Statser); ok {
		err = v.do(ctx, func(engine.Reader) error {
			s.Stats, err = st.Stats(ctx)
			return err
		})
	}
	return s, fail("stats", "", err)
}

// MaxOneRowLimit is the largest Options.OneRowLimit: with it every value that the Python package could hold is kept as it reads it. It is
// 10^9 bytes, the most that SQLite holds in one row, less 1 MiB.
const MaxOneRowLimit = sqlite.MaxOneRowLimit

// Layout is how a value lies in the file.
type Layout = engine.Layout

// Relayout is one value that Vault.Relayout came to: Err is nil if it was moved, and else says why it was not.
type Relayout = engine.Relayout

const (
	// OneRow is one row of the key-value table, which the Python package and other programs read.
	OneRow = engine.OneRow
	// Chunks is rows of a table that only this package knows, for values of any size.
	Chunks = engine.Chunks
)

// Relayout moves the values of the vault to a layout: to OneRow all that are in chunks, however they came there; to Chunks those above
// Options.OneRowLimit. Open the vault with MaxOneRowLimit to keep what is written later in one row as well.
//
// Each value is moved atomically and keeps its tag, time, checksum and metadata. Other calls go on between two values; while a value is
// copied writers wait, and the write-ahead log grows by twice its size. Memory is bounded. A call that was broken off has
// moved the values it reported, and the next call goes on from there. report, if not nil, is told of each value; those that stay
// have an Err: ErrTooLarge if no row holds them, ErrCorrupt if they are damaged. What is in the cache is written first. ErrUnsupported if
// the engine has no layouts.
func (v *Vault) Relayout(ctx context.Context, to Layout, report func(Relayout)) error {
	l, ok := v.store.(engine.Layouter)
	if v.opt.ReadOnly {
		return fail("relayout", "", ErrReadOnly)
	}
	return v.maintain(ctx, "relayout", ok, func() error { return l.Relayout(ctx, to, report) })
}
