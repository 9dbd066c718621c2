package kvault_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"mime"
	"path/filepath"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
)

func TestPutReplaces(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
		put(t, v, "a", "1", "a", "22")
		wantGet(t, v, "a", "22")
		if err := v.Put(t.Context(), "a", nil); err != nil {
			t.Fatal(err)
		}
		wantGet(t, v, "a", "")
		if n, err := v.Len(t.Context()); err != nil || n != 1 {
			t.Errorf("Len = %d, %v", n, err)
		}
	})
}

func TestContentType(t *testing.T) {
	png := "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
	for _, c := range []struct{ name, key, value, given, want string }{
		{"given", "a.png", png, "text/x-own", "text/x-own"},
		{"extension", "dir.d/a.html", "no markup", "", "text/html; charset=utf-8"},
		{"first bytes", "a", png, "", "image/png"},
		{"extension in capitals", "A.HTML", png, "", "text/html; charset=utf-8"},
		{"dot file", ".html", png, "", "image/png"},
		{"dot file in a folder", "a.css/.js", png, "", "image/png"},
		{"folder", "a.css/", png, "", "image/png"},
		{"graph in a .dot file", "a.dot", "digraph { a -> b }", "", "text/plain; charset=utf-8"},
		{"document in a .dot file", "a.dot", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "", "application/x-ole-storage"},
		{"unknown extension", "a.nosuchthing", png, "", "image/png"},
		{"bytes of no known type", "a", "\x01\x02\x03", "", "application/octet-stream"},
		{"empty value", "a", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
				e, err := v.PutWith(t.Context(), c.key, []byte(c.value), &kvault.PutOptions{ContentType: c.given})
				if err != nil || e.ContentType != c.want {
					t.Errorf("content type %q, %v; want %q", e.ContentType, err, c.want)
				}
			})
		})
	}
}

// TestContentTypesAreTheSameEverywhere: the tables of this machine have types for these, which
// others need not have.
func TestContentTypesAreTheSameEverywhere(t *testing.T) {
	if err := errors.Join(mime.AddExtensionType(".nosuchthing", "x/ours"), mime.AddExtensionType(".png", "x/ours")); err != nil {
		t.Fatal(err)
	}
	v := newVault(t, quick)
	for key, want := range map[string]string{"a.nosuchthing": "text/plain; charset=utf-8", "a.png": "image/png"} {
		if e, err := v.PutWith(t.Context(), key, []byte("text"), nil); err != nil || e.ContentType != want {
			t.Errorf("%s: content type %q, %v; want %q", key, e.ContentType, err, want)
		}
	}
}

func TestModTime(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
		before := time.Now()
		e, err := v.PutWith(t.Context(), "a", nil, nil)
		if err != nil || e.ModTime.Before(before.Round(0)) || e.ModTime.After(time.Now()) || e.ModTime.Location() != time.UTC {
			t.Errorf("default time %v, %v", e.ModTime, err)
		}
		given := time.Date(2001, 2, 3, 4, 5, 6, 789, time.FixedZone("x", 3600))
		if e, err = v.PutWith(t.Context(), "a", nil, &kvault.PutOptions{ModTime: given}); err != nil || !e.ModTime.Equal(given) {
			t.Errorf("given time %v came back as %v, %v", given, e.ModTime, err)
		}
	})
}

func TestConditionalPut(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
		ctx := t.Context()
		_, err := v.PutWith(ctx, "a", []byte("x"), &kvault.PutOptions{IfTag: "0123456789abcdef"})
		wantErr(t, err, kvault.ErrNotFound)
		if _, err := v.PutWith(ctx, "a", []byte("1"), &kvault.PutOptions{IfAbsent: true}); err != nil {
			t.Fatal(err)
		}
		put(t, v, "a", "2")
		_, err = v.PutWith(ctx, "a", []byte("x"), &kvault.PutOptions{IfAbsent: true})
		wantErr(t, err, kvault.ErrExists)
		_, err = v.PutWith(ctx, "a", []byte("x"), &kvault.PutOptions{IfTag: "0123456789abcdef"})
		wantErr(t, err, kvault.ErrTagMismatch)
		wantGet(t, v, "a", "2")
		e, err := v.Stat(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.PutWith(ctx, "a", []byte("3"), &kvault.PutOptions{IfTag: e.Tag}); err != nil {
			t.Fatal(err)
		}
		wantGet(t, v, "a", "3")
	})
}

func TestPutOptionsAreChecked(t *testing.T) {
	v := newVault(t, nil)
	for name, o := range map[string]kvault.PutOptions{
		"negative size":       {Size: -1},
		"negative chunk":      {ChunkSize: -1},
		"huge chunk":          {ChunkSize: 1 << 30},
		"both conditions":     {IfAbsent: true, IfTag: "x"},
		"another size":        {Size: 4},
		"an empty one's size": {SizeKnown: true},
		"an early time":       {ModTime: time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC)},
		"a late time":         {ModTime: time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC)},
		"a name in bytes":     {User: map[string]string{"\xff": "x"}},
		"metadata in bytes":   {User: map[string]string{"x": "\xff"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := v.PutWith(t.Context(), "a", []byte("123"), &o)
			wantErr(t, err, kvault.ErrInvalid)
			wantMissing(t, v, "a")
		})
	}
	if _, err := v.PutWith(t.Context(), "a", []byte("123"), &kvault.PutOptions{Size: 3}); err != nil {
		t.Error(err)
	}
}

