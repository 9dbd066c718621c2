//go:build unix

package kvault_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/kohakuvault/kvault"
)

// What is in the cache when the file is moved away stays there, Close says so, and all is written
// once the file is back.
func TestCacheOutlivesAMove(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "v.kv")
	v, err := kvault.Open(ctx, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.EnableCache(ctx, nil); err != nil {
		t.Fatal(err)
	}
	if err := v.Put(ctx, "k", []byte("v")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".moved"); err != nil {
		t.Fatal(err)
	}
	if _, err := v.FlushCache(ctx); !errors.Is(err, kvault.ErrMoved) {
		t.Errorf("flush: %v", err)
	}
	if _, err := v.PutReader(ctx, "stream", bytes.NewReader(make([]byte, 3<<20)), nil); !errors.Is(err, kvault.ErrMoved) {
		t.Errorf("stream: %v", err)
	}
	if err := v.Close(); !errors.Is(err, kvault.ErrMoved) {
		t.Errorf("close: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file was made: %v", err)
	}
	if err := os.Rename(path+".moved", path); err != nil {
		t.Fatal(err)
	}
	if got, err := v.Get(ctx, "k"); err != nil || string(got) != "v" {
		t.Errorf("%q, %v", got, err)
	}
	if err := v.Close(); err != nil {
		t.Fatalf("back in its place: %v", err)
	}
	v, err = kvault.Open(ctx, path, &kvault.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if got, err := v.Get(ctx, "k"); err != nil || string(got) != "v" {
		t.Errorf("%q, %v", got, err)
	}
}
