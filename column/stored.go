package column

import (
	"context"
	"slices"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
)

// OpenStored returns a column of any type for reading, with each element as the bytes that the file
// has of it: a Column[[]byte], or a Column[Null[[]byte]] if the column is nullable. docs/format.md
// describes the bytes. An element that cannot be decoded as the column's type is ErrCorrupt when it
// is read, and an error when it is written. Errors of opening are those of OpenAny.
func OpenStored[S Scope](ctx context.Context, s S, name string) (Dynamic, error) {
	return openKind(ctx, s, name, func(k *kind, v *kvault.Vault, tx *kvault.Tx) Dynamic { return k.stored(v, tx, name) })
}

// openKind opens a column that exists as what of makes of its kind.
func openKind[S Scope](ctx context.Context, s S, name string, of func(*kind, *kvault.Vault, *kvault.Tx) Dynamic) (d Dynamic, err error) {
	v, tx := unscope(s)
	err = within(ctx, tx, v.View, func(a engine.Arrays) error {
		p, err := find(ctx, a, name, false)
		if err != nil {
			return err
		}
		k, err := kindNamed(p.typ())
		if err != nil {
			return err
		}
		d = of(k, v, tx)
		return nil
	})
	return d, fail("open", name, err)
}

// storedCodec takes elements as what another codec makes of them.
type storedCodec struct {
	typ   string
	size  int
	check func(b []byte) error
}

// storedOf is the storedCodec of a codec.
func storedOf[T any](c Codec[T]) storedCodec {
	return storedCodec{c.Type(), c.Size(), func(b []byte) error {
		_, err := c.Decode(b)
		return err
	}}
}

func (c storedCodec) Type() string { return c.typ }
func (c storedCodec) Size() int    { return c.size }

func (c storedCodec) Append(dst, x []byte) ([]byte, error) {
	if err := c.check(x); err != nil {
		return nil, err
	}
	return append(dst, x...), nil
}

func (c storedCodec) Decode(b []byte) ([]byte, error) {
	if err := c.check(b); err != nil {
		return nil, err
	}
	return slices.Clone(b), nil
}
