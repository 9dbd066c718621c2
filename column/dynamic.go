package column

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
)

// Dynamic is a column whose type is known only when the program runs. It is a *Column: switch on
// its type to use it.
//
//	switch c := d.(type) {
//	case *column.Column[int64]:
//	case *column.Column[float64]:
//	case *column.Column[[]byte]:
//	case *column.Column[string]:
//	case *column.Column[bool]:
//	case *column.Column[time.Time]:
//	}
//
// It is a Column[Null[int64]] and so on if its Type ends in :null: see Nullable. It is a
// Column[any] for msgpack and cbor, a Column[[]E] for vec of E with dimensions, and a
// Column[Tensor[E]] without. A Column[[]byte] is one of type bytes, bytes:N, or vec:u8 with
// dimensions, and a Column[time.Time] one of dates or of timestamps: its Type tells.
type Dynamic interface {
	Name() string
	Type() string
	Len(ctx context.Context) (int64, error)
}

// Types are the forms of the names of all types that this package has codecs for. N is the length
// of each element in bytes, ENC one of utf8, utf16le, utf16be, ascii and latin1, ELEM one of f32,
// f64, i8, i16, i32, i64, u8, u16, u32 and u64, DIM a dimension, of which there may be more, and
// UNIT one of s, ms, us and ns. The file has bytes:1:bool for bool, and i64: before date and
// timestamp, which is timestamp:us. With :null behind, each of them is the type of a nullable
// column.
var Types = []string{"i64", "f64", "bool", "date", "timestamp", "timestamp:UNIT", "timestamp:UNIT:utc", "bytes", "bytes:N", "str", "str:ENC", "str:N", "str:N:ENC",
	"vec:ELEM", "vec:ELEM:DIM", "msgpack", "msgpack:N", "cbor", "cbor:N"}

// Codec returns the codec of the column.
func (c *Column[T]) Codec() Codec[T] { return c.codec }

// Type returns what the file calls the type of the elements, as Codec.Type has it. That of a zero
// Column is empty.
func (c *Column[T]) Type() string {
	if c.codec == nil {
		return ""
	}
	return c.codec.Type()
}

// kind is a type of elements that this package has a codec for.
type kind struct {
	typ    string
	size   int
	column func(v *kvault.Vault, tx *kvault.Tx, name string) Dynamic
	// stored returns the column with its elements as they are stored.
	stored func(v *kvault.Vault, tx *kvault.Tx, name string) Dynamic
	// nullable returns the kind of a nullable column of the type.
	nullable func() *kind
}

func kindOf[T any](codec Codec[T]) *kind {
	stored := storedOf(codec)
	k := plainKind(codec, Codec[[]byte](stored))
	k.nullable = func() *kind { return plainKind(Nullable(codec), Nullable(Codec[[]byte](stored))) }
	return k
}

func plainKind[T, S any](codec Codec[T], stored Codec[S]) *kind {
	return &kind{typ: codec.Type(), size: codec.Size(), column: opening(codec), stored: opening(stored)}
}

func opening[T any](codec Codec[T]) func(v *kvault.Vault, tx *kvault.Tx, name string) Dynamic {
	return func(v *kvault.Vault, tx *kvault.Tx, name string) Dynamic {
		return &Column[T]{handle{v, tx, name}, codec}
	}
}

// kindNamed returns the kind of the type that the file calls so.
func kindNamed(typ string) (*kind, error) {
	if plain, nullable := strings.CutSuffix(typ, nullSuffix); nullable {
		k, err := kindNamed(plain)
		if err != nil || k.nullable == nil {
			return nil, unknownType(typ)
		}
		return k.nullable(), nil
	}
	n, ok := parseType(typ)
	if !ok || !n.fits() {
		return nil, unknownType(typ)
	}
	var k *kind
	switch n.base {
	case "i64":
		k = n.numbers()
	case "f64":
		k = kindOf(Float64)
	case "bytes":
		if n.as == asBool {
			return kindOf(Bool), nil
		}
		k = either(n.size, Bytes, FixedBytes)
	case "str":
		k = either(n.size, Text(n.enc), func(size int) Codec[string] { return FixedText(size, n.enc) })
	case "msgpack":
		k = either(n.size, MessagePack[any](), FixedMessagePack[any])
	case "cbor":
		k = either(n.size, CBOR[any](), FixedCBOR[any])
	case "vec":
		k = vectorKinds[n.elem](n.dims)
	}
	if k.size == 0 && (n.size > 0 || len(n.dims) > 0) {
		return nil, unknownType(typ)
	}
	return k, nil
}

// numbers is the kind of what integers stand for.
func (n *typeName) numbers() *kind {
	switch {
	case n.as == asDate:
		return kindOf(Date)
	case n.as == asTimestamp:
		return kindOf[time.Time](timestampCodec{n.unit, n.utc})
	}
	return kindOf(Int64)
}

// KnownType says whether typ is the name of a type that this package has a codec for: see Types.
// What the Python package would ignore behind one is not.
func KnownType(typ string) bool {
	_, err := kindNamed(typ)
	return err == nil && len(split(typ)) <= len(split(canonical(typ)))
}

// fits says whether an element of a fixed size can be in a chunk. A hostile file may say anything.
func (n *typeName) fits() bool {
	elements := 1
	for _, dim := range n.dims {
		if dim > largestChunk/elements {
			return false
		}
		elements *= dim
	}
	return n.size <= largestChunk
}

func unknownType(typ string) error {
	return fmt.Errorf("there is no codec here for elements of type %q: use one of %s: %w", typ, strings.Join(Types, ", "), kvault.ErrUnsupported)
}

func either[T any](size int, variable Codec[T], fixed func(int) Codec[T]) *kind {
	if size == 0 {
		return kindOf(variable)
	}
	return kindOf(fixed(size))
}

var vectorKinds = map[string]func(dims []int) *kind{
	"f32": vectorKind[float32], "f64": vectorKind[float64], "i8": vectorKind[int8], "i16": vectorKind[int16], "i32": vectorKind[int32],
	"i64": vectorKind[int64], "u8": vectorKind[uint8], "u16": vectorKind[uint16], "u32": vectorKind[uint32], "u64": vectorKind[uint64],
}

func vectorKind[E Number](dims []int) *kind {
	if len(dims) == 0 {
		return kindOf(Tensors[E]())
	}
	return kindOf(Vector[E](dims...))
}

// OpenAny returns a column that exists, of any type. ErrNotFound if it does not, and ErrUnsupported
// if this package has no codec for its type: see Info.Type.
func OpenAny[S Scope](ctx context.Context, s S, name string) (Dynamic, error) {
	return openKind(ctx, s, name, func(k *kind, v *kvault.Vault, tx *kvault.Tx) Dynamic { return k.column(v, tx, name) })
}

// CreateAny makes a new, empty column, as Create does, of a type by its name: see Types.
// ErrUnsupported if there is no such type.
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
