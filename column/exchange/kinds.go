package exchange

import (
	"context"
	"iter"
	"slices"

	"github.com/kohakuvault/kvault/column"
)

// kind is a type of elements that can be carried.
type kind struct {
	source func(ctx context.Context, d column.Dynamic, from, to int64) source
	sink   func(d column.Dynamic, all *gathered) sink
}

// columnOf is what the package needs of a *column.Column[T]. With the type itself the compiler
// would make all methods of Column here once more, for each of some fifty types.
type columnOf[T any] = interface {
	column.Dynamic
	Codec() column.Codec[T]
	BlocksOf(ctx context.Context, from, to int64) iter.Seq2[[]T, error]
	BlocksAt(ctx context.Context, numbers []int64) iter.Seq2[[]T, error]
	Extend(ctx context.Context, xs []T) error
}

// kindOf says what form elements of type T have. It makes neither a source nor a sink of a column
// of another type.
func kindOf[T any](formOf func(typ string) *form[T]) kind {
	return kind{
		source: func(ctx context.Context, d column.Dynamic, from, to int64) source {
			c, ok := d.(columnOf[T])
			if !ok {
				return nil
			}
			return newWindow(ctx, c, from, to, formOf(c.Type()))
		},
		sink: func(d column.Dynamic, all *gathered) sink {
			c, ok := d.(columnOf[T])
			if !ok {
				return nil
			}
			return &gathering[T]{c: c, form: formOf(c.Type()), all: all}
		},
	}
}

func always[T any](f *form[T]) func(string) *form[T] { return func(string) *form[T] { return f } }

// kindsOf are the kinds of columns of a type, nullable or not. N is column.Null[T], and null is
// nullForm. The caller, who knows the type, passes them: of column.Null[T], with T a parameter, the
// compiler would make sources and sinks in addition to those of the type.
func kindsOf[T, N any](formOf func(typ string) *form[T],
	null func(func(typ string) *form[T]) func(typ string) *form[N]) []kind {
	return []kind{kindOf(formOf), kindOf(null(formOf))}
}

var kinds = slices.Concat(
	kindsOf(always(intForm), nullForm), kindsOf(always(floatForm), nullForm),
	kindsOf(textForm, nullForm), kindsOf(always(boolForm), nullForm),
	kindsOf(timeForm, nullForm), kindsOf(always(valueForm), nullForm),
	kindsOf(bytesOrVector, nullForm),
	kindsOf(vectorForm[float32], nullForm), kindsOf(vectorForm[float64], nullForm),
	kindsOf(vectorForm[int8], nullForm), kindsOf(vectorForm[int16], nullForm),
	kindsOf(vectorForm[int32], nullForm), kindsOf(vectorForm[int64], nullForm),
	kindsOf(vectorForm[uint16], nullForm), kindsOf(vectorForm[uint32], nullForm),
	kindsOf(vectorForm[uint64], nullForm),
	kindsOf(tensorForm[float32], nullForm), kindsOf(tensorForm[float64], nullForm),
	kindsOf(tensorForm[int8], nullForm), kindsOf(tensorForm[int16], nullForm),
	kindsOf(tensorForm[int32], nullForm), kindsOf(tensorForm[int64], nullForm),
	kindsOf(tensorForm[uint8], nullForm), kindsOf(tensorForm[uint16], nullForm),
	kindsOf(tensorForm[uint32], nullForm), kindsOf(tensorForm[uint64], nullForm),
)

func newSource(ctx context.Context, d column.Dynamic, from, to int64) (source, error) {
	for _, k := range kinds {
		if s := k.source(ctx, d, from, to); s != nil {
			return s, nil
		}
	}
	return nil, unsupported(d.Name(), d.Type())
}

func newSink(d column.Dynamic, all *gathered) (sink, error) {
	for _, k := range kinds {
		if s := k.sink(d, all); s != nil {
			return s, nil
		}
	}
	return nil, unsupported(d.Name(), d.Type())
}

// bytesOrVector tells byte strings from vectors of bytes.
func bytesOrVector(typ string) *form[[]byte] {
	if dimsOf(typ) != nil {
		return vectorForm[uint8](typ)
	}
	return bytesForm(typ)
}
