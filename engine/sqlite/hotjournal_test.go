package sqlite_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// readOnlyFolder takes the right to write dir, and the files in it, from the calling goroutine
// until the test ends.
func readOnlyFolder(t *testing.T, dir string) {
	t.Helper()
	if os.Getuid() < 0 {
		t.Skip("this system's folders have no such rights")
	}
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range append(must[[]string](t)(filepath.Glob(filepath.Join(dir, "*"))), dir) {
		info := must[fs.FileInfo](t)(os.Stat(path))
		if err := os.Chmod(path, info.Mode()&^0o222|0o444); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Chmod(path, info.Mode()) })
	}
	if os.Getuid() == 0 {
		becomeStranger(t)
	}
}

// hotFiles are a vault and its journal as a program leaves them that is killed in the middle of a
// transaction. All committed values are A's, those of the transaction B's.
func hotFiles(t *testing.T) map[string][]byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, &sqlite.Options{DisableWAL: true})
	for _, key := range []string{"a", "b", "c", "d"} {
		put(t, s, key, bytes.Repeat([]byte("A"), 200_000))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	c := must[*sqlite3.Conn](t)(sqlite3.Open(path))
	defer c.Close()
	if err := c.Exec(`PRAGMA cache_size=5; BEGIN IMMEDIATE;
		UPDATE kvault SET value = CAST(replace(hex(zeroblob(100000)), '0', 'B') AS BLOB)`); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, suffix := range []string{"", "-journal"} {
		files[suffix] = must[[]byte](t)(os.ReadFile(path + suffix))
	}
	return files
}

func writeFiles(t *testing.T, path string, files map[string][]byte) {
	t.Helper()
	for suffix, content := range files {
		if err := os.WriteFile(path+suffix, content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// readsOfAll are all ways to read, each of which checks what it reads with check.
func readsOfAll(t *testing.T, check func(value []byte) error) map[string]func(*sqlite.Store) error {
	ctx := t.Context()
	checked := func(value []byte, err error) error {
		if err != nil {
			return err
		}
		return check(value)
	}
	readAll := func(b engine.Blob, err error) error {
		if err != nil {
			return err
		}
		defer b.Close()
		value := make([]byte, b.Entry().Size)
		_, err = b.ReadAt(ctx, value, 0)
		return checked(value, err)
	}
	return map[string]func(*sqlite.Store) error{
		"get":  func(s *sqlite.Store) error { return checked(s.Get(ctx, "a")) },
		"open": func(s *sqlite.Store) error { return readAll(s.Open(ctx, "a")) },
		"list": func(s *sqlite.Store) error {
			page, err := s.List(ctx, engine.Query{Limit: 10, Values: true})
			for _, item := range page.Items {
				err = errors.Join(err, check(item.Value))
			}
			return err
		},
		"transaction": func(s *sqlite.Store) error {
			tx, err := s.Begin(ctx, false)
			if err != nil {
				return err
			}
			defer tx.Rollback()
			return errors.Join(checked(tx.Get(ctx, "b")), readAll(tx.Open(ctx, "c")))
		},
		"backup": func(s *sqlite.Store) error {
			dir := must[string](t)(os.MkdirTemp("", "kvault-backup-")) // a stranger may not write the test's own folder
			defer os.RemoveAll(dir)
			to := filepath.Join(dir, "copy.kv")
			if err := s.Backup(ctx, to, nil); err != nil {
				return err
			}
			backup, err := sqlite.Open(ctx, to, nil)
			if err != nil {
				return err
			}
			return errors.Join(checked(backup.Get(ctx, "a")), backup.Close())
		},
		"check": func(s *sqlite.Store) (err error) {
			failed := s.Check(ctx, func(p engine.Problem) { err = errors.Join(err, p.Err) }, nil)
			return errors.Join(err, failed)
		},
	}
}

func wantOnly(b string) func([]byte) error {
	return func(value []byte) error {
		if n := strings.Count(string(value), b); n != len(value) {
			return errors.New("it holds something of the unfinished transaction")
		}
		return nil
	}
}

// A reader undoes the transaction of a program that was killed, as any SQLite that writes does.
func TestReadersPlayJournalsBack(t *testing.T) {
	files := hotFiles(t)
	for name, read := range readsOfAll(t, wantOnly("A")) {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "v.kv")
			writeFiles(t, path, files)
			if err := read(open(t, path, &sqlite.Options{ReadOnly: true})); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(path + "-journal"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the journal is still there: %v", err)
			}
		})
		t.Run(name+" of an open vault", func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "v.kv")
			writeFiles(t, path, files)
			s := open(t, path, &sqlite.Options{ReadOnly: true})
			if err := read(s); err != nil { // has connections made
				t.Error(err)
			}
			writeFiles(t, path, files)
			if err := read(s); err != nil {
				t.Error(err)
			}
		})
	}
}

// A reader that may not write the file reads nothing of a transaction that was not finished.
func TestReadersRefuseJournalsTheyCannotPlayBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	files := hotFiles(t)
	writeFiles(t, path, files)
	readOnlyFolder(t, filepath.Dir(path))
	s, err := sqlite.Open(t.Context(), path, &sqlite.Options{ReadOnly: true})
	if err == nil {
		s.Close()
	}
	if !errors.Is(err, engine.ErrReadOnly) || !strings.Contains(err.Error(), path+"-journal") {
		t.Errorf("%v, want ErrReadOnly that names the journal", err)
	}
	for suffix, want := range files {
		if got := must[[]byte](t)(os.ReadFile(path + suffix)); !bytes.Equal(got, want) {
			t.Errorf("v.kv%s has changed", suffix)
		}
	}
}
