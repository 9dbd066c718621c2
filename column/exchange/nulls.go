package exchange

import (
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/kohakuvault/kvault/column"
)

// nullForm is the form of elements that may be missing, of that of those that are there. In text a
// null is nothing: the formats have to tell it from an element that is empty, see source.null and
// sink.addText.
func nullForm[T any](formOf func(typ string) *form[T]) func(typ string) *form[column.Null[T]] {
	return func(typ string) *form[column.Null[T]] {
		of := formOf(strings.TrimSuffix(typ, ":null"))
		there := func(x T, err error) (column.Null[T], error) { return column.Null[T]{V: x, Valid: err == nil}, err }
		f := &form[column.Null[T]]{
			text:   func(dst []byte, x column.Null[T]) []byte { return appendThere(dst, x, "", of.text) },
			json:   func(dst []byte, x column.Null[T]) []byte { return appendThere(dst, x, "null", of.json) },
			quoted: of.quoted,
			picky:  of.picky,
			nulls:  true,
			null:   func(x column.Null[T]) bool { return !x.Valid },
			arrow:  of.arrow,
			build:  func(b array.Builder, xs []column.Null[T]) { buildNulls(b, xs, of.build) },
			parse:  func(text string) (column.Null[T], error) { return there(of.parse(text)) },
			fromJSON: func(v any) (x column.Null[T], err error) {
				if v == nil {
					return x, nil
				}
				return there(of.fromJSON(v))
			},
			fromArrow: func(a arrow.Array, i int) (x column.Null[T], err error) {
				if isNull(a, i) {
					return x, nil
				}
				return there(of.fromArrow(a, i))
			},
			size: func(x column.Null[T]) int { return of.size(x.V) },
		}
		if of.values != nil {
			f.take = takingNulls(of.values)
		}
		if of.refuse != nil {
			f.refuse = func(x column.Null[T]) error {
				if !x.Valid {
					return nil
				}
				return of.refuse(x.V)
			}
		}
		return f
	}
}

// takingNulls takes elements that may be null.
func takingNulls[T any](values func(arrow.Array, int, int) ([]T, int)) func([]column.Null[T], arrow.Array, int, int) ([]column.Null[T], int, bool) {
	return func(dst []column.Null[T], a arrow.Array, from, n int) ([]column.Null[T], int, bool) {
		if n == 0 {
			return dst, 0, false
		}
		some := a.NullN() > 0
		xs, bytes := values(a, from, n)
		for i, x := range xs {
			if some && a.IsNull(from+i) {
				dst = append(dst, column.Null[T]{})
			} else {
				dst = append(dst, column.Null[T]{V: x, Valid: true})
			}
		}
		return dst, bytes, xs != nil
	}
}

func appendThere[T any](dst []byte, x column.Null[T], null string, text func([]byte, T) []byte) []byte {
	if !x.Valid {
		return append(dst, null...)
	}
	return text(dst, x.V)
}

// buildNulls builds those that are there and lie side by side at once.
func buildNulls[T any](b array.Builder, xs []column.Null[T], build func(array.Builder, []T)) {
	var run []T
	for _, x := range xs {
		if x.Valid {
			run = append(run, x.V)
			continue
		}
		build(b, run)
		run = run[:0]
		b.AppendNull()
	}
	build(b, run)
}
