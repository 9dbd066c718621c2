package cli

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

func TestWriteAtomically(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "sub", "f")
	if err := os.Mkdir(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	when := time.Date(2020, 1, 2, 3, 4, 5, 6, time.UTC)
	text := func(s string, err error) func(io.Writer) error {
		return func(w io.Writer) error {
			_, writing := io.WriteString(w, s)
			return errors.Join(err, writing)
		}
	}
	attrs := fileAttrs{mode: 0o640, hasMode: true, modTime: when, sync: true}
	if err := writeAtomically(root, "sub/f", attrs, text("first", nil)); err != nil {
		t.Fatal(err)
	}
	wantFile(t, name, "first", 0o640, when)

	broken := errors.New("broken")
	if err := writeAtomically(root, "sub/f", fileAttrs{}, text("half", broken)); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	wantFile(t, name, "first", 0o640, when)
	if err := writeAtomically(root, "none/f", fileAttrs{}, text("x", nil)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	if err := writeAtomically(root, "sub", fileAttrs{}, text("x", nil)); err == nil {
		t.Error("a directory was replaced")
	}
	if err := writeAtomically(root, "../out", fileAttrs{}, text("x", nil)); err == nil {
		t.Error("a file outside the root was written")
	}
	for _, d := range []string{dir, filepath.Dir(name)} {
		if left, _ := filepath.Glob(filepath.Join(d, ".kvault-*")); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	}
}

func wantFile(t *testing.T, name, content string, mode fs.FileMode, when time.Time) {
	t.Helper()
	got, err := os.ReadFile(name)
	if err != nil || string(got) != content {
		t.Errorf("content %q, %v", got, err)
	}
	info, err := os.Stat(name)
	if err != nil || info.Mode() != mode || !info.ModTime().Equal(when) {
		t.Errorf("mode %v, time %v, %v", info.Mode(), info.ModTime(), err)
	}
}

func TestLocalName(t *testing.T) {
	for _, key := range []string{"a", "a/b", ".hidden", "...", "a..b", "-x", "with space", "new\nline", "caf\xe9"} {
		if got, err := localName(key); err != nil || filepath.ToSlash(got) != key {
			t.Errorf("localName(%q) = %q, %v", key, got, err)
		}
	}
	for _, key := range []string{"", "/", "/abs", "a/", "a//b", ".", "..", "../a", "a/..", "a/../b", "a/./b", "a\x00b", "\x00"} {
		if got, err := localName(key); err == nil {
			t.Errorf("localName(%q) = %q", key, got)
		}
	}
}

// TestPrivateWhileWritten: nobody reads a file half-written that is not to be read by all.
func TestPrivateWhileWritten(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	attrs := fileAttrs{mode: 0o600, hasMode: true}
	err = writeAtomically(root, "f", attrs, func(io.Writer) error {
		files, err := filepath.Glob(filepath.Join(dir, ".kvault-*"))
		if err != nil || len(files) != 1 {
			t.Fatalf("%q, %v", files, err)
		}
		info, err := os.Stat(files[0])
		if err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("the mode meanwhile is %v", info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
