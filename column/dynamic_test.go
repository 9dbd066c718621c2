package column_test

import (
	"fmt"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

func TestDynamic(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		ctx := t.Context()
		for typ, want := range map[string]string{
			"i64": "*column.Column[int64] i64", "f64": "*column.Column[float64] f64", "bytes:7": "*column.Column[[]uint8] bytes:7",
			"bytes": "*column.Column[[]uint8] bytes", "str": "*column.Column[string] str:utf8", "str:utf8": "*column.Column[string] str:utf8",
			"string:UTF-16LE": "*column.Column[string] str:utf16le", "str:iso-8859-1": "*column.Column[string] str:latin1",
			"str:32": "*column.Column[string] str:32:utf8", "str:+08:ascii": "*column.Column[string] str:8:ascii", "bytes:4:more": "*column.Column[[]uint8] bytes:4",
			"msgpack": "*column.Column[interface {}] msgpack", "messagepack:64": "*column.Column[interface {}] msgpack:64",
			"cbor": "*column.Column[interface {}] cbor", "cbor:64": "*column.Column[interface {}] cbor:64",
			"vector:float32:3": "*column.Column[[]float32] vec:f32:3", "vec:u8:2:3": "*column.Column[[]uint8] vec:u8:2:3",
			"vec:f64": "*column.Column[github.com/kohakuvault/kvault/column.Tensor[float64]] vec:f64", "vec:int16:1": "*column.Column[[]int16] vec:i16:1",
			"bool": "*column.Column[bool] bytes:1:bool", "bytes:1:bool": "*column.Column[bool] bytes:1:bool", "bytes:2:bool": "*column.Column[[]uint8] bytes:2",
			"date": "*column.Column[time.Time] i64:date", "i64:date": "*column.Column[time.Time] i64:date",
			"timestamp": "*column.Column[time.Time] i64:timestamp:us", "timestamp:ns": "*column.Column[time.Time] i64:timestamp:ns",
			"timestamp:s:utc": "*column.Column[time.Time] i64:timestamp:s:utc", "i64:timestamp:ms:utc": "*column.Column[time.Time] i64:timestamp:ms:utc",
			"i64:timestamp": "*column.Column[int64] i64", "i64:timestamp:h": "*column.Column[int64] i64", "i64:more": "*column.Column[int64] i64",
		} {
			made, err := column.CreateAny(ctx, v, typ, typ, nil)
			must(t, err)
			opened, err := column.OpenAny(ctx, v, typ)
			must(t, err)
			for _, d := range []column.Dynamic{made, opened} {
				if got := fmt.Sprintf("%T %s", d, d.Type()); got != want || d.Name() != typ {
					t.Errorf("%s is a %s named %s, want %s", typ, got, d.Name(), want)
				}
				if n, err := d.Len(ctx); n != 0 || err != nil {
					t.Errorf("%d elements, %v", n, err)
				}
			}
			_, err = column.CreateAny(ctx, v, typ, typ, nil)
			wantErr(t, err, kvault.ErrExists)
		}
		for _, bad := range []string{"", "i32", "bytes:", "bytes:0", "bytes:-1", "bytes:x", "str:latin9", "str:0", "str:-1", "str:8:utf8:x", "str:utf8:8",
			"msgpack:0", "cbor:x", "vec", "vec:f16", "vec:f32:0", "vec:f32:3:x", "vec:f64:1099511627776:1099511627776"} {
			_, err := column.CreateAny(ctx, v, "bad", bad, nil)
			wantErr(t, err, kvault.ErrUnsupported)
		}
		_, err := column.OpenAny(ctx, v, "bad")
		wantErr(t, err, kvault.ErrNotFound)
		must(t, v.Update(ctx, func(tx *kvault.Tx) error {
			d, err := column.CreateAny(ctx, tx, "fresh", "i64", nil)
			must(t, err)
			must(t, d.(*column.Column[int64]).Append(ctx, 1))
			d, err = column.OpenAny(ctx, tx, "fresh")
			must(t, err)
			if n, err := d.Len(ctx); n != 1 || err != nil {
				t.Errorf("%d elements, %v", n, err)
			}
			return nil
		}))
	})
}

// A column of a type that is not known here is listed, but not opened.
func TestUnknownType(t *testing.T) {
	path := newPath(t)
	script(t, path, metaOf021, chunksOf040, `INSERT INTO col_meta VALUES(1, 'odd', 'complex128', 16, 0, 16, 16, 16)`)
	v := openFile(t, path)
	_, err := column.OpenAny(t.Context(), v, "odd")
	wantErr(t, err, kvault.ErrUnsupported)
	list, err := column.List(t.Context(), v)
	must(t, err)
	wantSlice(t, list, column.Info{Name: "odd", Type: "complex128", Size: 16})
}

func TestKnownType(t *testing.T) {
	for typ, want := range map[string]bool{
		"i64": true, "str": true, "string": true, "str:utf-8": true, "str:4:latin1": true, "bytes:5": true, "vec:f32": true, "vec:float32:2:3": true,
		"msgpack:10": true, "": false, "i65": false, "i64:i64": false, "bytes:5:6": false, "bytes:0": false, "vec": false, "vec:f32:0": false,
		"vec:f32:x": false, "str:ebcdic": false, "age:i64": false, "bool": true, "date": true, "timestamp": true, "timestamp:ns": true, "timestamp:us:utc": true, "i64:timestamp:us:utc": true,
		"bytes:1:bool": true, "i64:date": true, "i64:timestamp": false, "timestamp:h": false, "timestamp:utc": false, "date:utc": false, "bool:1": false,
		"timestamp:us:utc:x": false, ":i64": false, "vec:f64:1000000:1000000": false,
	} {
		if got := column.KnownType(typ); got != want {
			t.Errorf("%q: %v", typ, got)
		}
	}
}
