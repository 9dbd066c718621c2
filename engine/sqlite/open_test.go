package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("no database ", 1000)), 0o666); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "other.db")
	foreign(t, other, `CREATE TABLE kvault(a, b)`, `CREATE TABLE t(x)`)
	later := filepath.Join(dir, "later.kv")
	open(t, later, nil).Close()
	foreign(t, later, `UPDATE kvault_layout SET value = '99'`)
	for _, c := range []struct {
		name, path string
		o          *sqlite.Options
		want       error
	}{
		{"empty path", "", nil, engine.ErrInvalid},
		{"folder", dir, nil, engine.ErrInvalid},
		{"missing, must exist", filepath.Join(dir, "none"), &sqlite.Options{MustExist: true}, engine.ErrNoVault},
		{"missing, read-only", filepath.Join(dir, "none"), &sqlite.Options{ReadOnly: true}, engine.ErrNoVault},
		{"no folder", filepath.Join(dir, "none", "v.kv"), nil, os.ErrNotExist},
		{"not a database", text, nil, engine.ErrCorrupt},
		{"other columns", other, nil, engine.ErrInvalid},
		{"no table, read-only", other, &sqlite.Options{ReadOnly: true, Table: "nix"}, engine.ErrNoVault},
		{"later layout", later, nil, engine.ErrUnsupported},
		{"page size", filepath.Join(dir, "x"), &sqlite.Options{PageSize: 1000}, engine.ErrInvalid},
		{"one-row limit", filepath.Join(dir, "x"), &sqlite.Options{OneRowLimit: 1 << 40}, engine.ErrInvalid},
		{"cache", filepath.Join(dir, "x"), &sqlite.Options{CacheKB: -1}, engine.ErrInvalid},
		{"read-only memory", sqlite.Memory, &sqlite.Options{ReadOnly: true}, engine.ErrInvalid},
		{"table name", filepath.Join(dir, "x"), &sqlite.Options{Table: `a"b`}, engine.ErrInvalid},
		{"table of ours", filepath.Join(dir, "x"), &sqlite.Options{Table: "KVAULT_chunks"}, engine.ErrInvalid},
		{"table of SQLite", filepath.Join(dir, "x"), &sqlite.Options{Table: "sqlite_master"}, engine.ErrInvalid},
		{"metadata table", filepath.Join(dir, "x"), &sqlite.Options{Table: "a_kvmeta"}, engine.ErrInvalid},
		{"digit first", filepath.Join(dir, "x"), &sqlite.Options{Table: "1a"}, engine.ErrInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := sqlite.Open(t.Context(), c.path, c.o)
			if !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if err == nil {
				s.Close()
			}
		})
	}
	if _, err := os.Stat(filepath.Join(dir, "x")); !errors.Is(err, os.ErrNotExist) {
		t.Error("a refused Open made a file")
	}
}

func TestReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "py.db")
	foreign(t, path, foreignSchemas[0].sql...)
	foreign(t, path, `INSERT INTO kvault(key, value, size) VALUES(x'61', x'010203', 3)`)
	before := query(t, path, `SELECT group_concat(sql) FROM sqlite_schema`)
	ro := open(t, path, &sqlite.Options{ReadOnly: true})
	if got := must[[]byte](t)(ro.Get(t.Context(), "a")); !bytes.Equal(got, []byte{1, 2, 3}) {
		t.Errorf("%x", got)
	}
	if _, err := ro.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "b"}}); !errors.Is(err, engine.ErrReadOnly) {
		t.Errorf("put: %v", err)
	}
	if _, err := ro.Stage(t.Context(), engine.StageOptions{ChunkSize: 1}); !errors.Is(err, engine.ErrReadOnly) {
		t.Errorf("stage: %v", err)
	}
	if _, err := ro.Begin(t.Context(), true); !errors.Is(err, engine.ErrReadOnly) {
		t.Errorf("begin: %v", err)
	}
	if err := ro.Optimize(t.Context(), nil); !errors.Is(err, engine.ErrReadOnly) {
		t.Errorf("optimize: %v", err)
	}
	if _, err := ro.Shrink(t.Context(), time.Second); !errors.Is(err, engine.ErrReadOnly) {
		t.Errorf("shrink: %v", err)
	}
	if after := query(t, path, `SELECT group_concat(sql) FROM sqlite_schema`); after != before {
		t.Errorf("a read-only vault changed the file: %s", after)
	}
	// Another process starts to write: metadata and large values appear in the reader.
	rw := open(t, path, &sqlite.Options{OneRowLimit: 1 << 20})
	big := noise(2 << 20)
	put(t, rw, "big", big)
	if got := must[[]byte](t)(ro.Get(t.Context(), "big")); !bytes.Equal(got, big) {
		t.Error("the reader does not see a large value that was written after it opened")
	}
	if e := must[engine.Entry](t)(ro.Stat(t.Context(), "big")); !e.Meta.HasSum {
		t.Error("the reader does not see metadata that was written after it opened")
	}
}

