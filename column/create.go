package column

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
)

// Options are for columns that are made. The zero value is good.
type Options struct {
	// MinChunk and MaxChunk bound the chunks in which elements lie, in bytes. If 0 they are 128 KiB
	// and 1 MiB: the way to an element leads through its chunk page by page. The first chunk begins
	// with MinChunk and doubles. For elements of one size they are rounded, MinChunk up and
	// MaxChunk down, to whole elements. Elements larger than MaxChunk are possible where sizes
	// differ, up to MaxElement, and get chunks of their own. At most 512 MiB.
	MinChunk, MaxChunk int64
}

const (
	defaultMinChunk = 128 << 10
	defaultMaxChunk = 1 << 20
	largestChunk    = 512 << 20
	longestName     = 255
)

// MaxElement is the longest element in bytes, as it is encoded; where all have one size, MaxChunk
// bounds it too. A longer one is kvault.ErrTooLarge. A column that another program wrote may hold
// longer ones: they are read.
const MaxElement = engine.MaxOneRow

// Scope is where a call takes place: a vault, in a transaction of its own; or a transaction of the
// caller's, of which the call becomes a part. A column that comes from a transaction ends with it,
// as one from Column.In does.
type Scope interface{ *kvault.Vault | *kvault.Tx }

// scoped is a column at a scope.
func scoped[T any, S Scope](s S, name string, codec Codec[T]) *Column[T] {
	v, tx := unscope(s)
	return columnOf(handle{v: v, tx: tx, name: name}, codec)
}

func unscope[S Scope](s S) (v *kvault.Vault, tx *kvault.Tx) {
	v, _ = any(s).(*kvault.Vault)
	tx, _ = any(s).(*kvault.Tx)
	return v, tx
}

// update runs fn on the arrays of a scope in a transaction that may write.
func update[S Scope](ctx context.Context, s S, fn func(engine.Arrays) error) error {
	v, tx := unscope(s)
	return within(ctx, v, tx, Update, fn)
}

// Create makes a new, empty column. ErrExists if the name is taken. Names have 1 to 255 bytes of
// UTF-8; a column whose elements differ in size takes the names with _data and _idx behind them
// too, and a nullable one that with _valid. o may be nil.
func Create[T any, S Scope](ctx context.Context, s S, name string, codec Codec[T], o *Options) (*Column[T], error) {
	err := valid(codec)
	if err == nil {
		err = update(ctx, s, func(a engine.Arrays) error { return create(ctx, a, name, codec.Type(), codec.Size(), o) })
	}
	if err != nil {
		return nil, fail("create", name, err)
	}
	return scoped(s, name, codec), nil
}

// Open returns a column that exists. ErrNotFound if it does not, and a *TypeError if it holds
// another type than the codec's.
func Open[T any, S Scope](ctx context.Context, s S, name string, codec Codec[T]) (*Column[T], error) {
	if err := valid(codec); err != nil {
		return nil, fail("open", name, err)
	}
	c := scoped(s, name, codec)
	if err := c.h.view(ctx, "open", func(layout) error { return nil }); err != nil {
		return nil, err
	}
	return c, nil
}

// Ensure opens a column, or makes it if it does not exist; o is for that case and may be nil.
func Ensure[T any, S Scope](ctx context.Context, s S, name string, codec Codec[T], o *Options) (*Column[T], error) {
	c, err := Open(ctx, s, name, codec)
	if !errors.Is(err, kvault.ErrNotFound) {
		return c, err
	}
	if c, err = Create(ctx, s, name, codec, o); errors.Is(err, kvault.ErrExists) { // somebody else was faster
		return Open(ctx, s, name, codec)
	}
	return c, err
}

// valid refuses a codec that was made of a size, a unit, an encoding or dimensions that are none,
// and none at all.
func valid(codec sized) error {
	if codec == nil {
		return errNoCodec
	}
	if c, ok := codec.(interface{ check() error }); ok {
		if err := c.check(); err != nil {
			return err
		}
	}
	if c, nullable := codec.(withNulls); nullable {
		return c.nullable().bad
	}
	if strings.HasSuffix(codec.Type(), nullSuffix) {
		return invalid("codec with type %q: only that of a nullable column ends in %s", codec.Type(), nullSuffix)
	}
	return nil
}

