package exchange_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/column/exchange"
)

// Where the footer tells of nulls, Infer reads no values.
func TestInferReadsNullsInFooter(t *testing.T) {
	ctx := t.Context()
	v, err := kvault.Open(ctx, t.TempDir()+"/v.kv", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	plain, err := column.Create(ctx, v, "plain", column.Int64, nil)
	if err != nil {
		t.Fatal(err)
	}
	sparse, err := column.Create(ctx, v, "sparse", column.Nullable(column.Int64), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range int64(1000) {
		if err := plain.Append(ctx, i); err != nil {
			t.Fatal(err)
		}
		if err := sparse.Append(ctx, column.Null[int64]{V: i, Valid: i != 999}); err != nil {
			t.Fatal(err)
		}
	}
	var file bytes.Buffer
	if _, err := exchange.Export(ctx, v, &file, exchange.Parquet, []string{"plain", "sparse"}, nil); err != nil {
		t.Fatal(err)
	}
	b := file.Bytes()
	footer := int(binary.LittleEndian.Uint32(b[len(b)-8:]))
	clear(b[4 : len(b)-8-footer])
	found, err := exchange.Infer(ctx, bytes.NewReader(b), exchange.Parquet, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 2 || found[0].Type != "i64" || found[1].Type != "i64:null" {
		t.Errorf("found %+v", found)
	}
}
