package replicate_test

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/mem"
	"github.com/kohakuvault/kvault/internal/replicate"
	"github.com/kohakuvault/kvault/internal/singletest"
)

// oneOp is a store that makes one change at a time and keeps no columns.
type oneOp struct{ engine.Store }

var _ engine.EachApplier = oneOp{}

func (s oneOp) Apply(ctx context.Context, ops []engine.Op) ([]engine.Result, error) {
	if err := engine.CheckSingle(ops); err != nil {
		return nil, err
	}
	return s.Store.Apply(ctx, ops)
}

func (s oneOp) ApplyEach(ctx context.Context, ops []engine.Op) ([]engine.Result, []error) {
	results, errs := make([]engine.Result, len(ops)), make([]error, len(ops))
	for i := range ops {
		res, err := s.Store.Apply(ctx, ops[i:i+1])
		if errs[i] = err; err == nil {
			results[i] = res[0]
		}
	}
	return results, errs
}

func vaultOf(t testing.TB, s engine.Store) *kvault.Vault {
	t.Helper()
	v, err := kvault.New(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

func fileVault(t testing.TB) *kvault.Vault {
	t.Helper()
	v, err := kvault.Open(context.Background(), filepath.Join(t.TempDir(), "v.kv"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

func memVault(t testing.TB) *kvault.Vault    { return vaultOf(t, mem.New()) }
func singleVault(t testing.TB) *kvault.Vault { return vaultOf(t, singletest.Of(mem.New())) }

// keyVault is a vault that keeps no columns.
func keyVault(t testing.TB) *kvault.Vault { return vaultOf(t, oneOp{mem.New()}) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func put(t testing.TB, v *kvault.Vault, key, value string) {
	t.Helper()
	must(t, v.Put(t.Context(), key, []byte(value)))
}

// fillKeys stores values of many kinds.
func fillKeys(t testing.TB, v *kvault.Vault) {
	t.Helper()
	for _, key := range []string{
		"a", "a/b", "a/b.txt", "\x00", "\x00\xff", "\xff\xfe", "ü", " ", "a\nb", "..", "/", "p/x", "p/y", "q",
	} {
		put(t, v, key, "value of "+key)
	}
	put(t, v, "empty", "")
	_, err := v.PutWith(t.Context(), "described", []byte("v"), &kvault.PutOptions{
		ContentType: "text/x-own; a=b", ModTime: time.Date(1999, 1, 2, 3, 4, 5, 6, time.UTC),
		User: map[string]string{"mode": "0644", "": "ü"},
	})
	must(t, err)
	_, err = v.PutWith(t.Context(), "plain", []byte("v"), &kvault.PutOptions{ContentType: kvault.NoContentType})
	must(t, err)
	for i, size := range []int{1 << 20, 1<<20 + 1, 1<<20 + 17} {
		put(t, v, fmt.Sprint("large", i), string(bytes.Repeat([]byte{byte(i), 1, 2}, size/3+1)[:size]))
	}
}

// elementsOf are elements of each type, as a vault stores them.
var elementsOf = map[string][]string{
	"i64": {"12345678", "\x00\x00\x00\x00\x00\x00\x00\x80"}, "f64": {"\x00\x00\x00\x00\x00\x00\xf8\x7f"},
	"bool": {"\x00", "\x01"}, "date": {"\x01\x00\x00\x00\x00\x00\x00\x00"},
	"timestamp:ns:utc": {"\x01\x00\x00\x00\x00\x00\x00\x00"}, "bytes": {"", "a", "bcd"},
	"bytes:3": {"abc", "\x00\x00\x00"}, "str": {"", "ü"}, "str:utf16le": {"a\x00"},
	"str:8": {"a\x00\x00\x00\x00\x00\x00\x00"}, "vec:u8:2": {"\x05ab"}, "vec:u8": {"\x05\x01\x02\x00\x00\x00ab", "\x05\x00a"},
	"msgpack": {"\xc0", "\xa1a"}, "cbor": {"\xf6", "\x61a"},
}

// fillColumns makes a column of each type, and its nullable kind.
func fillColumns(t testing.TB, v *kvault.Vault) {
	t.Helper()
	for typ, some := range elementsOf {
		for _, kind := range []string{"", ":null"} {
			name := "t/" + typ + kind
			_, err := column.CreateAny(t.Context(), v, name, typ+kind, nil)
			must(t, err)
			appendStored(t, v, name, slices.Repeat(some, 3)...)
		}
	}
	_, err := column.CreateAny(t.Context(), v, "none", "i64", nil)
	must(t, err)
}

func appendStored(t testing.TB, v *kvault.Vault, name string, xs ...string) {
	t.Helper()
	d, err := column.OpenStored(t.Context(), v, name)
	must(t, err)
	var plain [][]byte
	var nullable []column.Null[[]byte] // with a null before each
	for _, x := range xs {
		plain = append(plain, []byte(x))
		nullable = append(nullable, column.Null[[]byte]{}, column.Null[[]byte]{V: []byte(x), Valid: true})
	}
	switch c := d.(type) {
	case *column.Column[[]byte]:
		err = c.Extend(t.Context(), plain)
	case *column.Column[column.Null[[]byte]]:
		err = c.Extend(t.Context(), nullable)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// contents are all entries, values and columns of a vault.
func contents(t testing.TB, v *kvault.Vault) map[string]any {
	t.Helper()
	all := map[string]any{}
	for it, err := range v.Items(t.Context(), nil) {
		must(t, err)
		all["key "+it.Key] = it
	}
	list, err := column.List(t.Context(), v)
	if err != nil {
		return all // it has none
	}
	for i, info := range list {
		d, err := column.OpenStored(t.Context(), v, info.Name)
		must(t, err)
		switch c := d.(type) {
		case *column.Column[[]byte]:
			xs, err := c.Slice(t.Context(), 0, info.Len)
			must(t, err)
			all["column "+info.Name] = []any{i, info, xs}
		case *column.Column[column.Null[[]byte]]:
			xs, err := c.Slice(t.Context(), 0, info.Len)
			must(t, err)
			all["column "+info.Name] = []any{i, info, xs}
		}
	}
	return all
}

func wantEqual(t testing.TB, got, want map[string]any) {
	t.Helper()
	for name, x := range want {
		if y, ok := got[name]; !ok {
			t.Errorf("%.60q is missing", name)
		} else if !reflect.DeepEqual(x, y) {
			t.Errorf("%.60q differs: %.200v, want %.200v", name, fmt.Sprint(y), fmt.Sprint(x))
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%.60q is too much", name)
		}
	}
}

// replica copies once, and wants no error.
func replica(t testing.TB, from, to *kvault.Vault, o replicate.Options) replicate.Counts {
	t.Helper()
	c := copier(t, from, to, o)
	must(t, c.Copy(t.Context()))
	return c.Counts()
}

func copier(t testing.TB, from, to *kvault.Vault, o replicate.Options) *replicate.Copier {
	t.Helper()
	report := o.Report
	o.Report = func(e replicate.Event) error {
		if e.Err != nil {
			t.Logf("%q: %d, %v", e.Key, e.Action, e.Err)
		}
		if report != nil {
			return report(e)
		}
		return nil
	}
	c, err := replicate.New(from, to, o)
	must(t, err)
	return c
}
