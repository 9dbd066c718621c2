package kvault

import (
	"context"
	"io"
	"time"

	"github.com/kohakuvault/kvault/engine"
)

// Optimize rebuilds the file in its smallest form. It may take minutes, during which nothing else
// can write; Shrink works in small steps. Optimize does not wait for a transaction that reads an
// earlier state, in this process or another, nor for a Reader of a value that was replaced. The
// file then becomes shorter only some writes after they have ended, or with the last Close.
//
// A file of layout version 1 gets version 2 first. That takes room for a second copy of its values,
// and others can write meanwhile; versions of this package that know only the first refuse it then.
// progress, if not nil, is called with the number of values done and of all values. An interrupted
// call leaves version 1, and the next one continues its work. ErrUnsupported if the engine cannot
// optimize.
func (v *Vault) Optimize(ctx context.Context, progress func(done, total int64)) error {
	o, ok := v.store.(engine.Optimizer)
	return v.maintain(ctx, "optimize", ok, func() error { return o.Optimize(ctx, progress) })
}

// Shrink returns unused space to the file system, step by step, until none is left or budget is
// used up. Other writers get their turn between two steps. It returns the number of bytes given
// back. ErrUnsupported if the engine cannot do this, or if the file was not created for it.
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

// Backup writes a complete copy of the vault, of one snapshot, to a new file at path, while the
// vault stays in use. The copy has everything written before the call, cached or not. progress, if
// not nil, is called with the number of bytes done and of all bytes. A failed backup leaves nothing
// at path.
//
// The copy is one file, with the permissions of the vault's file and, where the process may give
// it, its owner. Backup copies damaged pages as they are: run Check on the copy. Restore puts it
// back.
//
// Errors: ErrExists if there is a file at path, or a log or journal that SQLite would take for that
// file's own; ErrInvalid if path is the name of the vault's log or journal; ErrUnsupported if the
// engine has no backups.
func (v *Vault) Backup(ctx context.Context, path string, progress func(done, total int64)) error {
	b, ok := v.store.(engine.Backuper)
	return v.maintain(ctx, "backup", ok, func() error { return b.Backup(ctx, path, progress) })
}

// BackupTo writes to w what Backup writes to a file. It first makes the whole copy in the folder
// for temporary files, which needs as much space there as the vault has bytes. If that fails, it
// writes nothing to w. If w fails, the error is an *IOError.
func (v *Vault) BackupTo(ctx context.Context, w io.Writer, progress func(done, total int64)) error {
	b, ok := v.store.(engine.Backuper)
	return v.maintain(ctx, "backup", ok, func() error { return b.BackupTo(ctx, w, progress) })
}

// maintain flushes the cache and runs fn. Cached writers do not wait for fn.
func (v *Vault) maintain(ctx context.Context, op string, supported bool, fn func() error) error {
	return fail(op, "", v.during(func() error {
		if !supported {
			return ErrUnsupported
		}
		if err := v.cache.flushExclusive(ctx); err != nil {
			return err
		}
		return retry(ctx, &v.opt, fn)
	}))
}

// Stats describes a vault.
type Stats struct {
	// Stats are the engine's own figures, or zero if it has none.
	engine.Stats
	// Keys is the number of keys, cached writes included.
	Keys int64
	// Cache is the state of the write-back cache.
	Cache CacheStats
}

// Stats describes the vault and its file. It counts the keys in their index and reads no value, so
// a program may poll it. For the total size of the values, add up the sizes that List yields.
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

// Relayout moves the values of the vault to a layout: to engine.OneRow, which the Python package
// and other programs read, all values in chunks; to engine.Chunks all values above
// Options.OneRowLimit. Open the vault with OneRowLimit -1 to store later values in one row as well.
//
// Relayout flushes the cache first. It moves each value atomically, and keeps its tag, time,
// checksum and metadata. Other calls run between two values. While a value is copied writers wait,
// and the write-ahead log grows by twice its size. Memory is bounded. An interrupted call has moved
// the values that it reported, and the next call continues from there. report, if not nil, is
// called with each value. Values that stay have an Err: ErrTooLarge if no row holds them,
// ErrCorrupt if they are damaged. ErrUnsupported if the engine has no layouts.
func (v *Vault) Relayout(ctx context.Context, to engine.Layout, report func(engine.Relayout)) error {
	l, ok := v.store.(engine.Layouter)
	if v.opt.ReadOnly {
		return fail("relayout", "", ErrReadOnly)
	}
	return v.maintain(ctx, "relayout", ok, func() error { return l.Relayout(ctx, to, report) })
}
