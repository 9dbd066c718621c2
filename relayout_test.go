package kvault_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/mem"
)

// What is in the cache is moved too, and what is written later goes by the vault's own limit.
func TestRelayout(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "v.kv")
	v, err := kvault.Open(ctx, path, &kvault.Options{OneRowLimit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if err := v.EnableCache(ctx, nil); err != nil {
		t.Fatal(err)
	}
	value := bytes.Repeat([]byte("x"), 5000)
	entry, err := v.PutWith(ctx, "k", value, &kvault.PutOptions{User: map[string]string{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	count := func(to engine.Layout) (n int) {
		t.Helper()
		err := v.Relayout(ctx, to, func(r engine.Relayout) {
			if n++; r.Err != nil || r.Key != "k" || r.Size != 5000 {
				t.Errorf("%+v", r)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	chunked := func() string {
		t.Helper()
		s, err := v.Stats(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return s.Detail["values in chunks"]
	}
	for _, c := range []struct {
		to   engine.Layout
		want int
	}{{engine.OneRow, 1}, {engine.OneRow, 0}, {engine.Chunks, 1}, {engine.Chunks, 0}} {
		if n := count(c.to); n != c.want {
			t.Errorf("layout %d: %d values, want %d; %s in chunks", c.to, n, c.want, chunked())
		}
	}
	got, err := v.Stat(ctx, "k")
	if err != nil || got.Tag != entry.Tag || got.Checksum != entry.Checksum || !got.ModTime.Equal(entry.ModTime) || got.User["a"] != "b" {
		t.Errorf("%+v, was %+v, %v", got, entry, err)
	}
	if got, err := v.Get(ctx, "k"); err != nil || !bytes.Equal(got, value) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	defer lock(t, v)()
	if err := v.Put(ctx, "pending", value); err != nil {
		t.Fatal(err)
	}
	if err := v.Relayout(ctx, engine.OneRow, nil); !errors.Is(err, kvault.ErrBusy) {
		t.Errorf("with a locked cache: %v", err)
	}
}

// With the largest limit, streams above the default one are kept in one row.
func TestMaxOneRowLimit(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "v.kv")
	v, err := kvault.Open(ctx, path, &kvault.Options{OneRowLimit: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	const size = 65 << 20
	if _, err := v.PutReader(ctx, "k", bytes.NewReader(make([]byte, size)), nil); err != nil {
		t.Fatal(err)
	}
	err = v.Relayout(ctx, engine.OneRow, func(r engine.Relayout) { t.Errorf("was in chunks: %+v", r) })
	if err != nil {
		t.Error(err)
	}
	if _, err := kvault.Open(ctx, path, &kvault.Options{OneRowLimit: engine.MaxOneRow + 1}); !errors.Is(err, kvault.ErrInvalid) {
		t.Errorf("a limit above the largest: %v", err)
	}
}

func TestRelayoutThatCannotBe(t *testing.T) {
	ctx := t.Context()
	v := newOn(t, mem.New(), nil)
	if err := v.Relayout(ctx, engine.OneRow, nil); !errors.Is(err, kvault.ErrUnsupported) {
		t.Errorf("an engine without layouts: %v", err)
	}
	if err := v.Close(); err != nil {
		t.Error(err)
	}
	if err := v.Relayout(ctx, engine.OneRow, nil); !errors.Is(err, kvault.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	path := filepath.Join(t.TempDir(), "v.kv")
	for _, o := range []*kvault.Options{nil, {ReadOnly: true}} {
		v, err := kvault.Open(ctx, path, o)
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Relayout(ctx, engine.OneRow, nil); o != nil && !errors.Is(err, kvault.ErrReadOnly) || o == nil && err != nil {
			t.Errorf("%+v: %v", o, err)
		}
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	}
}
