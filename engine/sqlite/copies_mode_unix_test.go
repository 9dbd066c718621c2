//go:build unix

package sqlite_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/kohakuvault/kvault/engine/sqlite"
)

// What is made of a vault is for the same people.
func TestCopiesKeepModeAndOwner(t *testing.T) {
	for _, mode := range []os.FileMode{0o600, 0o640, 0o666} {
		dir := t.TempDir()
		path := filepath.Join(dir, "v.kv")
		s := open(t, path, nil)
		put(t, s, "k", []byte("v"))
		owner := os.Getuid()
		if owner == 0 {
			owner = 12345
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, owner, -1); err != nil {
			t.Fatal(err)
		}
		backup, restored, salvaged := filepath.Join(dir, "b.kv"), filepath.Join(dir, "r.kv"), filepath.Join(dir, "s.kv")
		if err := s.Backup(t.Context(), backup, nil); err != nil {
			t.Fatal(err)
		}
		if err := sqlite.Restore(t.Context(), restored, backup, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := sqlite.Salvage(t.Context(), backup, salvaged, nil); err != nil {
			t.Fatal(err)
		}
		expectMode(t, owner, mode, backup, restored, salvaged)
		// A vault that is restored keeps its own.
		if err := os.Chmod(restored, 0o604); err != nil {
			t.Fatal(err)
		}
		if err := sqlite.Restore(t.Context(), restored, backup, nil); err != nil {
			t.Fatal(err)
		}
		expectMode(t, owner, 0o604, restored)
	}
}

func expectMode(t *testing.T, owner int, mode os.FileMode, paths ...string) {
	t.Helper()
	for _, path := range paths {
		info := must[os.FileInfo](t)(os.Stat(path))
		if uid := int(info.Sys().(*syscall.Stat_t).Uid); info.Mode().Perm() != mode || uid != owner {
			t.Errorf("%s has mode %v and owner %d, want %v and %d", filepath.Base(path), info.Mode(), uid, mode, owner)
		}
	}
}