func TestBusy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, &sqlite.Options{BusyTimeout: 50 * time.Millisecond})
	put(t, s, "k", []byte("old"))
	c, err := sqlite3.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Exec(`BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	ops := []engine.Op{{Kind: engine.Put, Key: "k", Value: []byte("new")}}
	if _, err := s.Apply(t.Context(), ops); !errors.Is(err, engine.ErrBusy) || !strings.Contains(err.Error(), path) {
		t.Errorf("%v, want ErrBusy with the path", err)
	}
	if got := must[[]byte](t)(s.Get(t.Context(), "k")); string(got) != "old" {
		t.Errorf("read beside a writer: %q", got)
	}
	second := open(t, path, &sqlite.Options{MustExist: true}) // opening needs no write lock
	if got := must[[]byte](t)(second.Get(t.Context(), "k")); string(got) != "old" {
		t.Errorf("opened beside a writer: %q", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Apply(ctx, ops); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := c.Exec(`ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	put(t, s, "k", []byte("new"))
}

// A failed condition is the caller's to see as it is, with the op that failed.
func TestConditionError(t *testing.T) {
	s := open(t, sqlite.Memory, nil)
	put(t, s, "k", nil)
	_, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "k", If: engine.Condition{Absent: true}}})
	if oe, ok := err.(*engine.OpError); !ok || oe.Key != "k" || oe.Err != engine.ErrExists {
		t.Errorf("%#v, want an OpError of ErrExists and nothing around it", err)
	}
}

// A path that SQLite cannot use is refused before anything is made, and never ends the program.
func TestPathsThatAreTooLong(t *testing.T) {
	deep := t.TempDir()
	for len(deep) < 1010 {
		deep = filepath.Join(deep, strings.Repeat("p", min(100, 1010-len(deep))))
	}
	if err := os.MkdirAll(deep, 0o777); err != nil {
		t.Skip(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(deep, link); err != nil {
		t.Skip(err)
	}
	short := open(t, filepath.Join(t.TempDir(), "v.kv"), nil)
	for _, path := range []string{filepath.Join(deep, "v.kv"), filepath.Join(deep, strings.Repeat("v", 100)), filepath.Join(link, "v2.kv"),
		filepath.Join(t.TempDir(), strings.Repeat("n", 248)), filepath.Join(t.TempDir(), strings.Repeat("n", 255))} {
		for _, o := range []*sqlite.Options{nil, {DisableWAL: true}} {
			s, err := sqlite.Open(t.Context(), path, o)
			if err == nil {
				put(t, s, "k", nil)
				if err := errors.Join(s.Close(), os.Remove(path)); err != nil || len(path) > 1016 {
					t.Errorf("%d bytes: %v", len(path), err)
				}
				continue
			}
			if !errors.Is(err, engine.ErrInvalid) || !strings.Contains(err.Error(), "choose a shorter one") {
				t.Errorf("%d bytes: %v", len(path), err)
			}
		}
		if err := short.Backup(t.Context(), path, nil); err == nil {
			err = os.Remove(path)
			if err != nil || len(path) > 1016 {
				t.Errorf("backup to %d bytes: %v", len(path), err)
			}
		}
		left, err := os.ReadDir(filepath.Dir(path))
		if err != nil || len(left) > 0 {
			t.Errorf("%v is left (%v)", left, err)
		}
	}
}

// The error of a batch says which op failed, whatever the cause.
func TestErrorsNameTheOp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	foreign(t, path, `CREATE TABLE kvault(id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, value BLOB NOT NULL CHECK(length(value) < 100))`)
	s := open(t, path, nil)
	ops := []engine.Op{{Kind: engine.Put, Key: "a"}, {Kind: engine.Put, Key: "b", Value: noise(100)}, {Kind: engine.Put, Key: "c"}}
	_, err := s.Apply(t.Context(), ops)
	wantOp(t, err)
	tx := must[engine.Tx](t)(s.Begin(t.Context(), true))
	defer tx.Rollback()
	_, err = tx.Apply(t.Context(), ops)
	wantOp(t, err)
}

func wantOp(t *testing.T, err error) {
	t.Helper()
	oe, ok := err.(*engine.OpError)
	if !ok || oe.Index != 1 || oe.Key != "b" || !errors.Is(err, engine.ErrInvalid) {
		t.Errorf("%T: %v", err, err)
	}
}
