package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/mem"
)

// unreadable is a store whose values cannot be opened.
type unreadable struct {
	engine.Transactor
	err error
}

func (u *unreadable) Open(context.Context, string) (engine.Blob, error) { return nil, u.err }

// damaged is a store whose values are not what they were stored as.
type damaged struct{ engine.Transactor }

func (d damaged) Open(ctx context.Context, key string) (engine.Blob, error) {
	b, err := d.Transactor.Open(ctx, key)
	return damagedBlob{b}, err
}

type damagedBlob struct{ engine.Blob }

func (damagedBlob) ReadOn(context.Context, []byte, int64) (int, error) { return 0, engine.ErrCorrupt }

func TestExportWhenTheVaultFails(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		code int
	}{
		"busy ends it":                        {engine.ErrBusy, exitBusy},
		"one damaged value does not":          {engine.ErrCorrupt, exitSome},
		"a key deleted meanwhile is no error": {engine.ErrNotFound, 0},
	} {
		t.Run(name, func(t *testing.T) {
			store := mem.New()
			if _, err := store.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "k", Value: []byte("v")}}); err != nil {
				t.Fatal(err)
			}
			a, errs := memApp(&unreadable{store, tt.err})
			dir := filepath.Join(t.TempDir(), "out")
			if code := a.run(t.Context(), []string{"-f", "v", "export", "", dir}); code != tt.code {
				t.Errorf("exit code %d, not %d: %s", code, tt.code, errs)
			}
			left, err := os.ReadDir(dir)
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func TestGetOfDamagedValue(t *testing.T) {
	store := mem.New()
	if _, err := store.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "k", Value: []byte("v")}}); err != nil {
		t.Fatal(err)
	}
	a, _ := memApp(damaged{store})
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	if code := a.run(t.Context(), []string{"-f", "v", "get", "k", file}); code != exitCorrupt {
		t.Errorf("exit code %d", code)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "old" {
		t.Errorf("the file is %q, %v", got, err)
	}
}

func TestDirCacheReopens(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a/x", "a/y", "b/x", "top"} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	dirs := &dirCache{root: root}
	for _, name := range []string{"a/x", "a/y", "b/x", "top", "a/x"} {
		d, base, err := dirs.at(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := d.ReadFile(base); err != nil || string(got) != name {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, _, err := dirs.at("none/x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such directory: %v", err)
	}
	if err := dirs.close(); err != nil {
		t.Error(err)
	}
	if err := dirs.close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}

func TestFileMode(t *testing.T) {
	for text, want := range map[string]os.FileMode{"0644": 0o644, "0000": 0, "4755": 0o755, "777": 0o777} {
		got, ok := fileMode(kvault.Entry{User: map[string]string{modeMeta: text}})
		if !ok || got != want {
			t.Errorf("mode %q: %v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "rw-r--r--", "-1", "0999"} {
		if _, ok := fileMode(kvault.Entry{User: map[string]string{modeMeta: text}}); ok {
			t.Errorf("mode %q is one", text)
		}
	}
}
