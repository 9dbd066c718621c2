package engine

import "context"

// Append is a run of elements on its way to the end of a column, for a cache to keep. The package that lays columns out in arrays
// makes it. It is never changed, so it may be read at any time.
type Append interface {
	// Target names the column and what it takes. Appends of one target are joined, in order.
	Target() string
	// Column is the name of the column. Several targets may be of one column.
	Column() string
	// Size is what the elements count, in bytes.
	Size() int64
	// Join returns both runs as one, next behind. A run is joined once at most.
	Join(next Append) Append
	// Check fails if the column does not take such elements. It only reads.
	Check(ctx context.Context, a Arrays) error
	// Write adds the elements at the end of the column.
	Write(ctx context.Context, a Arrays) error
}
