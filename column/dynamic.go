package column

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
)

// Dynamic is a column whose type is known only when the program runs. It is a *Column: switch on its type to use it.
//
//	switch c := d.(type) {
//	case *column.Column[int64]:
//	case *column.Column[float64]:
//	case *column.Column[[]byte]:
//	case *column.Column[string]:
//	}
type Dynamic interface {
	Name() string
	Type() string
	Len(ctx context.Context) (int64, error)
}

// Type returns what the file calls the type of the elements, as Codec.Type has it.
func (c *Column[T]) Type() string { return c.codec.Type() }

// kind is a type of elements that this package has a codec for.
type kind struct {
	typ    string
	size   int
	column func(v *kvault.Vault, tx *kvault.Tx, name string) Dynamic
}

func kindOf[T any](codec Codec[T]) *kind {
	return &kind{codec.Type(), codec.Size(), func(v *kvault.Vault, tx *kvault.Tx, name string) Dynamic {
		return &Column[T]{v: v, tx: tx, name: name, codec: codec}
	}}
}

// kindNamed returns the kind of the type that the file calls so.
func kindNamed(typ string) (*kind, error) {
	switch typ {
	case Int64.Type():
		return kindOf(Int64), nil
	case Float64.Type():
		return kindOf(Float64), nil
	case Bytes.Type():
		return kindOf(Bytes), nil
	case String.Type(), "str":
		return kindOf(String), nil
	}
	if length, ok := strings.CutPrefix(typ, "bytes:"); ok {
		if n, err := strconv.Atoi(length); err == nil && n > 0 && n <= largestChunk {
			return kindOf(FixedBytes(n)), nil
		}
	}
	return nil, fmt.Errorf("there is no codec here for elements of type %q: use i64, f64, bytes:N, bytes or str: %w", typ, kvault.ErrUnsupported)
}

// OpenAny returns a column that exists, of whatever type. ErrNotFound if it does not, and ErrUnsupported if this package has no
// codec for its type: see Info.Type.
func OpenAny[S Scope](ctx context.Context, s S, name string) (Dynamic, error) {
	v, tx := unscope(s)
	var d Dynamic
	err := within(ctx, tx, v.View, func(a engine.Arrays) error {
		p, err := find(ctx, a, name, false)
		if err != nil {
			return err
		}
		k, err := kindNamed(p.data.Type)
		if err != nil {
			return err
		}
		d = k.column(v, tx, name)
		return nil
	})
	return d, fail("open", name, err)
}

// CreateAny makes a new, empty column, as Create does, of a type by the name that Codec.Type has for it: i64, f64, bytes:N, bytes
// or str. ErrUnsupported if there is no such type.
func CreateAny[S Scope](ctx context.Context, s S, name, typ string, o *Options) (Dynamic, error) {
	v, tx := unscope(s)
	var d Dynamic
	err := update(ctx, s, func(a engine.Arrays) error {
		k, err := kindNamed(typ)
		if err != nil {
			return err
		}
		d = k.column(v, tx, name)
		return create(ctx, a, name, k.typ, k.size, o)
	})
	if err != nil {
		return nil, fail("create", name, err)
	}
	return d, nil
}
