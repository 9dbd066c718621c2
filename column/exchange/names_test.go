package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/column/exchange"
)

// A name may have a colon: only what is a type is taken for one.
func TestNamesWithColons(t *testing.T) {
	for _, typed := range []bool{false, true} {
		v, ctx := open(t), t.Context()
		fill(t, v, "user", column.Int64, 1)
		fill(t, v, "user:age", column.Int64, 40)
		fill(t, v, "user:age:vec", column.Vector[uint8](2), []byte{1, 2})
		var out bytes.Buffer
		names := []string{"user", "user:age", "user:age:vec"}
		_, err := exchange.Export(ctx, v, &out, exchange.CSV, names, &exchange.ExportOptions{TypedNames: typed})
		must(t, err)
		for _, fresh := range []bool{false, true} {
			if fresh {
				if !typed {
					continue
				}
				v = open(t)
			}
			n, err := exchange.Import(ctx, v, bytes.NewReader(out.Bytes()), exchange.CSV, nil)
			if err != nil || n != 1 {
				t.Errorf("typed %v, fresh %v: %d rows, %v", typed, fresh, n, err)
				continue
			}
			ages := content(t, v, "user:age", column.Int64)
			if ages[len(ages)-1] != 40 {
				t.Errorf("ages %v", ages)
			}
		}
	}
}

// What the first object does not have would be lost without a word.
func TestMoreKeysInALaterObject(t *testing.T) {
	const rows = `{"a":1,"b":2}` + "\n" + `{"a":3,"b":4,"c":5}`
	types := map[string]string{"a": "i64", "b": "i64", "c": "i64"}
	_, err := exchange.Import(t.Context(), open(t), strings.NewReader(rows), exchange.NDJSON, &exchange.ImportOptions{Types: types})
	if !errors.Is(err, kvault.ErrInvalid) || !strings.Contains(err.Error(), "row 2") || !strings.Contains(err.Error(), `"c"`) {
		t.Errorf("error %v", err)
	}
	v := open(t)
	_, err = exchange.Import(t.Context(), v, strings.NewReader(rows), exchange.NDJSON, &exchange.ImportOptions{Types: types, Columns: []string{"a"}})
	must(t, err)
	if got := content(t, v, "a", column.Int64); len(got) != 2 || got[1] != 3 {
		t.Errorf("%v", got)
	}
}

func TestImportEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	_, err := exchange.Import(ctx, open(t), io.LimitReader(newlines{}, 1<<20), exchange.Lines, &exchange.ImportOptions{
		Columns: []string{"c"}, Types: map[string]string{"c": "bytes"}, Progress: func(int64) { calls++; cancel() }})
	if !errors.Is(err, context.Canceled) || calls != 1 {
		t.Errorf("%d steps, error %v", calls, err)
	}
}
