package column_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

func TestOpenStored(t *testing.T) {
	v, ctx := openFile(t, ":memory:"), t.Context()
	ints, err := column.Create(ctx, v, "ints", column.Int64, nil)
	if err == nil {
		err = ints.Extend(ctx, []int64{1, -1})
	}
	if err != nil {
		t.Fatal(err)
	}
	some, err := column.Create(ctx, v, "some", column.Nullable(column.String), nil)
	if err == nil {
		err = some.Extend(ctx, []column.Null[string]{{V: "a", Valid: true}, {}, {V: "", Valid: true}})
	}
	if err != nil {
		t.Fatal(err)
	}
	d, err := column.OpenStored(ctx, v, "ints")
	if err != nil {
		t.Fatal(err)
	}
	stored := d.(*column.Column[[]byte])
	got, err := stored.Slice(ctx, 0, 2)
	if want := [][]byte{{1, 0, 0, 0, 0, 0, 0, 0}, {255, 255, 255, 255, 255, 255, 255, 255}}; !reflect.DeepEqual(got, want) || err != nil {
		t.Errorf("% x, %v", got, err)
	}
	if d, err = column.OpenStored(ctx, v, "some"); err != nil {
		t.Fatal(err)
	}
	texts, err := d.(*column.Column[column.Null[[]byte]]).Slice(ctx, 0, 3)
	if len(texts) != 3 || string(texts[0].V) != "a" || texts[1].Valid || !texts[2].Valid || len(texts[2].V) != 0 || err != nil {
		t.Errorf("%v, %v", texts, err)
	}
	if _, err := column.OpenStored(ctx, v, "none"); !errors.Is(err, kvault.ErrNotFound) {
		t.Errorf("a column that is not there: %v", err)
	}
}

// What the type of the column cannot be is neither read nor written.
func TestStoredIsChecked(t *testing.T) {
	v, ctx := openFile(t, ":memory:"), t.Context()
	if _, err := column.Create(ctx, v, "c", column.MessagePack[any](), nil); err != nil {
		t.Fatal(err)
	}
	d, err := column.OpenStored(ctx, v, "c")
	if err != nil {
		t.Fatal(err)
	}
	c := d.(*column.Column[[]byte])
	if err := c.Append(ctx, []byte{0xc1}); err == nil {
		t.Error("a byte that MessagePack never uses was appended")
	}
	long := []byte{0xd3, 0, 0, 0, 0, 0, 0, 0, 1} // 1 in eight bytes
	if err := c.Append(ctx, long); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Get(ctx, 0); !reflect.DeepEqual(got, long) || err != nil {
		t.Errorf("% x, %v", got, err)
	}
	values, err := column.Open(ctx, v, "c", column.MessagePack[any]())
	if err != nil {
		t.Fatal(err)
	}
	if x, err := values.Get(ctx, 0); x != int64(1) || err != nil {
		t.Errorf("%v, %v", x, err)
	}
}
