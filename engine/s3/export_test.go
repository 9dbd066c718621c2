package s3

import "github.com/kohakuvault/kvault/engine/s3/internal/object"

// NewStore is a store on a bucket of a test.
func NewStore(b object.Bucket, prefix string, o *Options) *Store {
	return newStore(b, prefix, o.resolved())
}

// NewTinyStore is a store whose parts have so many bytes, which no server would take.
func NewTinyStore(b object.Bucket, prefix string, part int) *Store {
	s := NewStore(b, prefix, nil)
	s.o.PartSize = part
	return s
}