var errNoCodec = invalid("there is no codec: give one such as column.Int64; a Column comes from Open, Create or Ensure")

func create(ctx context.Context, a engine.Arrays, name, typ string, size int, o *Options) error {
	typ, nullable := strings.CutSuffix(typ, nullSuffix)
	if err := validType(typ); err != nil {
		return err
	}
	if nullable && size > 0 {
		size-- // of the data
	}
	if size < 0 {
		return invalid("codec with type %q and size %d", typ, size)
	}
	if err := free(ctx, a, name, size == 0); err != nil {
		return err
	}
	made, err := o.arrays(name, typ, int64(size))
	if err != nil {
		return err
	}
	if size > 0 {
		err = alone(ctx, a, made[0])
	} else {
		err = freeParts(ctx, a, name)
	}
	if err == nil {
		err = freeCompanion(ctx, a, name, nullable)
	}
	if nullable {
		made = append(made, companionOf(name, made[0].MaxChunk))
	}
	for _, arr := range made {
		if err != nil {
			return err
		}
		_, err = a.CreateArray(ctx, arr)
	}
	return err
}

// validType refuses the name of a type that would break the line it is shown in, or that other
// programs cut off.
func validType(typ string) error {
	if typ == "" || len(typ) > longestName || !utf8.ValidString(typ) ||
		strings.ContainsFunc(typ, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return invalid("codec with type %.300q: the name of a type has 1 to %d bytes of printable text", typ, longestName)
	}
	if typ == validityType {
		return invalid("codec with type %q: that is what a part of nullable columns has", typ)
	}
	return nil
}

// freeParts reports an error if a part of a column by that name would be another column.
func freeParts(ctx context.Context, a engine.Arrays, name string) error {
	for _, suffix := range []string{dataSuffix, indexSuffix} {
		_, err := a.Array(ctx, name+suffix)
		if err := taken(name+suffix, err); err != nil {
			return err
		}
	}
	return nil
}

// taken says what it means that the look for a part of a new column gave err.
func taken(part string, err error) error {
	switch {
	case err == nil:
		return &worded{"its part " + part + " would be a column that exists", kvault.ErrExists}
	case errors.Is(err, engine.ErrNotFound):
		return nil
	}
	return err
}

// free reports an error if the name is none, or taken by another column.
func free(ctx context.Context, a engine.Arrays, name string, variable bool) error {
	if name == "" || len(name) > longestName || !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
		return invalid("a name has 1 to %d bytes of UTF-8 and no NUL", longestName)
	}
	_, err := find(ctx, a, name, variable)
	if errors.Is(err, kvault.ErrNotFound) {
		return nil
	}
	return cmp.Or(err, error(&worded{"there is a column by that name", kvault.ErrExists}))
}

// arrays are those that make up a new column.
func (o *Options) arrays(name, typ string, size int64) ([]engine.Array, error) {
	if o == nil {
		o = &Options{}
	}
	shortest := cmp.Or(o.MinChunk, min(defaultMinChunk, cmp.Or(o.MaxChunk, defaultMinChunk)))
	longest := cmp.Or(o.MaxChunk, max(defaultMaxChunk, o.MinChunk))
	if shortest < 1 || longest < shortest || longest > largestChunk {
		return nil, invalid("MinChunk %d and MaxChunk %d: want 1 to %d bytes, and the smaller first", shortest, longest, largestChunk)
	}
	list := []engine.Array{{Name: name, Type: typ, ElemSize: size, MinChunk: shortest, MaxChunk: longest}}
	if size == 0 {
		list[0].Name, list[0].ElemSize = name+dataSuffix, 1
		list = append(list, engine.Array{Name: name + indexSuffix, Type: indexType, ElemSize: entryBytes, MinChunk: shortest,
			MaxChunk: max(longest, entryBytes)})
	}
	for i := range list {
		arr := &list[i]
		arr.MaxChunk -= arr.MaxChunk % arr.ElemSize
		if arr.MaxChunk == 0 {
			return nil, invalid("chunks of at most %d bytes do not hold an element of %d: choose a larger MaxChunk", longest, size)
		}
		arr.MinChunk = min(ceilDiv(arr.MinChunk, arr.ElemSize)*arr.ElemSize, arr.MaxChunk)
	}
	return list, nil
}
