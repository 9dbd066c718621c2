//go:build unix

package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// A vault that was removed while it was open can be backed up by way of a connection that is open.
// Without one the error says what happened.
func TestBackupOfRemoved(t *testing.T) {
	for _, connected := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "v.kv")
		rw := open(t, path, nil)
		put(t, rw, "k", noise(2<<20))
		if err := rw.Close(); err != nil {
			t.Fatal(err)
		}
		s := open(t, path, &sqlite.Options{ReadOnly: true})
		if connected {
			if err := must[engine.Blob](t)(s.Open(t.Context(), "k")).Close(); err != nil {
				t.Fatal(err)
			}
		}
		for _, suffix := range []string{"", "-wal", "-shm"} {
			if err := os.Remove(path + suffix); err != nil {
				t.Fatal(err)
			}
		}
		err := s.Backup(t.Context(), path+".copy", nil)
		switch {
		case !connected && !errors.Is(err, engine.ErrMoved):
			t.Errorf("%v, want ErrMoved", err)
		case connected && err != nil:
			t.Error(err)
		case connected:
			if got := must[[]byte](t)(open(t, path+".copy", nil).Get(t.Context(), "k")); len(got) != 2<<20 {
				t.Errorf("%d bytes", len(got))
			}
		}
	}
}
