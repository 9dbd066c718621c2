package exchange

import (
	"database/sql"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// nullForm is the form of elements that may be missing, of that of those that are there. In text a null is nothing: the formats have to tell
// it from an element that is empty, see source.null and sink.addNull.
func nullForm[T any](formOf func(typ string) *form[T]) func(typ string) *form[sql.Null[T]] {
	return func(typ string) *form[sql.Null[T]] {
		of := formOf(strings.TrimSuffix(typ, ":null"))
		there := func(x T, err error) (sql.Null[T], error) { return sql.Null[T]{V: x, Valid: err == nil}, err }
		f := &form[sql.Null[T]]{
			text:   func(dst []byte, x sql.Null[T]) []byte { return appendThere(dst, x, "", of.text) },
			json:   func(dst []byte, x sql.Null[T]) []byte { return appendThere(dst, x, "null", of.json) },
			quoted: of.quoted,
			picky:  of.picky,
			nulls:  true,
			null:   func(x sql.Null[T]) bool { return !x.Valid },
			arrow:  of.arrow,
			build:  func(b array.Builder, xs []sql.Null[T]) { buildNulls(b, xs, of.build) },
			parse:  func(text string) (sql.Null[T], error) { return there(of.parse(text)) },
			fromJSON: func(v any) (x sql.Null[T], err error) {
				if v == nil {
					return x, nil
				}
				return there(of.fromJSON(v))
			},
			fromArrow: func(a arrow.Array, i int) (x sql.Null[T], err error) {
				if a.IsNull(i) {
					return x, nil
				}
				return there(of.fromArrow(a, i))
			},
			size: func(x sql.Null[T]) int { return of.size(x.V) },
		}
		if of.refuse != nil {
			f.refuse = func(x sql.Null[T]) error {
				if !x.Valid {
					return nil
				}
				return of.refuse(x.V)
			}
		}
		return f
	}
}

func appendThere[T any](dst []byte, x sql.Null[T], null string, text func([]byte, T) []byte) []byte {
	if !x.Valid {
		return append(dst, null...)
	}
	return text(dst, x.V)
}

// buildNulls builds those that are there and lie side by side at once.
func buildNulls[T any](b array.Builder, xs []sql.Null[T], build func(array.Builder, []T)) {
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
