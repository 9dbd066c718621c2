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
	_, twice := codec.(withNulls)
	bad := valid(codec)
	if twice {
		bad = invalid("%s: a column is nullable once", codec.Type()+nullSuffix)
	}
	return nullableCodec[T]{codec, bad}
}

// nullableCodec encodes an element as one byte, 0 for null and 1 else, and what the codec makes of
// it.
type nullableCodec[T any] struct {
	codec Codec[T]
	bad   error // why the codec was made of nonsense, or nil
}

// withNulls is a nullableCodec of any type.
type withNulls interface {
	// same says whether two encoded elements are equal.
	same(a, b []byte) bool
}

func (c nullableCodec[T]) Type() string {
	if c.codec == nil {
		return nullSuffix
	}
	return c.codec.Type() + nullSuffix
}

func (c nullableCodec[T]) Size() int {
	if c.codec == nil {
		return 0
	}
	if n := c.codec.Size(); n > 0 {
		return 1 + n
	}
	return 0
}

func (c nullableCodec[T]) check() error { return c.bad }

func (c nullableCodec[T]) Append(dst []byte, x Null[T]) ([]byte, error) {
	if c.bad != nil {
		return nil, c.bad
	}
	if x.Valid {
		return c.codec.Append(append(dst, 1), x.V)
	}
	dst = append(dst, 0)
	if p, ok := c.codec.(interface{ placeholder() []byte }); ok {
		return append(dst, p.placeholder()...), nil
	}
	return append(dst, make([]byte, c.codec.Size())...), nil
}

func (c nullableCodec[T]) Decode(b []byte) (x Null[T], err error) {
	if c.bad != nil {
		return x, c.bad
	}
	if b[0] == 0 {
		return x, nil
	}
	x.V, err = c.codec.Decode(b[1:])
	x.Valid = err == nil
	return x, err
}

func (nullableCodec[T]) same(a, b []byte) bool {
	return a[0] == b[0] && (a[0] == 0 || bytes.Equal(a, b))
}
