package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
)

func TestMedia(t *testing.T) {
	ctx, folder, vault := t.Context(), t.TempDir(), filepath.Join(t.TempDir(), "media.kv")
	film := bytes.Repeat([]byte("film"), 600_000)
	for name, content := range map[string][]byte{"a/cat.jpg": []byte("cat"), "a/film.mp4": film, "empty": nil} {
		name = filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, first := range []string{"3 files added; ", "0 files added; "} {
		var out strings.Builder
		if err := run(ctx, vault, folder, &out); err != nil {
			t.Fatal(err)
		}
		want := first + "3 files of 2400003 bytes in all\nlarge: a/film.mp4, 2400000 bytes, under the key blob:1\n"
		if out.String() != want {
			t.Errorf("it says\n%swant\n%s", out.String(), want)
		}
	}
	v, err := kvault.Open(ctx, vault, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if got, err := v.Get(ctx, "blob:1"); err != nil || !bytes.Equal(got, film) {
		t.Errorf("the film has %d bytes, %v", len(got), err)
	}
	if err := run(ctx, vault, filepath.Join(folder, "missing"), &strings.Builder{}); err == nil {
		t.Error("a missing folder is no error")
	}
}
