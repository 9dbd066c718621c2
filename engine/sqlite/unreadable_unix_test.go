//go:build unix

package sqlite_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault/engine/sqlite"
)

// An error that a file cannot be opened names that file, which may be another than the vault's.
func TestFileThatCannotBeOpenedIsNamed(t *testing.T) {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		dir := t.TempDir()
		path := filepath.Join(dir, "v.kv")
		s := open(t, path, nil)
		put(t, s, "k", noise(100_000))
		files := map[string][]byte{}
		for _, of := range []string{"", "-wal", "-shm"} {
			files[of] = must[[]byte](t)(os.ReadFile(path + of))
		}
		other := filepath.Join(t.TempDir(), "v.kv")
		writeFiles(t, other, files)
		for of := range files {
			mode := fs.FileMode(0o666)
			if of == suffix {
				mode = 0o000
			}
			if err := os.Chmod(other+of, mode); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(os.Chmod(filepath.Dir(other), 0o777), os.Chmod(filepath.Dir(filepath.Dir(other)), 0o755)); err != nil {
			t.Fatal(err)
		}
		t.Run("v.kv"+suffix, func(t *testing.T) {
			if os.Getuid() == 0 {
				becomeStranger(t)
			}
			got, err := sqlite.Open(t.Context(), other, nil)
			if err == nil {
				got.Close()
			}
			if err == nil || !strings.Contains(err.Error(), "v.kv"+suffix+": permission denied") {
				t.Errorf("%v, want an error that names %s", err, "v.kv"+suffix)
			}
		})
	}
}
