//go:build unix

package sqlite_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// A file with two names has two logs. Neither is opened, be it for reading, before one name is
// gone.
func TestTwoNamesAreRefused(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one.kv"), filepath.Join(dir, "two.kv")
	open(t, one, nil).Close()
	if err := os.Link(one, two); err != nil {
		t.Skip(err)
	}
	for _, o := range []*sqlite.Options{nil, {ReadOnly: true}, {DisableWAL: true}} {
		for _, path := range []string{one, two} {
			s, err := sqlite.Open(t.Context(), path, o)
			if !errors.Is(err, engine.ErrInvalid) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "remove the other name") {
				t.Errorf("%s with %+v: %v", path, o, err)
			}
			if err == nil {
				s.Close()
			}
		}
	}
	if err := os.Remove(two); err != nil {
		t.Fatal(err)
	}
	put(t, open(t, one, nil), "k", nil)
}

// By a symbolic link the vault has the same log.
func TestLinkSharesTheLog(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "v.kv"), filepath.Join(dir, "sub", "link.kv")
	if err := errors.Join(os.Mkdir(filepath.Dir(link), 0o777), os.Symlink(path, link)); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(t.Context(), link, nil); !errors.Is(err, engine.ErrNoVault) || !strings.Contains(err.Error(), path) {
		t.Errorf("a link to nothing: %v", err)
	}
	a := open(t, path, nil)
	b := open(t, link, nil)
	for range 3 {
		put(t, a, "a", []byte("1"))
		put(t, b, "b", []byte("2"))
	}
	if got := must[[]byte](t)(a.Get(t.Context(), "b")); string(got) != "2" {
		t.Errorf("%q", got)
	}
	if _, err := os.Stat(link + "-wal"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a log beside the link: %v", err)
	}
	// The link leads elsewhere now, where the next one looks for the vault.
	other := filepath.Join(dir, "other.kv")
	open(t, other, nil).Close()
	if err := errors.Join(os.Remove(link), os.Symlink(other, link)); err != nil {
		t.Fatal(err)
	}
	if err := tryPut(t, b, "k"); !errors.Is(err, engine.ErrMoved) {
		t.Errorf("put by a link that leads elsewhere: %v", err)
	}
	if err := errors.Join(os.Remove(link), os.Symlink(path, link)); err != nil {
		t.Fatal(err)
	}
}

func tryPut(t *testing.T, s *sqlite.Store, key string) error {
	_, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: key, Value: []byte(key)}})
	return err
}

// Nothing is acknowledged into a file that the vault's name no longer leads to.
func TestMovedWhileOpen(t *testing.T) {
	for _, c := range []struct {
		name string
		move func(path string) error
		back func(path string) error // nil if there is no way back
		want error
	}{
		{"renamed", func(p string) error { return os.Rename(p, p+".moved") }, func(p string) error { return os.Rename(p+".moved", p) }, engine.ErrMoved},
		{"folder renamed", func(p string) error { return os.Rename(filepath.Dir(p), filepath.Dir(p)+".moved") },
			func(p string) error { return os.Rename(filepath.Dir(p)+".moved", filepath.Dir(p)) }, engine.ErrMoved},
		{"removed", os.Remove, nil, engine.ErrMoved},
		{"replaced", func(p string) error { return errors.Join(copyFile(p, p+".new"), os.Rename(p+".new", p)) }, nil, engine.ErrMoved},
		{"linked", func(p string) error { return os.Link(p, p+".link") }, func(p string) error { return os.Remove(p + ".link") }, engine.ErrInvalid},
		{"log removed", func(p string) error { return os.Remove(p + "-wal") }, nil, engine.ErrMoved},
		{"shared memory removed", func(p string) error { return os.Remove(p + "-shm") }, nil, engine.ErrMoved},
	} {
		t.Run(c.name, func(t *testing.T) {
			if strings.HasPrefix(c.name, "shared") && runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
				t.Skip("the shared memory is not looked at here")
			}
			path := filepath.Join(t.TempDir(), "sub", "v.kv")
			if err := os.Mkdir(filepath.Dir(path), 0o777); err != nil {
				t.Fatal(err)
			}
			s := must[*sqlite.Store](t)(sqlite.Open(t.Context(), path, nil))
			put(t, s, "before", noise(100_000))
			tx := must[engine.Tx](t)(s.Begin(t.Context(), true))
			if err := c.move(path); err != nil {
				t.Fatal(err)
			}
			if err := tx.Commit(t.Context()); !errors.Is(err, c.want) {
				t.Errorf("commit: %v", err)
			}
			if err := tryPut(t, s, "k"); !errors.Is(err, c.want) || !strings.Contains(err.Error(), "v.kv") {
				t.Errorf("put: %v", err)
			}
			if err := s.Optimize(t.Context(), nil); !errors.Is(err, c.want) {
				t.Errorf("optimize: %v", err)
			}
			if c.back == nil {
				if err := s.Close(); !errors.Is(err, c.want) {
					t.Errorf("close: %v", err)
				}
				return
			}
			if err := c.back(path); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(tryPut(t, s, "k"), s.Close()); err != nil {
				t.Errorf("back in its place: %v", err)
			}
			again := open(t, path, nil)
			for _, key := range []string{"before", "k"} {
				if _, err := again.Get(t.Context(), key); err != nil {
					t.Errorf("%s: %v", key, err)
				}
			}
		})
	}
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// No connection reads the file that took the place of the one that the others read.
func TestReplacedWhileReading(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := must[*sqlite.Store](t)(sqlite.Open(t.Context(), path, nil))
	defer s.Close()
	put(t, s, "k", []byte("backup"))
	if err := s.Backup(t.Context(), path+".copy", nil); err != nil {
		t.Fatal(err)
	}
	put(t, s, "k", []byte("live"))
	if err := os.Rename(path+".copy", path); err != nil {
		t.Fatal(err)
	}
	for range 10 { // each keeps its connection
		tx, err := s.Begin(t.Context(), false)
		if errors.Is(err, engine.ErrMoved) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		if got, err := tx.Get(t.Context(), "k"); err != nil || string(got) != "live" {
			t.Errorf("%q, %v", got, err)
		}
	}
}

