package column

import (
	"context"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/unexported"
)

// Column is a list of elements of one type in a vault. Every call is a transaction of its own,
// unless the column comes from In. It holds nothing of the column's state, so any number of them,
// in any number of processes, may use one column, and all methods are safe for concurrent use.
//
// Indexes count from 0; negative ones count from the end, -1 being the last element. One that names
// no element is ErrRange.
type Column[T any] struct {
	handle
	codec Codec[T]
}

// handle is a column without the type of its elements. Its methods are compiled once, those of
// Column for every type.
type handle struct {
	v    *kvault.Vault
	tx   *kvault.Tx // nil if each call is to have its own
	name string
}

// Name returns the name of the column.
func (c *Column[T]) Name() string { return c.name }

// In returns the column as a part of a transaction, which may change keys and other columns too. It
// ends with the transaction.
func (c *Column[T]) In(tx *kvault.Tx) *Column[T] {
	return &Column[T]{handle{c.v, tx, c.name}, c.codec}
}

// update runs fn on the column in a transaction that may write.
func (c *Column[T]) update(ctx context.Context, op string, fn func(layout) error) error {
	if c.codec == nil {
		return fail(op, c.name, errNoCodec)
	}
	return c.handle.run(ctx, op, c.v.Update, c.codec.Type(), c.codec.Size(), fn)
}

// view runs fn on the column in a transaction that reads.
func (c *Column[T]) view(ctx context.Context, op string, fn func(layout) error) error {
	if c.codec == nil {
		return fail(op, c.name, errNoCodec)
	}
	return c.handle.run(ctx, op, c.v.View, c.codec.Type(), c.codec.Size(), fn)
}

// begin is a vault's Update or View.
type begin func(context.Context, func(*kvault.Tx) error) error

// run runs fn on the column, which must hold elements of the type and size.
func (h *handle) run(ctx context.Context, op string, begin begin, typ string, size int, fn func(layout) error) error {
	return fail(op, h.name, within(ctx, h.tx, begin, func(a engine.Arrays) error {
		l, err := open(ctx, a, h.name, typ, size)
		if err != nil {
			return err
		}
		return fn(l)
	}))
}

// within runs fn on the arrays of tx, as one of its calls, or of a transaction of its own if tx is
// nil.
func within(ctx context.Context, tx *kvault.Tx, begin begin, fn func(engine.Arrays) error) error {
	if tx == nil {
		return begin(ctx, func(tx *kvault.Tx) error {
			a, err := unexported.Arrays(tx)
			if err != nil {
				return err
			}
			return fn(a)
		})
	}
	a, err := unexported.Arrays(tx)
	if err != nil {
		return err
	}
	return a.(atomically).Atomic(fn)
}

// atomically are the arrays of a transaction of the caller's, who may go on after a call that
// failed, and may make several at once.
type atomically interface {
	Atomic(fn func(engine.Arrays) error) error
}
