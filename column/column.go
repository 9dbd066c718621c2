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
	h     handle
	codec Codec[T]
}

// handle is a column without the type of its elements. The compiler makes its methods once, and
// those of Column again for each of some fifty types, in every package that uses them: so a method
// of Column encodes or decodes, and leaves all else to the handle.
type handle struct {
	v    *kvault.Vault
	tx   *kvault.Tx // nil if each call is to have its own
	name string
	*elements
}

// elements is what a column knows of its elements without their type. That of a zero Column is nil.
type elements struct {
	typ   string
	size  int
	words bool // their codec is one of words
	nulls bool // their codec is one of nullable columns
}

// sized is a codec without the type of what it encodes.
type sized interface {
	Type() string
	Size() int
}

func elementsOf(codec sized) *elements {
	e := &elements{typ: codec.Type(), size: codec.Size()}
	_, e.words = codec.(words)
	_, e.nulls = codec.(withNulls)
	return e
}

// columnOf returns the column of a handle whose elements are those of the codec.
func columnOf[T any](h handle, codec Codec[T]) *Column[T] {
	h.elements = elementsOf(codec)
	return &Column[T]{h, codec}
}

// Name returns the name of the column.
func (c *Column[T]) Name() string { return c.h.name }

// In returns the column as a part of a transaction, which may change keys and other columns too. It
// ends with the transaction.
func (c *Column[T]) In(tx *kvault.Tx) *Column[T] {
	return &Column[T]{c.h.in(tx), c.codec}
}

func (h *handle) in(tx *kvault.Tx) handle { return handle{h.v, tx, h.name, h.elements} }

// update runs fn on the column in a transaction that may write.
func (h *handle) update(ctx context.Context, op string, fn func(layout) error) error {
	return h.run(ctx, op, Update, fn)
}

// view runs fn on the column in a transaction that reads.
func (h *handle) view(ctx context.Context, op string, fn func(layout) error) error {
	return h.run(ctx, op, View, fn)
}

// begin is Update or View.
type begin func(context.Context, *kvault.Vault, func(*kvault.Tx) error) error

// View runs fn on a snapshot of all columns of v. It is v.View for code that reads nothing but
// columns, and works on engines without transactions of keys, too (see kvault.New): there the
// methods of the Tx that concern keys are ErrUnsupported. It returns the error of fn unchanged.
func View(ctx context.Context, v *kvault.Vault, fn func(tx *kvault.Tx) error) error {
	return unexported.ViewArrays(ctx, v, func(tx any) error { return fn(tx.(*kvault.Tx)) })
}

// Update runs fn in a transaction of columns, in which all its changes take effect, or none. It is
// v.Update for code that changes nothing but columns, and works on engines without transactions of
// keys, too. There writers do not wait for each other: if another one has changed columns meanwhile,
// fn runs again, so it must change nothing but what is in the transaction. Update gives up with
// kvault.ErrConflict after as many attempts, and as long a time, as kvault.Options have for a busy
// database. If the network fails it can be kvault.ErrUnknown: the changes may have taken effect.
func Update(ctx context.Context, v *kvault.Vault, fn func(tx *kvault.Tx) error) error {
	return unexported.UpdateArrays(ctx, v, func(tx any) error { return fn(tx.(*kvault.Tx)) })
}

// run runs fn on the column, which must hold elements of its type and size.
func (h *handle) run(ctx context.Context, op string, begin begin, fn func(layout) error) error {
	if h.elements == nil {
		return fail(op, h.name, errNoCodec)
	}
	return fail(op, h.name, within(ctx, h.v, h.tx, begin, func(a engine.Arrays) error {
		l, err := open(ctx, a, h.name, h.typ, h.size)
		if err != nil {
			return err
		}
		return fn(l)
	}))
}

// within runs fn on the arrays of tx, as one of its calls, or of a transaction of its own if tx is
// nil.
func within(ctx context.Context, v *kvault.Vault, tx *kvault.Tx, begin begin, fn func(engine.Arrays) error) error {
	if tx == nil {
		return begin(ctx, v, func(tx *kvault.Tx) error {
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
