package exchange_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"slices"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/column/exchange"
)

// Where the schema says that there are no nulls, Infer reads no values.
func TestInferReadsNoValuesWithoutNulls(t *testing.T) {
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
	for i := range int64(1000) {
		if err := plain.Append(ctx, i); err != nil {
			t.Fatal(err)
		}
	}
	var file bytes.Buffer
	if _, err := exchange.Export(ctx, v, &file, exchange.Parquet, []string{"plain"}, nil); err != nil {
		t.Fatal(err)
	}
	b := file.Bytes()
	footer := int(binary.LittleEndian.Uint32(b[len(b)-8:]))
	clear(b[4 : len(b)-8-footer])
	found, err := exchange.Infer(ctx, bytes.NewReader(b), exchange.Parquet, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 || found[0].Type != "i64" {
		t.Errorf("found %+v", found)
	}
}

// Where the footer counts nulls, Infer reads no values either, and finds what it finds by reading
// them.
func TestInferBelievesCountsOfNulls(t *testing.T) {
	b, err := os.ReadFile("testdata/types.parquet")
	if err != nil {
		t.Fatal(err)
	}
	columns := exchange.ImportOptions{Columns: []string{"i8", "i64", "f32"}}
	want, err := exchange.Infer(t.Context(), bytes.NewReader(b), exchange.Parquet, &exchange.InferOptions{ImportOptions: columns, Rows: 1000})
	if err != nil {
		t.Fatal(err)
	}
	footer := int(binary.LittleEndian.Uint32(b[len(b)-8:]))
	clear(b[4 : len(b)-8-footer])
	found, err := exchange.Infer(t.Context(), bytes.NewReader(b), exchange.Parquet, &exchange.InferOptions{ImportOptions: columns})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 3 || !slices.Equal(found, want) {
		t.Errorf("found %+v, want %+v", found, want)
	}
}

// So it is with the counts that Export writes.
func TestInferBelievesCountsOfExport(t *testing.T) {
	v := open(t)
	none := make([]column.Null[int64], 1000)
	for i := range none {
		none[i] = column.Null[int64]{V: int64(i), Valid: true}
	}
	some := slices.Clone(none)
	some[999] = column.Null[int64]{}
	nullable := column.Nullable(column.Int64)
	fill(t, v, "none", nullable, none...)
	fill(t, v, "some", nullable, some...)
	var file bytes.Buffer
	_, err := exchange.Export(t.Context(), v, &file, exchange.Parquet, []string{"none", "some"}, nil)
	must(t, err)
	b := file.Bytes()
	footer := int(binary.LittleEndian.Uint32(b[len(b)-8:]))
	clear(b[4 : len(b)-8-footer])
	found, err := exchange.Infer(t.Context(), bytes.NewReader(b), exchange.Parquet, nil)
	want := []exchange.Inferred{{Name: "none", Type: "i64"}, {Name: "some", Type: "i64:null"}}
	if err != nil || !slices.Equal(found, want) {
		t.Errorf("found %+v, %v", found, err)
	}
}
