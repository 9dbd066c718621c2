package sqlite_test

import (
	"os"
	"testing"

	"github.com/kohakuvault/kvault/engine/sqlite"
)

// A program may open the vault the moment that the restored file is there. The log that it makes, open or left by a crash, is not the old one.
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

