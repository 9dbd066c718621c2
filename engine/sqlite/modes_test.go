//go:build unix

package sqlite_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// SQLite's other files of a vault may be read and written by those who may do so with the vault,
// whatever the umask.
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
				for _, partial := range must[[]string](t)(filepath.Glob(path + ".copy.*.partial")) {
					wantMode(t, partial, 0o600) // until it is complete
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

// A file that root makes for the vault of another user belongs to that user, who could not go on
// otherwise.
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

// What a store for reading had to make it removes, unless another process uses it, or it was there
// before.
func TestReadingLeavesNoLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, nil)
	put(t, s, "k", nil)
	read := func(want bool) {
		t.Helper()
		ro := must[*sqlite.Store](t)(sqlite.Open(t.Context(), path, &sqlite.Options{ReadOnly: true}))
		must[[]byte](t)(ro.Get(t.Context(), "k"))
		if err := ro.Close(); err != nil {
			t.Error(err)
		}
		for _, suffix := range []string{"-wal", "-shm"} {
			if _, err := os.Stat(path + suffix); (err == nil) != want {
				t.Errorf("%s: %v", suffix, err)
			}
		}
	}
	read(true) // of the writer
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	read(false)
	// The log that a reader made is used by a writer, which goes on after the reader.
	ro := must[*sqlite.Store](t)(sqlite.Open(t.Context(), path, &sqlite.Options{ReadOnly: true}))
	s = open(t, path, nil)
	put(t, s, "l", noise(100_000))
	if err := ro.Close(); err != nil {
		t.Error(err)
	}
	put(t, s, "m", nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, path, nil)
	for _, key := range []string{"l", "m"} {
		must[[]byte](t)(again.Get(t.Context(), key))
	}
}

// A file without a vault gets no log, either, when it is opened for reading and refused.
func TestRefusingLeavesNoLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	open(t, path, nil).Close()
	if _, err := sqlite.Open(t.Context(), path, &sqlite.Options{ReadOnly: true, Table: "none"}); !errors.Is(err, engine.ErrNoVault) {
		t.Fatalf("opened for reading: %v, want %v", err, engine.ErrNoVault)
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if _, err := os.Stat(path + suffix); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", suffix, err)
		}
	}
}
