package sqlite_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

func TestBackup(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "v.kv"), &sqlite.Options{OneRowLimit: 1 << 20})
	put(t, s, "small", []byte("v"))
	put(t, s, "big", noise(3<<20))
	to := filepath.Join(dir, "copy.kv")
	wrote := false
	if err := s.Backup(t.Context(), to, func(done, total int64) {
		if !wrote {
			wrote = true
			put(t, s, "later", noise(1<<20)) // a writer in the middle of it
		}
		if done < 0 || done > total {
			t.Errorf("progress %d of %d", done, total)
		}
	}); err != nil {
		t.Fatal(err)
	}
	c := open(t, to, nil)
	if n := must[int64](t)(c.Count(t.Context(), engine.Range{})); n != 2 {
		t.Errorf("%d keys in the copy, want the 2 that were there when it began", n)
	}
	if err := c.Check(t.Context(), func(p engine.Problem) { t.Errorf("%+v", p) }, nil); err != nil {
		t.Error(err)
	}
	if err := s.Backup(t.Context(), to, nil); !errors.Is(err, engine.ErrExists) {
		t.Errorf("onto a file: %v", err)
	}
	if err := s.Backup(t.Context(), filepath.Join(dir, "none", "x"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("into no folder: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := s.Backup(ctx, filepath.Join(dir, "half.kv"), func(int64, int64) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "half*"))
	if err != nil || len(left) > 0 {
		t.Errorf("a cancelled backup left %v", left)
	}
}

func TestShrink(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, &sqlite.Options{OneRowLimit: 1 << 20})
	put(t, s, "keep", []byte("v"))
	put(t, s, "big", noise(20<<20))
	if _, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Delete, Key: "big"}}); err != nil {
		t.Fatal(err)
	}
	n := must[int64](t)(s.Shrink(t.Context(), time.Minute))
	if n < 19<<20 {
		t.Errorf("gave back %d bytes", n)
	}
	if info, err := os.Stat(path); err != nil || info.Size() > 2<<20 {
		t.Errorf("the file has %d bytes, %v", info.Size(), err)
	}
	python := filepath.Join(t.TempDir(), "py.db")
	foreign(t, python, foreignSchemas[0].sql...)
	p := open(t, python, nil)
	if _, err := p.Shrink(t.Context(), time.Second); !errors.Is(err, engine.ErrUnsupported) {
		t.Errorf("without auto-vacuum: %v", err)
	}
	if err := p.Optimize(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Shrink(t.Context(), time.Second); err != nil {
		t.Errorf("after Optimize: %v", err)
	}
}
