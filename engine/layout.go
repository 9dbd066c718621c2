package engine

import "context"

// Layout is the way in which a value is stored.
type Layout uint8

const (
	// OneRow stores a value in one row, as other programs that read the file expect.
	OneRow Layout = iota + 1
	// Chunks stores a value in several rows, as those above the store's limit for one row.
	Chunks
)

// MaxOneRow is the size in bytes of the largest value in one row of a store in SQLite: it leaves
// room for key and metadata below the 10^9 bytes that a row holds in SQLite as commonly compiled.
const MaxOneRow = 1_000_000_000 - 1<<20

// Relayout is one value that Layouter.Relayout has visited.
type Relayout struct {
	Key  string
	Size int64
	// Err is nil if the value was moved, and otherwise the reason why not: ErrTooLarge if no row
	// holds it, ErrCorrupt if it is damaged, ErrUnsupported if its bytes would mean something else
	// in one row.
	Err error
}

// Layouter is a store with two layouts.
type Layouter interface {
	// Relayout moves values to a layout: to OneRow all values in chunks, to Chunks all values above
	// the store's limit for one row. It moves each value in a transaction of its own, and keeps its
	// tag, checksum and other metadata. Writers get their turn between two values. A call after an
	// interrupted one continues its work. report, if not nil, is called with each value, moved or
	// not. An error means that the call could not continue.
	Relayout(ctx context.Context, to Layout, report func(Relayout)) error
}
