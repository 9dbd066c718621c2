package engine

import "context"

// Append is a run of elements that a cache keeps until they are appended to a column. The package
// that lays columns out in arrays makes it. It never changes, so any goroutine may read it.
//
// A run is bound to the column that has its name when it is cached. It reaches that column only,
// not one that takes the name later.
type Append interface {
	// Target names the column and the encoding of its elements. Appends of one target are joined,
	// in order.
	Target() string
	// Column is the name of the column. Several targets may belong to one column.
	Column() string
	// Groups names the groups that the run belongs to, such as rows of a table. Runs of one group
	// are discarded together.
	Groups() []string
	// Size is the size of the elements in bytes, as the cache counts it.
	Size() int64
	// Follows reports whether the run may follow the runs of its target that are being flushed and
	// that are pending; either may be nil. If not, the cache binds the run and asks again.
	Follows(flushing, waiting Append) bool
	// Bind returns the run bound to the column as it is now. It fails if the column does not accept
	// such elements. If it returns nil, they belong in the store itself. It only reads.
	Bind(ctx context.Context, a Arrays) (Append, error)
	// Join returns one run with the elements of both, those of next last. A run is joined at most
	// once.
	Join(next Append) Append
	// Check fails if the run cannot be written, for example because its column has been dropped. A
	// flush checks all runs before it writes the first. Check only reads.
	Check(ctx context.Context, a Arrays) error
	// Write adds the elements at the end of the column.
	Write(ctx context.Context, a Arrays) error
}
