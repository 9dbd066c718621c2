package exchange

import (
	"context"
	"slices"

	"github.com/kohakuvault/kvault/column"
)

// kind is a type of elements that can be carried.
type kind struct {
	source func(ctx context.Context, d column.Dynamic, from, to int64) source
	sink   func(d column.Dynamic, all *gathered) sink
}

// kindOf says what form elements of type T have. It makes neither a source nor a sink of a column
// of another type.
func kindOf[T any](formOf func(typ string) *form[T]) kind {
	return kind{
		source: func(ctx context.Context, d column.Dynamic, from, to int64) source {
			c, ok := d.(*column.Column[T])
			if !ok {
				return nil
			}
			return newWindow(ctx, c, from, to, formOf(c.Type()))
		},
		sink: func(d column.Dynamic, all *gathered) sink {
			c, ok := d.(*column.Column[T])
			if !ok {
				return nil
			}
			return &gathering[T]{c: c, form: formOf(c.Type()), all: all}
		},
	}
}

func always[T any](f *form[T]) func(string) *form[T] { return func(string) *form[T] { return f } }

// kindsOf are the kinds of columns of a type, nullable or not.
func kindsOf[T any](formOf func(typ string) *form[T]) []kind {
	return []kind{kindOf(formOf), kindOf(nullForm(formOf))}
}

var kinds = slices.Concat(
	kindsOf(always(intForm)), kindsOf(always(floatForm)), kindsOf(textForm), kindsOf(always(boolForm)), kindsOf(timeForm),
	kindsOf(always(valueForm)), kindsOf(bytesOrVector),
	kindsOf(vectorForm[float32]), kindsOf(vectorForm[float64]), kindsOf(vectorForm[int8]), kindsOf(vectorForm[int16]), kindsOf(vectorForm[int32]),
	kindsOf(vectorForm[int64]), kindsOf(vectorForm[uint16]), kindsOf(vectorForm[uint32]), kindsOf(vectorForm[uint64]),
	kindsOf(tensorForm[float32]), kindsOf(tensorForm[float64]), kindsOf(tensorForm[int8]), kindsOf(tensorForm[int16]), kindsOf(tensorForm[int32]),
	kindsOf(tensorForm[int64]), kindsOf(tensorForm[uint8]), kindsOf(tensorForm[uint16]), kindsOf(tensorForm[uint32]), kindsOf(tensorForm[uint64]),
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
