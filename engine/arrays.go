package engine

import "context"

// Arrays is what a transaction of a store with columns offers besides keys and values: named arrays
// of bytes, each a sequence of chunks. A chunk is a run of bytes of a given length, any part of
// which can be read and written in place. How a column lays out its elements in chunks does not
// concern the store.
//
// A store with arrays returns transactions that implement Arrays. The chunks of an array are
// numbered from 0 without gaps. Methods that write fail with ErrReadOnly in a read-only
// transaction. A missing array is ErrNotFound.
type Arrays interface {
	// Arrays lists the arrays in the order in which they were made.
	Arrays(ctx context.Context) ([]Array, error)
	// Array returns the array of that name.
	Array(ctx context.Context, name string) (Array, error)
	// ArraysNamed returns the existing arrays of these names, in any order, at little more than the
	// cost of one. It is no error if there are none.
	ArraysNamed(ctx context.Context, names ...string) ([]Array, error)
	// CreateArray makes an empty array and returns it with its ID. ErrExists if the name is taken.
	CreateArray(ctx context.Context, a Array) (Array, error)
	// DropArray removes an array with its chunks.
	DropArray(ctx context.Context, id int64) error
	// RenameArray renames an array. ErrExists if the new name is taken.
	RenameArray(ctx context.Context, id int64, name string) error
	// SetArrayLength stores the length. It does not touch chunks.
	SetArrayLength(ctx context.Context, id, length int64) error

	// ChunkSize returns the length of a chunk in bytes, at a cost that does not grow with it. A
	// missing chunk is ErrNotFound.
	ChunkSize(ctx context.Context, id, chunk int64) (int64, error)
	// ChunkUsed returns what SetChunkUsed stored last; a new chunk has no bytes in use. It may have
	// to read through the chunk. If the store has no place for it, as in a file of another program,
	// all of the chunk counts as used.
	ChunkUsed(ctx context.Context, id, chunk int64) (used int64, deleted bool, err error)
	// Chunks returns the number of chunks.
	Chunks(ctx context.Context, id int64) (int64, error)
	// ReadChunk fills p with the bytes from off on, which must lie within the chunk.
	ReadChunk(ctx context.Context, id, chunk, off int64, p []byte) error
	// WriteChunk writes p at off, within the chunk, and changes nothing else. Its cost depends on
	// len(p) alone.
	WriteChunk(ctx context.Context, id, chunk, off int64, p []byte) error
	// ResizeChunk makes a chunk size bytes long. If its number is the next, the chunk is new;
	// otherwise the existing chunk is truncated or extended with zeros. It costs a rewrite of the
	// chunk.
	ResizeChunk(ctx context.Context, id, chunk, size int64) error
	// SetChunkUsed stores the number of bytes of the chunk that are in use, and whether elements in
	// it were deleted. It may read all of the chunk, but writes little.
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

// ForeignArrays is implemented by a transaction that can list the arrays that other programs keep
// in the same file, in a layout that the store does not know. Opening or making an array of such a
// name fails with a *LayoutError.
type ForeignArrays interface {
	// ForeignArrays lists them in the order in which they were made. Their ID and the bounds of
	// their chunks are 0, and so is ElemSize if elements differ in size.
	ForeignArrays(ctx context.Context) ([]Array, error)
}
