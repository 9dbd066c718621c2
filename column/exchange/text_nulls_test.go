package exchange_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/column/exchange"
)

func there[T any](x T) column.Null[T] { return column.Null[T]{V: x, Valid: true} }

// Null, the empty text and the text that stands for null are told apart, whatever stands for it,
// also in a file of one column.
func TestNullIsNotEmptyText(t *testing.T) {
	texts := []column.Null[string]{there(""), {}, there("NA"), there("null"), there(`""`), {}, there("x")}
	floats := []column.Null[float64]{{}, there(1.0), there(-1.5), {}, there(0.0), {}, {}}
	for _, f := range []exchange.Format{exchange.CSV, exchange.TSV, exchange.NDJSON} {
		for _, null := range []string{"", "NA", "null", "1.0", `\N`, " "} {
			for _, names := range [][]string{{"s"}, {"f"}, {"s", "f"}} {
				from, to := open(t), open(t)
				fill(t, from, "s", column.Nullable(column.String), texts...)
				fill(t, from, "f", column.Nullable(column.Float64), floats...)
				var file bytes.Buffer
				_, err := exchange.Export(t.Context(), from, &file, f, names, &exchange.ExportOptions{Null: null})
				must(t, err)
				text := file.String()
				n, err := exchange.Import(t.Context(), to, &file, f, &exchange.ImportOptions{Null: null, Types: map[string]string{"s": "str:null", "f": "f64:null"}})
				if err != nil || n != 7 {
					t.Errorf("%s with %q for null: %d rows, %v\n%s", f, null, n, err, text)
					continue
				}
				diff := ""
				if names[0] == "s" {
					diff += cmp.Diff(texts, content(t, to, "s", column.Nullable(column.String)))
				}
				if names[len(names)-1] == "f" {
					diff += cmp.Diff(floats, content(t, to, "f", column.Nullable(column.Float64)))
				}
				if diff != "" {
					t.Errorf("%s with %q for null: %s\n%s", f, null, diff, text)
				}
			}
		}
	}
}

// Where a column holds no nulls, the text that was chosen for null is refused, and an empty field
// is an empty text or nothing that fits.
func TestNullWhereThereIsNone(t *testing.T) {
	for _, tt := range []struct{ in, null, typ, says string }{
		{"c\nNA\n", "NA", "str", `"NA" stands for null`},
		{"c\nNA\n", "NA", "f64", `"NA" stands for null`},
		{"c\n\n", "", "f64", ":null"},
		{"c\n\n", "", "str", ""},
		{"c\n\"NA\"\n", "NA", "str", ""},
	} {
		_, err := exchange.Import(t.Context(), open(t), strings.NewReader(tt.in), exchange.CSV, &exchange.ImportOptions{Null: tt.null, Types: map[string]string{"c": tt.typ}})
		if tt.says == "" && err != nil || tt.says != "" && (!errors.Is(err, kvault.ErrInvalid) || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), "row 1")) {
			t.Errorf("%q: error %v", tt.in, err)
		}
	}
	v := open(t)
	_, err := exchange.Import(t.Context(), v, strings.NewReader("1\tx\n\t-\n-\t\n"), exchange.Lines, &exchange.ImportOptions{Null: "-", Columns: []string{"n", "s"},
		Types: map[string]string{"n": "str:null", "s": "str:null"}})
	must(t, err)
	if diff := cmp.Diff([]column.Null[string]{there("1"), there(""), {}}, content(t, v, "n", column.Nullable(column.String))); diff != "" {
		t.Error(diff)
	}
	var out strings.Builder
	_, err = exchange.Export(t.Context(), v, &out, exchange.Lines, []string{"n", "s"}, &exchange.ExportOptions{Null: "-", Delimiter: ';'})
	must(t, err)
	if out.String() != "1;x\n;-\n-;\n" {
		t.Errorf("%q", out.String())
	}
}
