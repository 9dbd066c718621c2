package kvault

import (
	"context"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

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
