package column_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/mem"
)

func TestCreateOpenListDrop(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		ctx := t.Context()
		if list, err := column.List(ctx, v); err != nil || len(list) != 0 {
			t.Errorf("List of a new vault: %v, %v", list, err)
		}
		_, err := column.Open(ctx, v, "ids", column.Int64)
		wantErr(t, err, kvault.ErrNotFound)
		ids := create(t, v, "ids", column.Int64, nil)
		if ids.Name() != "ids" {
			t.Errorf("Name is %q", ids.Name())
		}
		names := create(t, v, "names", column.String, nil)
		create(t, v, "hash", column.FixedBytes(32), nil)
		must(t, ids.Append(ctx, 1))
		must(t, names.Extend(ctx, []string{"a", "b"}))
		list, err := column.List(ctx, v)
		must(t, err)
		want := []column.Info{{Name: "ids", Type: "i64", Len: 1, Size: 8}, {Name: "names", Type: "str:utf8", Len: 2}, {Name: "hash", Type: "bytes:32", Size: 32}}
		if diff := cmp.Diff(want, list); diff != "" {
			t.Errorf("List (-want +got):\n%s", diff)
		}
		must(t, column.Drop(ctx, v, "names"))
		must(t, column.Drop(ctx, v, "ids"))
		wantErr(t, column.Drop(ctx, v, "ids"), kvault.ErrNotFound)
		wantErr(t, names.Append(ctx, "c"), kvault.ErrNotFound)
		_, err = ids.Len(ctx)
		wantErr(t, err, kvault.ErrNotFound)
		if list, err := column.List(ctx, v); err != nil || len(list) != 1 {
			t.Errorf("List: %v, %v", list, err)
		}
		again := create(t, v, "names", column.Bytes, nil)
		holds(t, again, nil)
		ensured, err := column.Ensure(ctx, v, "names", column.Bytes, nil)
		must(t, err)
		must(t, ensured.Append(ctx, []byte("x")))
		holds(t, again, [][]byte{[]byte("x")})
		fresh, err := column.Ensure(ctx, v, "fresh", column.Float64, &column.Options{MaxChunk: 8})
		must(t, err)
		must(t, fresh.Extend(ctx, []float64{1, 2}))
		holds(t, fresh, []float64{1, 2})
	})
}

func TestWrongType(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		ctx := t.Context()
		create(t, v, "i64", column.Int64, nil)
		create(t, v, "bytes", column.Bytes, nil)
		create(t, v, "bytes:4", column.FixedBytes(4), nil)
		for _, name := range []string{"i64", "bytes", "bytes:4"} {
			for want, open := range map[string]func() error{
				"f64":      func() error { _, err := column.Open(ctx, v, name, column.Float64); return err },
				"str:utf8": func() error { _, err := column.Open(ctx, v, name, column.String); return err },
				"bytes:5":  func() error { _, err := column.Ensure(ctx, v, name, column.FixedBytes(5), nil); return err },
			} {
				err := open()
				wantErr(t, err, kvault.ErrInvalid)
				var te *column.TypeError
				if !errors.As(err, &te) || te.Column != name || te.Type != name || te.Want != want {
					t.Errorf("%s opened as %s: %+v", name, want, te)
				}
				if text := err.Error(); !strings.Contains(text, " "+name+",") || !strings.Contains(text, want) {
					t.Errorf("the error does not name both types: %v", err)
				}
			}
		}
	})
}

func TestNames(t *testing.T) {
	onEngines(t, func(t *testing.T, v *kvault.Vault) {
		ctx := t.Context()
		for _, name := range []string{"", "\xff", "a\x00b", strings.Repeat("x", 256)} {
			_, err := column.Create(ctx, v, name, column.Int64, nil)
			wantErr(t, err, kvault.ErrInvalid)
		}
		create(t, v, `odd'"; DROP TABLE col_meta; é`, column.Int64, nil)
		create(t, v, "v", column.Bytes, nil)
		create(t, v, "w_idx", column.Int64, nil)
		for _, name := range []string{"v", "v_data", "v_idx"} {
			_, err := column.Create(ctx, v, name, column.Int64, nil)
			if err == nil {
				t.Errorf("%s was made beside v", name)
			}
		}
		_, err := column.Create(ctx, v, "v", column.String, nil)
		wantErr(t, err, kvault.ErrExists)
		_, err = column.Create(ctx, v, "w", column.String, nil)
		wantErr(t, err, kvault.ErrExists)
		if _, err := column.Open(ctx, v, "w_data", column.Bytes); !errors.Is(err, kvault.ErrNotFound) {
			t.Errorf("a failed Create left something: %v", err)
		}
		wantErr(t, column.Drop(ctx, v, "v_data"), kvault.ErrInvalid)
		wantErr(t, column.Drop(ctx, v, "v_idx"), kvault.ErrInvalid)
		w, err := column.Open(ctx, v, "w_idx", column.Int64)
		must(t, err)
		must(t, w.Append(ctx, 1))
	})
}

func TestOptions(t *testing.T) {
	v, ctx := newOn(t, mem.New()), t.Context()
	for _, o := range []column.Options{
		{MinChunk: -1}, {MaxChunk: -1}, {MinChunk: 100, MaxChunk: 50}, {MaxChunk: 1 << 30}, {MinChunk: 4, MaxChunk: 7},
	} {
		_, err := column.Create(ctx, v, "c", column.Int64, &o)
		wantErr(t, err, kvault.ErrInvalid)
	}
	for _, o := range []column.Options{{}, {MinChunk: 20 << 20}, {MaxChunk: 100}, {MinChunk: 9, MaxChunk: 9}} {
		c := create(t, v, "c", column.Int64, &o)
		must(t, c.Extend(ctx, numbers(0, 50)))
		holds(t, c, numbers(0, 50))
		must(t, column.Drop(ctx, v, "c"))
	}
}

func TestEnsureInManyPlacesAtOnce(t *testing.T) {
	path := newPath(t)
	vaults := []*kvault.Vault{openFile(t, path), openFile(t, path)}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			c, err := column.Ensure(t.Context(), vaults[i%2], "c", column.String, nil)
			if err == nil {
				err = c.Append(t.Context(), "x")
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	c, err := column.Open(t.Context(), vaults[0], "c", column.String)
	must(t, err)
	if n, err := c.Len(t.Context()); n != 8 || err != nil {
		t.Errorf("Len is %d, %v", n, err)
	}
}

// bare is an engine whose transactions have no arrays.
type bare struct{ engine.Transactor }

func (b bare) Begin(ctx context.Context, writable bool) (engine.Tx, error) {
	tx, err := b.Transactor.Begin(ctx, writable)
	return struct{ engine.Tx }{tx}, err
}

func TestEngineWithoutArrays(t *testing.T) {
	v, ctx := newOn(t, bare{mem.New()}), t.Context()
	_, err := column.Create(ctx, v, "c", column.Int64, nil)
	wantErr(t, err, kvault.ErrUnsupported)
	_, err = column.Open(ctx, v, "c", column.Int64)
	wantErr(t, err, kvault.ErrUnsupported)
	_, err = column.List(ctx, v)
	wantErr(t, err, kvault.ErrUnsupported)
	wantErr(t, column.Drop(ctx, v, "c"), kvault.ErrUnsupported)
}
