package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// A program may open the vault the moment that the restored file is there. The log that it makes,
// open or left by a crash, is not the old one.
func TestRestoreKeepsNewLog(t *testing.T) {
	s, path, _, _ := backedUp(t)
	for what, path := range map[string]string{"open": path, "killed": killed(t, path)} {
		if err := sqlite.RemoveOldLog(path); err != nil {
			t.Fatal(what, err)
		}
		if log := must[os.FileInfo](t)(os.Stat(path + "-wal")); log.Size() == 0 {
			t.Errorf("%s: the log is empty", what)
		}
		if got := must[[]byte](t)(open(t, path, nil).Get(t.Context(), "k")); string(got) != "newer" {
			t.Errorf("%s: %d bytes", what, len(got))
		}
	}
	put(t, s, "k", []byte("newest"))
}

// The log of a vault is no vault, nor is one put or restored in its place.
func TestNamesOfOtherVaultsFilesAreRefused(t *testing.T) {
	s, path, backup, _ := backedUp(t)
	for _, suffix := range []string{"-wal", "-shm", "-journal"} {
		if _, err := sqlite.Open(t.Context(), path+suffix, nil); !errors.Is(err, engine.ErrInvalid) {
			t.Errorf("open %s: %v", suffix, err)
		}
		if err := sqlite.Restore(t.Context(), path+suffix, backup, nil); !errors.Is(err, engine.ErrInvalid) {
			t.Errorf("restore %s: %v", suffix, err)
		}
	}
	put(t, s, "after", nil)
	open(t, filepath.Join(t.TempDir(), "a-wal"), nil) // of no vault
}