// What another program writes over the file, or cuts off, is told at the next commit, and no log is
// copied into it.
func TestOverwrittenWhileOpen(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("the shared memory of the log is not looked at here")
	}
	for name, overwrite := range map[string]func(path string) error{
		"backup over it": func(p string) error { return copyFile(p+".copy", p) },
		"cut off":        func(p string) error { return os.Truncate(p, 20_000) },
		"emptied":        func(p string) error { return os.Truncate(p, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "v.kv")
			s := must[*sqlite.Store](t)(sqlite.Open(t.Context(), path, nil))
			put(t, s, "a", noise(100_000))
			if err := s.Backup(t.Context(), path+".copy", nil); err != nil {
				t.Fatal(err)
			}
			put(t, s, "b", noise(100_000))
			if err := s.Checkpoint(); err != nil {
				t.Fatal(err)
			}
			put(t, s, "c", noise(100_000))
			if err := overwrite(path); err != nil {
				t.Fatal(err)
			}
			written := must[[]byte](t)(os.ReadFile(path))
			if err := tryPut(t, s, "k"); !errors.Is(err, engine.ErrCorrupt) || !strings.Contains(err.Error(), "another program") {
				t.Errorf("put: %v", err)
			}
			if err := s.Checkpoint(); !errors.Is(err, engine.ErrCorrupt) {
				t.Errorf("checkpoint: %v", err)
			}
			if err := s.Close(); !errors.Is(err, engine.ErrCorrupt) {
				t.Errorf("close: %v", err)
			}
			if got := must[[]byte](t)(os.ReadFile(path)); string(got) != string(written) {
				t.Error("the log was copied into it")
			}
		})
	}
}

// Other processes checkpoint, vacuum and change what they like by means of SQLite.
func TestOthersWritingIsNoOverwriting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, nil)
	for i, sql := range []string{`PRAGMA wal_checkpoint`, `VACUUM`, `PRAGMA wal_checkpoint(TRUNCATE)`, `PRAGMA user_version=7`,
		`CREATE TABLE other AS SELECT zeroblob(1000000)`, `PRAGMA wal_checkpoint(RESTART)`, `DROP TABLE other`, `VACUUM`, `PRAGMA wal_checkpoint`} {
		foreign(t, path, sql)
		put(t, s, "k", noise(10_000*(i+1)))
		if i%2 == 0 {
			if err := s.Checkpoint(); err != nil {
				t.Fatal(err)
			}
		}
		put(t, s, "l", noise(1000*(i+1)))
	}
}

// A file that is shorter than its header says is called cut off, wherever the end is.
func TestCutOffFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := must[*sqlite.Store](t)(sqlite.Open(t.Context(), path, nil))
	put(t, s, "k", noise(100_000))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{150_000, 100_000, 8192, 5000, 512, 100, 50} {
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		for _, o := range []*sqlite.Options{nil, {ReadOnly: true}} {
			s, err := sqlite.Open(t.Context(), path, o)
			if err == nil {
				_, err = s.Get(t.Context(), "k")
				s.Close()
			}
			if !errors.Is(err, engine.ErrCorrupt) || !strings.Contains(err.Error(), "cut off") {
				t.Errorf("%d bytes: %v", size, err)
			}
		}
	}
}

// SQLite itself looks whether a file is in its place before it makes a journal, and calls the file
// read-only.
func TestMovedWithoutLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, &sqlite.Options{DisableWAL: true})
	if err := os.Rename(path, path+".moved"); err != nil {
		t.Skip(err)
	}
	_, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "k", Value: []byte("value")}})
	if !errors.Is(err, engine.ErrMoved) {
		t.Errorf("put: %v", err)
	}
	if err := os.Rename(path+".moved", path); err != nil {
		t.Fatal(err)
	}
	put(t, s, "k", []byte("value"))
}
