package sqlite_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// killed copies the files of a vault in use, as a process that is killed leaves them, to a new
// folder, and returns the path there.
func killed(t *testing.T, path string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), filepath.Base(path))
	for _, suffix := range []string{"", "-wal", "-journal"} {
		if b, err := os.ReadFile(path + suffix); err == nil {
			writeFile(t, to+suffix, b)
		} else if !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	return to
}

// replaced is a vault that was killed and had a backup copied over its file. The log that it left
// holds pages of other values.
func replaced(t *testing.T) (path string, want []byte) {
	t.Helper()
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "v.kv"), nil)
	want = noise(1 << 20)
	put(t, s, "k", want)
	backup := filepath.Join(dir, "backup.kv")
	if err := s.Backup(t.Context(), backup, nil); err != nil {
		t.Fatal(err)
	}
	put(t, s, "k", bytes.Repeat([]byte("new"), 1<<18))
	put(t, s, "later", noise(1<<20))
	path = killed(t, filepath.Join(dir, "v.kv"))
	if info, err := os.Stat(path + "-wal"); err != nil || info.Size() == 0 {
		t.Fatalf("no log was left: %v", err)
	}
	writeFile(t, path, must[[]byte](t)(os.ReadFile(backup)))
	return path, want
}

// The log of a vault that was killed is not played into a backup that takes the place of its file:
// readers do without it, the first writer sets it aside.
func TestLogOfReplacedFile(t *testing.T) {
	path, want := replaced(t)
	log := must[[]byte](t)(os.ReadFile(path + "-wal"))
	expectOnly(t, open(t, path, &sqlite.Options{ReadOnly: true}), "k", want)
	if now := must[[]byte](t)(os.ReadFile(path + "-wal")); !bytes.Equal(log, now) {
		t.Error("a reader changed the log")
	}
	report, err := sqlite.Salvage(t.Context(), path, path+".salvaged", nil)
	if err != nil || report.Keys != 1 || report.Losses != 0 {
		t.Errorf("salvage: %+v, %v", report, err)
	}
	for _, o := range []sqlite.Options{{}, {DisableWAL: true}} {
		path, want := replaced(t)
		log := must[[]byte](t)(os.ReadFile(path + "-wal"))
		s := open(t, path, &o)
		expectOnly(t, s, "k", want)
		if kept := must[[]byte](t)(os.ReadFile(path + "-wal.old")); !bytes.Equal(log, kept) {
			t.Error("the log that was set aside is another")
		}
		put(t, s, "k", []byte("written again"))
		expectOnly(t, open(t, killed(t, path), nil), "k", []byte("written again"))
	}
}

// A log is not set aside while any connection has the file open, with a log or without.
func TestLogOfReplacedFileInUse(t *testing.T) {
	t.Parallel()
	path, _ := replaced(t)
	c := must[*sqlite3.Conn](t)(sqlite3.Open(path))
	defer c.Close()
	if err := c.Exec(`BEGIN; SELECT count(*) FROM sqlite_schema`); err != nil { // it plays the log, as every other program does
		t.Fatal(err)
	}
	s, err := sqlite.Open(t.Context(), path, nil)
	if !errors.Is(err, engine.ErrBusy) {
		t.Errorf("%v, want ErrBusy", err)
	}
	if err == nil {
		s.Close()
	}
	if _, err := os.Stat(path + "-wal"); err != nil {
		t.Error(err)
	}
}

// A log that any program made for a backup that it opened first is the backup's own, and what it
// holds is there.
func TestLogOfBackupThatAnotherProgramWrote(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "v.kv"), nil)
	put(t, s, "k", []byte("v"))
	backup := filepath.Join(dir, "backup.kv")
	if err := s.Backup(t.Context(), backup, nil); err != nil {
		t.Fatal(err)
	}
	c := must[*sqlite3.Conn](t)(sqlite3.Open(backup))
	defer c.Close()
	for _, sql := range []string{`PRAGMA journal_mode=WAL`, `PRAGMA wal_autocheckpoint=0`, `INSERT INTO kvault(key, value) VALUES (x'6e', x'31')`} {
		if err := c.Exec(sql); err != nil {
			t.Fatal(err)
		}
	}
	for _, readOnly := range []bool{true, false} {
		r := open(t, killed(t, backup), &sqlite.Options{ReadOnly: readOnly})
		if n := must[int64](t)(r.Count(t.Context(), engine.Range{})); n != 2 {
			t.Errorf("read-only %v: %d keys, want the 2 that were committed", readOnly, n)
		}
	}
}
