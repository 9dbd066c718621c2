package column

import "bytes"

// nullSuffix ends the name of the type of a nullable column.
const nullSuffix = ":null"

// Null is an element of a nullable column: V if Valid is true, else a null. The zero value is a
// null. It converts to and from sql.Null of package database/sql.
type Null[T any] struct {
	V     T
	Valid bool
}

// Nullable returns the codec of columns whose elements may be null, given the codec of the elements
// that are not. Its type is that codec's with ":null" appended.
//
// The file keeps the elements as for the plain codec, with a placeholder for each null, and a
// companion column NAME_valid with one byte for each element, which tells the nulls. Every call
// changes both together. Nulls are equal for Index and Contains.
//
// Opening a nullable column with the plain codec is a *TypeError, and so is the reverse. AllowNulls
// makes an existing column nullable.
func Nullable[T any](codec Codec[T]) Codec[Null[T]] {
	return &nullableCodec[T]{codec, nullsOf(codec)}
}

// nullableCodec encodes an element as one byte, 0 for null and 1 else, and what the codec makes of
// it.
type nullableCodec[T any] struct {
	codec Codec[T]
	nulls *nulls
}

// nulls is a nullableCodec without the type of the elements.
type nulls struct {
	typ  string
	size int
	null holder // of a codec that has one, or nil
	bad  error  // why the codec was made of nonsense, or nil
}

// holder is a codec whose placeholder for null is not zeros, or none where sizes differ.
type holder interface{ placeholder() []byte }

// nullsOf makes what does not depend on the type of the codec of nullable columns.
func nullsOf(codec sized) *nulls {
	if codec == nil {
		return &nulls{typ: nullSuffix, bad: errNoCodec}
	}
	n := &nulls{typ: codec.Type() + nullSuffix, size: codec.Size(), bad: valid(codec)}
	if _, twice := codec.(withNulls); twice {
		n.bad = invalid("%s: a column is nullable once", n.typ)
	}
	n.null, _ = codec.(holder)
	if n.size > 0 {
		n.size++
	}
	return n
}

// withNulls is a nullableCodec of any type.
type withNulls interface{ nullable() *nulls }

func (c *nullableCodec[T]) nullable() *nulls { return c.nulls }

func (c *nullableCodec[T]) Type() string { return c.nulls.typ }
func (c *nullableCodec[T]) Size() int    { return c.nulls.size }

// append appends an element that is null.
func (n *nulls) append(dst []byte) []byte {
	if n.null != nil {
		return append(append(dst, 0), n.null.placeholder()...)
	}
	return append(dst, make([]byte, max(n.size, 1))...)
}

func (c *nullableCodec[T]) Append(dst []byte, x Null[T]) ([]byte, error) {
	if c.nulls.bad != nil {
		return nil, c.nulls.bad
	}
	if !x.Valid {
		return c.nulls.append(dst), nil
	}
	return c.codec.Append(append(dst, 1), x.V)
}

func (c *nullableCodec[T]) Decode(b []byte) (x Null[T], err error) {
	if c.nulls.bad != nil {
		return x, c.nulls.bad
	}
	if b[0] == 0 {
		return x, nil
	}
	x.V, err = c.codec.Decode(b[1:])
	x.Valid = err == nil
	return x, err
}

// same says whether two encoded elements of a nullable column are equal.
func same(a, b []byte) bool {
	return a[0] == b[0] && (a[0] == 0 || bytes.Equal(a, b))
}
