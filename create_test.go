package kvault_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
)

func TestCreate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	err := kvault.Create(t.Context(), path, nil, func(v *kvault.Vault) error {
		if _, err := os.Lstat(path); err == nil {
			t.Error("the file has its name before it is complete")
		}
		return v.Put(t.Context(), "k", []byte("value"))
	})
	if err != nil {
		t.Fatal(err)
	}
	wantOnly(t, path)
	v, err := kvault.Open(t.Context(), path, &kvault.Options{MustExist: true})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if got, err := v.Get(t.Context(), "k"); string(got) != "value" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := v.Check(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

// Nothing is left of a vault that was not completed, and nothing happens to one that is there.
func TestCreateFails(t *testing.T) {
	failure := errors.New("no more input")
	path := filepath.Join(t.TempDir(), "v.kv")
	err := kvault.Create(t.Context(), path, nil, func(v *kvault.Vault) error {
		if err := v.Put(t.Context(), "k", make([]byte, 1<<20)); err != nil {
			t.Error(err)
		}
		return failure
	})
	if !errors.Is(err, failure) {
		t.Errorf("%v, want %v", err, failure)
	}
	wantOnly(t, path, "nothing")

	called := func(*kvault.Vault) error { t.Error("fill was called"); return nil }
	for _, name := range []string{path, path + "-wal"} {
		if err := os.WriteFile(name, []byte("of another"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := kvault.Create(t.Context(), path, nil, called); !errors.Is(err, kvault.ErrExists) {
			t.Errorf("%s is there: %v, want ErrExists", name, err)
		}
		if got, err := os.ReadFile(name); string(got) != "of another" || err != nil {
			t.Errorf("%s has become %q, %v", name, got, err)
		}
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range []kvault.Options{{ChunkSize: -1}, {PageSize: 1000}, {ReadOnly: true}, {MustExist: true}} {
		err := kvault.Create(t.Context(), path, &o, called)
		if !errors.Is(err, kvault.ErrInvalid) || strings.Contains(err.Error(), "partial") {
			t.Errorf("with options %+v: %v, want ErrInvalid", o, err)
		}
	}
	for _, path := range []string{"", ":memory:"} {
		if err := kvault.Create(t.Context(), path, nil, called); !errors.Is(err, kvault.ErrInvalid) {
			t.Errorf("path %q: %v, want ErrInvalid", path, err)
		}
	}
	wantOnly(t, path, "nothing")
	if err := kvault.Create(t.Context(), filepath.Join(path, "v.kv"), nil, called); err == nil {
		t.Error("a vault was made in a folder that is not there")
	}
}

// wantOnly fails unless the folder of path holds nothing but that file, or nothing at all.
func wantOnly(t *testing.T, path string, nothing ...string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1-len(nothing) {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
}
