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
	*elements
	column func(h handle) Dynamic
	// check says whether an element that is no null can be decoded.
	check func(b []byte) error
	// nullable returns the kind of a nullable column of the type.
	nullable func() *kind
}

// kindOf is the kind of the codec's type. N is Null[T], and nullable is Nullable. The caller, who
// knows the type, passes them: of Null[T], with T a parameter, the compiler would make a Column in
// addition to that of the type.
func kindOf[T, N any](codec Codec[T], nullable func(Codec[T]) Codec[N]) *kind {
	check := func(b []byte) error {
		_, err := codec.Decode(b)
		return err
	}
	k := plainKind(codec, check)
	k.nullable = func() *kind { return plainKind(nullable(codec), check) }
	return k
}

func plainKind[T any](codec Codec[T], check func(b []byte) error) *kind {
	column := func(h handle) Dynamic { return &Column[T]{h, codec} }
	return &kind{elements: elementsOf(codec), check: check, column: column}
}

// open returns the column with its elements.
func (k *kind) open(h handle) Dynamic {
	h.elements = k.elements
	return k.column(h)
}

// stored returns the column with its elements as they are stored.
func (k *kind) stored(h handle) Dynamic {
	typ, nullable := strings.CutSuffix(k.typ, nullSuffix)
	if nullable {
		return columnOf(h, Nullable[[]byte](storedCodec{typ, max(k.size-1, 0), k.check}))
	}
	return columnOf[[]byte](h, storedCodec{typ, k.size, k.check})
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
		k = kindOf(Float64, Nullable)
	case "bytes":
		if n.as == asBool {
			return kindOf(Bool, Nullable), nil
		}
		k = either(n.size, Bytes, FixedBytes, Nullable)
	case "str":
		fixed := func(size int) Codec[string] { return FixedText(size, n.enc) }
		k = either(n.size, Text(n.enc), fixed, Nullable)
	case "msgpack":
		k = either(n.size, MessagePack[any](), FixedMessagePack[any], Nullable)
	case "cbor":
		k = either(n.size, CBOR[any](), FixedCBOR[any], Nullable)
	case "vec":
		k = vectors(n.elem, n.dims)
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
		return kindOf(Date, Nullable)
	case n.as == asTimestamp:
		return kindOf(Codec[time.Time](timestampCodec{n.unit, n.utc}), Nullable)
	}
	return kindOf(Int64, Nullable)
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

// either is the kind of elements of a size, or of those that differ in size if it is 0. See kindOf
// about nullable.
func either[T, N any](size int, variable Codec[T], fixed func(size int) Codec[T],
	nullable func(Codec[T]) Codec[N]) *kind {
	if size > 0 {
		variable = fixed(size)
	}
	return kindOf(variable, nullable)
}

// vectors is the kind of vectors of the dimensions, or of tensors if there are none. elem is one of
// elementCodes.
func vectors(elem string, dims []int) *kind {
	switch elem {
	case "f32":
		return vectorKind(dims, Vector[float32], Nullable, Tensors[float32], Nullable)
	case "f64":
		return vectorKind(dims, Vector[float64], Nullable, Tensors[float64], Nullable)
	case "i8":
		return vectorKind(dims, Vector[int8], Nullable, Tensors[int8], Nullable)
	case "i16":
		return vectorKind(dims, Vector[int16], Nullable, Tensors[int16], Nullable)
	case "i32":
		return vectorKind(dims, Vector[int32], Nullable, Tensors[int32], Nullable)
	case "i64":
		return vectorKind(dims, Vector[int64], Nullable, Tensors[int64], Nullable)
	case "u8":
		return vectorKind(dims, Vector[uint8], Nullable, Tensors[uint8], Nullable)
	case "u16":
		return vectorKind(dims, Vector[uint16], Nullable, Tensors[uint16], Nullable)
	case "u32":
		return vectorKind(dims, Vector[uint32], Nullable, Tensors[uint32], Nullable)
	case "u64":
		return vectorKind(dims, Vector[uint64], Nullable, Tensors[uint64], Nullable)
	}
	return nil
}

// vectorKind is the kind of vectors V, or of tensors T if there are no dimensions. See kindOf about
// nullV and nullT.
func vectorKind[V, NV, T, NT any](dims []int, vector func(dims ...int) Codec[V],
	nullV func(Codec[V]) Codec[NV], tensors func() Codec[T], nullT func(Codec[T]) Codec[NT]) *kind {
	if len(dims) == 0 {
		return kindOf(tensors(), nullT)
	}
	return kindOf(vector(dims...), nullV)
}

// OpenAny returns a column that exists, of any type. ErrNotFound if it does not, and ErrUnsupported
// if this package has no codec for its type: see Info.Type.
func OpenAny[S Scope](ctx context.Context, s S, name string) (Dynamic, error) {
	return openKind(ctx, s, name, (*kind).open)
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
		d = k.open(handle{v: v, tx: tx, name: name})
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
	return openKind(ctx, s, name, (*kind).stored)
}

// openKind opens a column that exists as what of makes of its kind.
func openKind[S Scope](ctx context.Context, s S, name string,
	of func(*kind, handle) Dynamic) (d Dynamic, err error) {
	v, tx := unscope(s)
	err = within(ctx, v, tx, View, func(a engine.Arrays) error {
		p, err := find(ctx, a, name, false)
		if err != nil {
			return err
		}
		k, err := kindNamed(p.typ())
		if err != nil {
			return err
		}
		d = of(k, handle{v: v, tx: tx, name: name})
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
