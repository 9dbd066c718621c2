package engine

import "context"

// Layout is how a value lies in a store.
type Layout uint8

const (
	// OneRow keeps a value whole, as other programs that read the file expect it.
	OneRow Layout = iota + 1
	// Chunks keeps a value in pieces, as those above the store's limit for one row are.
	Chunks
)

// Relayout is one value that Layouter.Relayout came to.
type Relayout struct {
	Key  string
	Size int64
	// Err is why the value stays as it is: ErrTooLarge if no row holds it, ErrCorrupt if it is damaged, ErrUnsupported if its bytes
	// would be taken for something else in one row. Nil: it was moved.
	Err error
}

// Layouter is a store with two layouts.
type Layouter interface {
	// Relayout moves values to a layout: for OneRow all that are in chunks, for Chunks those above the store's limit for one row. Each
	// is moved in a change of its own, which keeps its tag, its checksum and all other metadata, and between which writers get
	// their turn. A call that was broken off is taken up by the next. report, if not nil, is told of each value, moved or
	// not. The error says that the call itself could not go on.
	Relayout(ctx context.Context, to Layout, report func(Relayout)) error
}
