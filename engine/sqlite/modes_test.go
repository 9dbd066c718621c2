//go:build unix

package sqlite_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// What lies beside a vault may be read and written by those who may do so with the vault, whatever the umask.
func TestModesOfWhatLiesBeside(t *testing.T) {
	old := syscall.Umask(0o022)
	defer syscall.Umask(old)
	for _, mode := range []fs.FileMode{0o600, 0o640, 0o666} {
		for _, o := range []*sqlite.Options{nil, {DisableWAL: true}} {
			path := filepath.Join(t.TempDir(), "v.kv")
			open(t, path, o).Close()
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			s := open(t, path, o)
			beside := []string{"-wal", "-shm"}
			if o != nil {
				beside = []string{"-journal"}
			}
			tx := must[engine.Tx](t)(s.Begin(t.Context(), true)) // a journal lasts as long as its transaction
			if _, err := tx.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "k", Value: noise(4 << 20)}}); err != nil {
				t.Fatal(err)
			}
			for _, suffix := range beside {
				wantMode(t, path+suffix, mode)
			}
			if err := tx.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := s.Backup(t.Context(), path+".copy", func(int64, int64) {
				for _, partial := range must[[]string](t)(filepath.Glob(path + ".copy.*")) {
					wantMode(t, partial, mode)
				}
			}); err != nil {
				t.Fatal(err)
			}
			wantMode(t, path+".copy", mode)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			salvaged := path + ".salvaged"
			if _, err := sqlite.Salvage(t.Context(), path, salvaged, nil); err != nil {
				t.Fatal(err)
			}
			wantMode(t, salvaged, mode)
		}
	}
}

func wantMode(t *testing.T, path string, want fs.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Error(err)
		return
	}
	if got := info.Mode().Perm(); got != want {
		t.Errorf("%s has mode %o, want %o", filepath.Base(path), got, want)
	}
}

// What root makes beside the vault of another user belongs to that user, who could not go on otherwise.
func TestRootGivesTheLogToTheOwner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give files away")
	}
	const other = 65534
	for _, o := range []*sqlite.Options{nil, {DisableWAL: true}, {ReadOnly: true}} {
		path := filepath.Join(t.TempDir(), "v.kv")
		open(t, path, nil).Close()
		if err := os.Chown(path, other, other); err != nil {
			t.Fatal(err)
		}
		s := open(t, path, o)
		if err := s.Backup(t.Context(), path+".copy", nil); err != nil {
			t.Fatal(err)
		}
		beside := []string{".copy", "-wal", "-shm"}
		if o == nil || !o.ReadOnly {
			tx := must[engine.Tx](t)(s.Begin(t.Context(), true))
			defer tx.Rollback()
			if _, err := tx.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "k", Value: noise(4 << 20)}}); err != nil {
				t.Fatal(err)
			}
		}
		if o != nil && o.DisableWAL {
			beside = []string{".copy", "-journal"}
		}
		for _, suffix := range beside {
			info := must[fs.FileInfo](t)(os.Stat(path + suffix))
			if sys := info.Sys().(*syscall.Stat_t); sys.Uid != other || sys.Gid != other {
				t.Errorf("%s belongs to %d:%d", info.Name(), sys.Uid, sys.Gid)
			}
		}
	}
}
