package engine

import "context"

// Arrays is what a transaction of a store with columns can do beside keys and values: named arrays of bytes, each a row of
// chunks. How a column lays its elements out in chunks is its own business; a chunk here is a run of bytes of a given
// length, of which any part can be read and written in place.
//
// A store that has arrays returns transactions that implement Arrays. An array's chunks are numbered from 0 without gaps.
// Methods other than the reading ones fail with ErrReadOnly in a read-only transaction. A missing array is ErrNotFound.
type Arrays interface {
	// Arrays lists the arrays in the order they were made.
	Arrays(ctx context.Context) ([]Array, error)
	// Array returns the array of that name.
	Array(ctx context.Context, name string) (Array, error)
	// ArraysNamed returns those of the names that there are, in any order, at little more than the
	// cost of one. None is no error.
	ArraysNamed(ctx context.Context, names ...string) ([]Array, error)
	// CreateArray makes an empty array and returns it with its ID. ErrExists if there is one by that name.
	CreateArray(ctx context.Context, a Array) (Array, error)
	// DropArray removes an array with its chunks.
	DropArray(ctx context.Context, id int64) error
	// RenameArray gives an array another name. ErrExists if that is taken.
	RenameArray(ctx context.Context, id int64, name string) error
	// SetArrayLength stores the length. It does not touch chunks.
	SetArrayLength(ctx context.Context, id, length int64) error

	// ChunkSize returns the length of a chunk in bytes, at a cost that does not grow with it. A missing chunk is ErrNotFound.
	ChunkSize(ctx context.Context, id, chunk int64) (int64, error)
	// ChunkUsed returns what SetChunkUsed stored last: nothing in use, for a new chunk. It may cost a walk through the chunk.
	// Where the store has no place for it, as in a file of another program, all of the chunk counts as used.
	ChunkUsed(ctx context.Context, id, chunk int64) (used int64, deleted bool, err error)
	// Chunks returns how many chunks there are.
	Chunks(ctx context.Context, id int64) (int64, error)
	// ReadChunk fills p from off; both must lie inside the chunk.
	ReadChunk(ctx context.Context, id, chunk, off int64, p []byte) error
	// WriteChunk writes p at off, inside the chunk, and changes nothing else: its cost is that of len(p).
	WriteChunk(ctx context.Context, id, chunk, off int64, p []byte) error
	// ResizeChunk makes a chunk size bytes long: a new one if it is the next in number, else the existing one, cut off or
	// filled up with zeros. It costs a rewrite of the chunk.
	ResizeChunk(ctx context.Context, id, chunk, size int64) error
	// SetChunkUsed stores how many bytes of the chunk are in use, and whether elements in it were deleted. It may read all of
	// the chunk, but writes little.
	SetChunkUsed(ctx context.Context, id, chunk, used int64, deleted bool) error
	// TruncateChunks removes all chunks from number n on.
	TruncateChunks(ctx context.Context, id, n int64) error
}

// Array describes an array of bytes.
type Array struct {
	// ID is assigned by CreateArray.
	ID   int64
	Name string
	// Type is the type of the elements, as the column names it.
	Type string
	// ElemSize is the size of an element in bytes, and Length the number of elements.
	ElemSize, Length int64
	// MinChunk and MaxChunk bound the length of chunks in bytes.
	MinChunk, MaxChunk int64
}

// ForeignArrays is what a transaction with arrays may do beside: tell of arrays in the same file that other programs keep in a layout which the
// store does not know. To open, or to make, one by the name of such an array fails with a *LayoutError.
type ForeignArrays interface {
	// ForeignArrays lists them in the order they were made. Of each, ID and the bounds of chunks are 0, and so is ElemSize if elements differ
	// in size.
	ForeignArrays(ctx context.Context) ([]Array, error)
}
