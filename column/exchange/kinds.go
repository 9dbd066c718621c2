package exchange

import (
	"context"

	"github.com/kohakuvault/kvault/column"
)

// kind is a type of elements that can be carried.
type kind struct {
	source func(ctx context.Context, d column.Dynamic, from, to int64) source
	sink   func(d column.Dynamic, all *gathered) sink
}

// kindOf says what form elements of type T have. It makes neither a source nor a sink of a column of another type.
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

var kinds = []kind{
	kindOf(always(intForm)), kindOf(always(floatForm)), kindOf(always(textForm)), kindOf(always(valueForm)), kindOf(bytesOrVector),
	kindOf(vectorForm[float32]), kindOf(vectorForm[float64]), kindOf(vectorForm[int8]), kindOf(vectorForm[int16]), kindOf(vectorForm[int32]),
	kindOf(vectorForm[int64]), kindOf(vectorForm[uint16]), kindOf(vectorForm[uint32]), kindOf(vectorForm[uint64]),
	kindOf(tensorForm[float32]), kindOf(tensorForm[float64]), kindOf(tensorForm[int8]), kindOf(tensorForm[int16]), kindOf(tensorForm[int32]),
	kindOf(tensorForm[int64]), kindOf(tensorForm[uint8]), kindOf(tensorForm[uint16]), kindOf(tensorForm[uint32]), kindOf(tensorForm[uint64]),
}

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
