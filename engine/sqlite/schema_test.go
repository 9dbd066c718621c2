package sqlite_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// The schema of a new file, as any SQLite shows it.
func TestSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	put(t, open(t, path, nil), "k", []byte("value"))
	if got, want := query(t, path, `SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_info('kvault')`),
		"id|INTEGER|0||1\nkey|BLOB|1||0\nsize|INTEGER|1|-1|0\n"+
			"tag|INTEGER|0||0\nmtime|INTEGER|0||0\nsum|INTEGER|0||0\nstage|INTEGER|0||0\ntype|TEXT|0||0\nuser|TEXT|0||0\nvalue|BLOB|1||0"; got != want {
		t.Errorf("columns:\n%s\nwant\n%s", got, want)
	}
	if got := query(t, path, `SELECT count(*) FROM pragma_index_list('kvault')`); got != "1" {
		t.Errorf("%s indexes on the key-value table, want the one of UNIQUE", got)
	}
	if got := query(t, path, `SELECT key, size, value, typeof(key), typeof(value) FROM kvault`); got != "k|5|value|blob|blob" {
		t.Errorf("row %s", got)
	}
	if got := query(t, path, `PRAGMA page_size`) + query(t, path, `PRAGMA auto_vacuum`) + query(t, path, `PRAGMA journal_mode`); got != "81922wal" {
		t.Errorf("page size, auto-vacuum, journal: %s", got)
	}
}

func TestSQLiteIsRecentEnough(t *testing.T) {
	stats := must[engine.Stats](t)(open(t, sqlite.Memory, nil).Stats(t.Context()))
	var major, minor, patch int
	if _, err := fmt.Sscanf(stats.Engine, "SQLite %d.%d.%d", &major, &minor, &patch); err != nil {
		t.Fatal(stats.Engine, err)
	}
	if v := major*1_000_000 + minor*1000 + patch; v < 3_051_003 {
		t.Errorf("%s: versions before 3.51.3 can corrupt a file when the write-ahead log is reset", stats.Engine)
	}
}

// SQLite refuses handles on cells that are in an index, by which values of some length are written.
func TestIndexOfValues(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, nil)
	foreign(t, path, `CREATE INDEX somebody ON kvault(value)`)
	for _, size := range []int{100, 200 << 10, 1 << 20} {
		for i := range 2 { // the second replaces the first
			value := noise(size)
			value[size/2] = byte(i)
			put(t, s, "k", value)
			if got := must[[]byte](t)(s.Get(t.Context(), "k")); !bytes.Equal(got, value) {
				t.Errorf("a value of %d bytes reads back different", size)
			}
		}
		must[[]engine.Result](t)(s.Apply(t.Context(), []engine.Op{{Kind: engine.Delete, Key: "k"}}))
	}
	if got := query(t, path, `PRAGMA integrity_check`); got != "ok" {
		t.Error(got)
	}
}

func TestSeveralTables(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	o := func(name string) *sqlite.Options { return &sqlite.Options{Table: name, OneRowLimit: 1 << 20} }
	a, b := open(t, path, o("a")), open(t, path, o("b"))
	put(t, a, "k", noise(2<<20))
	put(t, b, "k", []byte("b"))
	if got := must[[]byte](t)(a.Get(t.Context(), "k")); len(got) != 2<<20 {
		t.Errorf("%d bytes", len(got))
	}
	if err := b.Optimize(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if got := must[[]byte](t)(a.Get(t.Context(), "k")); len(got) != 2<<20 {
		t.Errorf("%d bytes after the other table's Optimize", len(got))
	}
}

// A table may be named like a word that a rule of a table begins with.
func TestTableNamedLikeARule(t *testing.T) {
	path, o := filepath.Join(t.TempDir(), "v.kv"), &sqlite.Options{Table: "Checkpoints"}
	for range 2 {
		s, err := sqlite.Open(t.Context(), path, o)
		if err != nil {
			t.Fatal(err)
		}
		op := engine.Op{Kind: engine.Put, Key: "k", Value: make([]byte, 3<<20)}
		if _, err := s.Apply(t.Context(), []engine.Op{op}); err != nil {
			t.Error(err)
		}
		if stats, err := s.Stats(t.Context()); err != nil || stats.Detail["values in chunks"] != "0" {
			t.Errorf("%s values in chunks (%v)", stats.Detail["values in chunks"], err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A table of layout 1 may be named like a column of this package's tables.
func TestUpgradeOfTableNamedLikeAColumn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	foreign(t, path, strings.Replace(sqlite.Layout1, "kvault", "data", 1))
	s := open(t, path, &sqlite.Options{Table: "data"})
	op := engine.Op{Kind: engine.Put, Key: "k", Value: []byte("v")}
	if _, err := s.Apply(t.Context(), []engine.Op{op}); err != nil {
		t.Fatal(err)
	}
	if err := s.Optimize(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if got := layoutVersionOf(t, s); got != "2" {
		t.Errorf("layout %s", got)
	}
}
