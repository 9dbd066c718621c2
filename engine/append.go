package engine

import "context"

// Append is a run of elements on its way to the end of a column, for a cache to keep. The package that lays columns out in arrays
// makes it. It is never changed, so it may be read at any time.
//
// A run is bound to the column that has its name when it comes to the cache, and reaches that
// column only: not one that took the name later.
type Append interface {
	// Target names the column and what it takes. Appends of one target are joined, in order.
	Target() string
	// Column is the name of the column. Several targets may be of one column.
	Column() string
	// Groups name what the run is a part of, as the rows of a table are. Runs that share one are discarded together.
	Groups() []string
	// Size is what the elements count, in bytes.
	Size() int64
	// Follows says whether the run may join those of its target that wait to be flushed, and those
	// that are being flushed; either may be nil. If not, it is bound, and asked again.
	Follows(flushing, waiting Append) bool
	// Bind returns the run for the column as it is now. It fails if the column does not take such
	// elements. If it returns nil, they belong in the store itself. It only reads.
	Bind(ctx context.Context, a Arrays) (Append, error)
	// Join returns both runs as one, next behind. A run is joined once at most.
	Join(next Append) Append
	// Check fails if the run cannot be written, as when it is bound to a column that has been
	// dropped since. All runs of a flush are checked before the first is written. It only reads.
	Check(ctx context.Context, a Arrays) error
	// Write adds the elements at the end of the column.
	Write(ctx context.Context, a Arrays) error
}
