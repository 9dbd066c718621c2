package sqlite_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// backedUp makes a vault with a key k, a backup of it, and then changes the vault.
func backedUp(t *testing.T) (s *sqlite.Store, path, backup string, want []byte) {
	t.Helper()
	dir := t.TempDir()
	path, backup = filepath.Join(dir, "v.kv"), filepath.Join(dir, "backup.kv")
	s = open(t, path, nil)
	want = noise(1 << 20)
	put(t, s, "k", want)
	if err := s.Backup(t.Context(), backup, nil); err != nil {
		t.Fatal(err)
	}
	put(t, s, "k", []byte("newer"))
	put(t, s, "later", noise(1<<20))
	return s, path, backup, want
}

// A restore takes the place of a vault that was killed, whatever state its files are in, and leaves
// nothing of its log and journal.
func TestRestore(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, path string){
		"with its log":      func(*testing.T, string) {},
		"with a journal":    func(t *testing.T, path string) { writeFile(t, path+"-journal", noise(4096)) },
		"not a database":    func(t *testing.T, path string) { writeFile(t, path, noise(10000)) },
		"empty":             func(t *testing.T, path string) { writeFile(t, path, nil) },
		"cut off":           func(t *testing.T, path string) { must[any](t)(nil, os.Truncate(path, 5000)) },
		"gone, not its log": func(t *testing.T, path string) { must[any](t)(nil, os.Remove(path)) },
	} {
		t.Run(name, func(t *testing.T) {
			_, path, backup, want := backedUp(t)
			path = killed(t, path)
			spoil(t, path)
			var done, total int64
			o := &sqlite.RestoreOptions{Progress: func(d, n int64) { done, total = d, n }}
			if err := sqlite.Restore(t.Context(), path, backup, o); err != nil {
				t.Fatal(err)
			}
			if done != total || total == 0 {
				t.Errorf("progress ended at %d of %d", done, total)
			}
			expectFiles(t, filepath.Dir(path), "v.kv")
			expectOnly(t, open(t, path, nil), "k", want)
		})
	}
}

// What the log of a backup holds for it is restored, too: it may be a vault that was killed itself.
func TestRestoreFromKilledVault(t *testing.T) {
	_, path, _, _ := backedUp(t)
	from, to := killed(t, path), filepath.Join(t.TempDir(), "new.kv")
	if err := sqlite.Restore(t.Context(), to, from, nil); err != nil {
		t.Fatal(err)
	}
	if n := must[int64](t)(open(t, to, nil).Count(t.Context(), engine.Range{})); n != 2 {
		t.Errorf("%d keys, want 2", n)
	}
}

// A restore that is refused changes nothing.
func TestRestoreRefused(t *testing.T) {
	t.Parallel()
	damaged := func(t *testing.T, backup string) {
		f := must[*os.File](t)(os.OpenFile(backup, os.O_RDWR, 0))
		defer f.Close()
		info := must[fs.FileInfo](t)(f.Stat())
		must[int](t)(f.WriteAt([]byte("damage"), info.Size()/2))
	}
	for name, c := range map[string]struct {
		spoil func(t *testing.T, backup string)
		want  error
	}{
		"damaged":        {damaged, engine.ErrCorrupt},
		"cut off":        {func(t *testing.T, backup string) { must[any](t)(nil, os.Truncate(backup, 100000)) }, engine.ErrCorrupt},
		"not a database": {func(t *testing.T, backup string) { writeFile(t, backup, noise(10000)) }, engine.ErrCorrupt},
		"no vault": {func(t *testing.T, backup string) {
			must[any](t)(nil, os.Remove(backup))
			foreign(t, backup, `CREATE TABLE t(a)`)
		}, engine.ErrNoVault},
		"gone": {func(t *testing.T, backup string) { must[any](t)(nil, os.Remove(backup)) }, fs.ErrNotExist},
		"a folder": {func(t *testing.T, backup string) {
			must[any](t)(nil, errors.Join(os.Remove(backup), os.Mkdir(backup, 0o700)))
		}, engine.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			_, path, backup, _ := backedUp(t)
			path = killed(t, path)
			c.spoil(t, backup)
			if err := sqlite.Restore(t.Context(), path, backup, nil); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			expectFiles(t, filepath.Dir(path), "v.kv", "v.kv-wal")
			if n := must[int64](t)(open(t, path, nil).Count(t.Context(), engine.Range{})); n != 2 {
				t.Errorf("%d keys in the vault, want its 2", n)
			}
		})
	}
}

func TestRestoreOntoOpenVault(t *testing.T) {
	s, path, backup, _ := backedUp(t)
	o := &sqlite.RestoreOptions{BusyTimeout: -1}
	if err := sqlite.Restore(t.Context(), path, backup, o); !errors.Is(err, engine.ErrBusy) {
		t.Errorf("%v, want ErrBusy", err)
	}
	if err := sqlite.Restore(t.Context(), path, path, o); !errors.Is(err, engine.ErrInvalid) {
		t.Errorf("onto itself: %v, want ErrInvalid", err)
	}
	if n := must[int64](t)(s.Count(t.Context(), engine.Range{})); n != 2 {
		t.Errorf("%d keys, want 2", n)
	}
	put(t, s, "after", []byte("v"))
}

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
