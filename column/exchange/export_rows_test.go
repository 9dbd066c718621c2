package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/column/exchange"
)

// Rows are written in the order that ExportOptions.Rows gives, whatever lies between them and
// however long elements are.
func TestExportOfRows(t *testing.T) {
	ctx := t.Context()
	v, err := kvault.Open(ctx, ":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	const length = 30_000
	n, err := column.Create(ctx, v, "n", column.Int64, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := column.Create(ctx, v, "s", column.String, nil)
	if err != nil {
		t.Fatal(err)
	}
	ints, texts := make([]int64, length), make([]string, length)
	for i := range ints {
		ints[i], texts[i] = int64(i), strings.Repeat("x", i%300)
	}
	if err := errors.Join(n.Extend(ctx, ints), s.Extend(ctx, texts)); err != nil {
		t.Fatal(err)
	}
	var some []int64
	for i := int64(0); i < length; i += 1 + i%7*i%5 {
		some = append(some, i)
	}
	down := slices.Clone(some)
	slices.Reverse(down)
	failed := errors.New("no more")
	for name, rows := range map[string][]int64{"none": nil, "up": some, "down": down, "twice": {5, 5, 0, 29_999}, "fails": {1, -1}} {
		var buf bytes.Buffer
		got, err := exchange.Export(ctx, v, &buf, exchange.Lines, []string{"n", "s"}, &exchange.ExportOptions{
			Rows: func(_ context.Context, _ *kvault.Tx, all int64) iter.Seq2[int64, error] {
				if all != length {
					t.Errorf("%d rows", all)
				}
				return func(yield func(int64, error) bool) {
					for _, row := range rows {
						if row < 0 {
							yield(-1, failed)
							return
						}
						if !yield(row, nil) {
							return
						}
					}
				}
			},
		})
		if name == "fails" {
			if !errors.Is(err, failed) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		var want strings.Builder
		for _, row := range rows {
			fmt.Fprintf(&want, "%d\t%s\n", row, texts[row])
		}
		if err != nil || got != int64(len(rows)) || buf.String() != want.String() {
			t.Errorf("%s: %d rows, %v", name, got, err)
		}
	}
}
