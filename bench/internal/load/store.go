// Package load runs the workloads of the contract on a store, for contenders in Go.
package load

import (
	"io"
	"iter"
)

// Store is what a contender has to offer. It must be safe for as many goroutines as there are
// workers.
type Store interface {
	Put(key string, value []byte) error
	// Get returns a value, which the next Get may overwrite unless there are several workers.
	Get(key string) ([]byte, error)
	Close() error
}

// Batcher can write many values in one transaction.
type Batcher interface {
	PutBatch(pairs iter.Seq2[string, []byte]) error
}

// Flusher has something to finish within the measured section, such as a cache to empty.
type Flusher interface {
	Flush() error
}

// Viewer can read many values in one transaction. A value is given to each once and is not kept.
type Viewer interface {
	View(keys []string, each func(i int, value []byte)) error
}

// Lister visits all keys in order.
type Lister interface {
	List(each func(key string)) error
}

// Streamer writes and reads values as streams. The size is -1 if it is not known.
type Streamer interface {
	PutStream(key string, r io.Reader, size int64) error
	GetStream(key string, w io.Writer) error
	// OpenValue opens a value for reading at any offset.
	OpenValue(key string) (ReaderAtCloser, error)
}

// ReaderAtCloser is an open value.
type ReaderAtCloser interface {
	io.ReaderAt
	io.Closer
}

// Columns is a store of one column of integers.
type Columns interface {
	// Extend appends elements in one transaction.
	Extend(x []int64) error
	// Scan visits all elements in order.
	Scan(each func([]int64)) error
	// At returns element i.
	At(i int64) (int64, error)
}