// What no flush could write must not be cached: it would keep everything else from being written
// too.
func TestOddMetadataDoesNotBlockTheCache(t *testing.T) {
	v := openFile(t, filepath.Join(t.TempDir(), "a.kv"), nil)
	enable(t, v, 1000, 1000)
	put(t, v, "before", "1")
	for name, o := range map[string]*kvault.PutOptions{
		"time":  {ModTime: time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC)},
		"bytes": {User: map[string]string{"x": "\xff"}},
		"type":  {ContentType: "\xff\x00"},
	} {
		_, err := v.PutWith(t.Context(), name, nil, o)
		wantErr(t, err, kvault.ErrInvalid)
	}
	put(t, v, "after", "2")
	for name, o := range map[string]*kvault.PutOptions{
		"first day": {ModTime: time.Date(1678, 1, 1, 0, 0, 0, 0, time.UTC)},
		"last day":  {ModTime: time.Date(2261, 12, 31, 23, 59, 59, 0, time.UTC)},
		"text":      {User: map[string]string{"x": "a\x00\nb"}},
	} {
		if _, err := v.PutWith(t.Context(), name, nil, o); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n, err := v.FlushCache(t.Context()); n != 5 || err != nil {
		t.Errorf("FlushCache = %d, %v", n, err)
	}
	if e, err := v.Stat(t.Context(), "text"); err != nil || e.User["x"] != "a\x00\nb" {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestPutAll(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
		put(t, v, "a", "old", "z", "stays")
		if err := v.PutAll(t.Context(), maps.All(map[string][]byte{"a": []byte("new"), "b": nil})); err != nil {
			t.Fatal(err)
		}
		wantGet(t, v, "a", "new")
		wantGet(t, v, "b", "")
		wantGet(t, v, "z", "stays")
		if err := v.PutAll(t.Context(), maps.All(map[string][]byte{})); err != nil {
			t.Errorf("PutAll of nothing: %v", err)
		}
		e, err := v.Stat(t.Context(), "a")
		if err != nil || len(e.Tag) != 16 || !e.HasChecksum || e.ContentType == "" {
			t.Errorf("entry %+v, %v", e, err)
		}
	})
}

func TestPutAllIsOneTransaction(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	many(t, v, 3000)
	if got := f.batches(); len(got) != 1 || len(got[0]) != 3000 {
		t.Errorf("%d batches", len(got))
	}
}

func TestPutAllWithABadKeyStoresNothing(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
		err := v.PutAll(t.Context(), func(yield func(string, []byte) bool) {
			_ = yield("a", nil) && yield("", nil) && yield("b", nil)
		})
		wantErr(t, err, kvault.ErrInvalid)
		wantMissing(t, v, "a")
	})
}

func TestPutAllLeavesItsItemsWhenItIsCancelled(t *testing.T) {
	v := newVault(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	seen := 0
	err := v.PutAll(ctx, func(yield func(string, []byte) bool) {
		for seen = 0; seen < 1000 && yield(fmt.Sprint(seen), nil); seen++ {
			cancel()
		}
	})
	wantErr(t, err, context.Canceled)
	if seen > 1 {
		t.Errorf("%d items were taken after the end of the context", seen)
	}
}

func TestPutAllFailsAsAWhole(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	f.fail("apply", -1, errBoom)
	wantErr(t, v.PutAll(t.Context(), maps.All(map[string][]byte{"a": nil, "b": nil})), errBoom)
	var e *kvault.Error
	f.fail("apply", -1, &engine.OpError{Index: 1, Key: "b", Err: errBoom})
	err := v.PutAll(t.Context(), maps.All(map[string][]byte{"a": nil, "b": nil}))
	if !errors.As(err, &e) || e.Key != "b" || err.Error() != `put "b": boom` {
		t.Errorf("%v does not name the key", err)
	}
	f.on(nil)
	f.wantStored(t)
}

// An iterator may use one buffer for all its values, and yield a key twice.
func TestPutAllCopiesAndTakesTheLast(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
		err := v.PutAll(t.Context(), func(yield func(string, []byte) bool) {
			buf := make([]byte, 1)
			for _, p := range []string{"a1", "b2", "a3"} {
				buf[0] = p[1]
				if !yield(p[:1], buf) {
					return
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		wantGet(t, v, "a", "3")
		wantGet(t, v, "b", "2")
	})
}

func TestWritesToAReadOnlyVault(t *testing.T) {
	f := newFaulty()
	v := newOn(t, f, &kvault.Options{ReadOnly: true})
	defer v.Close()
	ctx := t.Context()
	if err := v.EnableCache(ctx, nil); !errors.Is(err, kvault.ErrReadOnly) {
		t.Errorf("EnableCache = %v", err)
	}
	for name, err := range map[string]error{
		"Put":    v.Put(ctx, "a", nil),
		"PutAll": v.PutAll(ctx, maps.All(map[string][]byte{"a": nil})),
		"Delete": func() error { _, err := v.Delete(ctx, "a"); return err }(),
		"Clear":  func() error { _, err := v.Clear(ctx); return err }(),
		"Update": v.Update(ctx, func(*kvault.Tx) error { return nil }),
		"Writer": func() error { _, err := v.NewWriter(ctx, "a", nil); return err }(),
	} {
		if !errors.Is(err, kvault.ErrReadOnly) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n, err := v.Len(ctx); n != 0 || err != nil {
		t.Errorf("Len = %d, %v", n, err)
	}
}
