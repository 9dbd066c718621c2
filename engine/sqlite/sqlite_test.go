package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

func open(t testing.TB, path string, o *sqlite.Options) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func put(t testing.TB, s engine.Store, key string, value []byte) engine.Entry {
	t.Helper()
	res, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: key, Value: value}})
	if err != nil {
		t.Fatal(err)
	}
	return res[0].Entry
}

func noise(n int) []byte {
	r := rand.NewChaCha8([32]byte{1})
	b := make([]byte, n)
	r.Read(b)
	return b
}

// foreign runs SQL as another program would: on a connection of its own, with triggers as SQLite has them by default.
func foreign(t testing.TB, path string, sql ...string) {
	t.Helper()
	c, err := sqlite3.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.BusyTimeout(time.Minute); err != nil { // the sweeper may be at work
		t.Fatal(err)
	}
	for _, q := range sql {
		if err := c.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

func query(t testing.TB, path, sql string) string {
	t.Helper()
	c, err := sqlite3.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	st, _, err := c.Prepare(sql)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	var rows []string
	for st.Step() {
		var cols []string
		for i := range st.ColumnCount() {
			cols = append(cols, st.ColumnText(i))
		}
		rows = append(rows, strings.Join(cols, "|"))
	}
	if err := st.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(rows, "\n")
}

// foreignSchemas are the key-value tables that versions of the Python package make.
var foreignSchemas = []struct {
	by  string
	sql []string
}{
	{"0.2", []string{
		`CREATE TABLE kvault(id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, value BLOB NOT NULL, size INTEGER NOT NULL)`,
		`CREATE UNIQUE INDEX kvault_key_idx ON kvault(key)`,
	}},
	{"0.8", []string{
		`CREATE TABLE kv(key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL)`,
		`CREATE TABLE kohakuvault_meta(key TEXT PRIMARY KEY, value TEXT NOT NULL)`,
	}},
}

// The schema of a new file, as any SQLite shows it.
func TestSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	put(t, open(t, path, nil), "k", []byte("value"))
	if got, want := query(t, path, `SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_info('kvault')`),
		"id|INTEGER|0||1\nkey|BLOB|1||0\nsize|INTEGER|1|-1|0\nvalue|BLOB|1||0"; got != want {
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

// What another program does to a row is noticed: no stale tag, no false alarm, no lost chunks.
func TestForeignWrites(t *testing.T) {
	for _, layout := range []string{"ours", "0.2", "0.8"} {
		t.Run(layout, func(t *testing.T) { testForeignWrites(t, layout) })
	}
}

func testForeignWrites(t *testing.T, layout string) {
	path := filepath.Join(t.TempDir(), "v.kv")
	table := "kvault"
	for _, f := range foreignSchemas {
		if f.by == layout {
			foreign(t, path, f.sql...)
		}
	}
	if layout == "0.8" {
		table = "kv"
	}
	s := open(t, path, &sqlite.Options{OneRowLimit: 1 << 20})
	big := noise(3 << 20)
	writes := map[string]string{
		"updated": `UPDATE {t} SET value = x'010203' WHERE key = CAST('updated' AS BLOB)`,
		"deleted": `DELETE FROM {t} WHERE key = CAST('deleted' AS BLOB)`,
		"big":     `UPDATE {t} SET value = x'010203' WHERE key = CAST('big' AS BLOB)`,
		"zeroed":  `UPDATE {t} SET value = zeroblob(100) WHERE key = CAST('zeroed' AS BLOB)`,
	}
	tags := map[string]string{}
	for key := range writes {
		value := []byte("some value")
		if key == "big" {
			value = big
		}
		tags[key] = put(t, s, key, value).Meta.Tag
	}
	for _, sql := range writes {
		foreign(t, path, strings.ReplaceAll(sql, "{t}", table))
	}
	cols, vals := "", ""
	if layout != "0.8" {
		cols, vals = ", size", ", 3"
	}
	foreign(t, path, `INSERT INTO `+table+`(key, value`+cols+`) VALUES(CAST('new' AS BLOB), x'040506'`+vals+`)`)

	if _, err := s.Tag(t.Context(), "deleted"); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("tag of a missing key: %v", err)
	}
	for key, want := range map[string][]byte{"updated": {1, 2, 3}, "big": {1, 2, 3}, "zeroed": make([]byte, 100), "new": {4, 5, 6}} {
		if got := must[[]byte](t)(s.Get(t.Context(), key)); !bytes.Equal(got, want) {
			t.Errorf("%s: %x, want %x", key, got, want)
		}
		e := must[engine.Entry](t)(s.Stat(t.Context(), key))
		if e.Meta.Tag != "" || e.Meta.HasSum || !e.Meta.ModTime.IsZero() || e.Size != int64(len(want)) {
			t.Errorf("%s: stale metadata %+v", key, e)
		}
		cond := engine.Condition{Tag: must[string](t)(s.Tag(t.Context(), key))}
		if cond.Tag == "" || cond.Tag == tags[key] {
			t.Errorf("%s: stale tag %q", key, cond.Tag)
		}
		if _, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: key, Value: want, If: cond}}); err != nil {
			t.Errorf("%s: put if unchanged: %v", key, err)
		}
	}
	if _, err := s.Get(t.Context(), "deleted"); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("deleted: %v", err)
	}
	if err := s.Check(t.Context(), func(p engine.Problem) { t.Errorf("false alarm: %+v", p) }, nil); err != nil {
		t.Error(err)
	}
	if err := s.Optimize(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := query(t, path, `SELECT (SELECT count(*) FROM kvault_chunks) + (SELECT count(*) FROM kvault_values) + (SELECT count(*) FROM kvault_orphans)`); got != "0" {
		t.Errorf("%s rows are left of a large value that another program replaced", got)
	}
}

// A program that copies the reference of a large value to another key gets an error there, not the reference as a value.
func TestCopiedReference(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, &sqlite.Options{OneRowLimit: 1 << 20})
	big := noise(2<<20 + 3)
	put(t, s, "a", big)
	foreign(t, path, `INSERT INTO kvault(key, value) SELECT CAST('b' AS BLOB), value FROM kvault WHERE key = CAST('a' AS BLOB)`,
		`UPDATE kvault SET value = value WHERE key = CAST('a' AS BLOB)`)
	if _, err := s.Get(t.Context(), "b"); !errors.Is(err, engine.ErrCorrupt) {
		t.Errorf("copied reference: %v", err)
	}
	if err := s.Optimize(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := must[[]byte](t)(s.Get(t.Context(), "a")); !bytes.Equal(got, big) {
		t.Error("a value whose reference was written again has lost its chunks")
	}
}

// Bytes that look like a reference are a value like any other.
func TestValueThatLooksLikeReference(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, &sqlite.Options{OneRowLimit: 1 << 20})
	put(t, s, "a", noise(2<<20))
	ref := []byte(query(t, path, `SELECT value FROM kvault`))
	if len(ref) > 100 {
		t.Fatalf("the row of a large value holds %d bytes", len(ref))
	}
	put(t, s, "a", ref)
	put(t, s, "b", ref)
	for _, key := range []string{"a", "b"} {
		if got := must[[]byte](t)(s.Get(t.Context(), key)); !bytes.Equal(got, ref) {
			t.Errorf("%s: %x, want %x", key, got, ref)
		}
	}
}

func TestCheckFindsDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	o := &sqlite.Options{OneRowLimit: 1 << 20}
	s := open(t, path, o)
	for _, k := range []string{"sound", "inline", "chunk", "gone"} {
		size := 1000
		if k == "chunk" || k == "gone" {
			size = 3 << 20
		}
		put(t, s, k, noise(size))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	foreign(t, path, `DROP TRIGGER kvault_kvmeta_update`,
		`UPDATE kvault SET value = zeroblob(length(value)) WHERE key = CAST('inline' AS BLOB)`,
		`UPDATE kvault_chunks SET data = zeroblob(length(data)) WHERE id IN (SELECT (id << 28) + 1 FROM kvault_values WHERE key = CAST('chunk' AS BLOB))`,
		`DELETE FROM kvault_chunks WHERE id IN (SELECT (id << 28) + 1 FROM kvault_values WHERE key = CAST('gone' AS BLOB))`)
	s = open(t, path, o)
	found := map[string]bool{}
	if err := s.Check(t.Context(), func(p engine.Problem) {
		found[p.Key] = errors.Is(p.Err, engine.ErrCorrupt)
	}, nil); err != nil {
		t.Fatal(err)
	}
	if want := map[string]bool{"inline": true, "chunk": true, "gone": true}; fmt.Sprint(found) != fmt.Sprint(want) {
		t.Errorf("found %v, want %v", found, want)
	}
	if _, err := s.Get(t.Context(), "gone"); !errors.Is(err, engine.ErrCorrupt) {
		t.Errorf("a value with a missing chunk: %v", err)
	}
}

// A reader that stays open does not keep the write-ahead log from being reset for ever.
func TestReaderDoesNotHoldTheLog(t *testing.T) {
	for _, kind := range []string{"inline", "chunks"} {
		for _, fate := range []string{"kept", "replaced"} {
			t.Run(kind+" "+fate, func(t *testing.T) { testReaderAndLog(t, kind, fate) })
		}
	}
}

func testReaderAndLog(t *testing.T, kind, fate string) {
	path := filepath.Join(t.TempDir(), "v.kv")
	o := &sqlite.Options{}
	if kind == "chunks" {
		o.OneRowLimit = 1 << 20
	}
	s := open(t, path, o)
	value := noise(4 << 20)
	put(t, s, "read", value)
	b := must[engine.Blob](t)(s.Open(t.Context(), "read"))
	defer b.Close()
	if fate == "replaced" {
		put(t, s, "read", []byte("other"))
	}
	// While something pins it the log only grows. Once nothing does, the next writer starts it from its beginning and
	// cuts the file to its limit.
	filler := noise(1 << 20)
	other := rand.NewChaCha8([32]byte{})
	deadline := time.Now().Add(time.Minute)
	for written := 0; ; written += len(filler) {
		other.Read(filler) // pages that stay the same would not reach the log
		put(t, s, fmt.Sprint("filler", written%8), filler)
		info, err := os.Stat(path + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		if written > 160<<20 && info.Size() < 80<<20 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the log has %d bytes after %d were written", info.Size(), written)
		}
	}
	got := make([]byte, len(value))
	if _, err := b.ReadAt(t.Context(), got, 0); err != nil || !bytes.Equal(got, value) {
		t.Errorf("the reader lost its version: %v", err)
	}
}

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
	if err := ro.Optimize(t.Context()); !errors.Is(err, engine.ErrReadOnly) {
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

func TestReadOnlyFolder(t *testing.T) {
	if os.Getuid() == 0 {
		t.Log("root may write everywhere: the refusal to make a log file cannot be provoked; reading is still checked")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "v.kv")
	put(t, open(t, path, nil), "k", []byte("v"))
	if err := open(t, path, nil).Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o777)
	s := open(t, path, &sqlite.Options{ReadOnly: true})
	if got := must[[]byte](t)(s.Get(t.Context(), "k")); string(got) != "v" {
		t.Errorf("%q", got)
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
	if err := b.Optimize(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := must[[]byte](t)(a.Get(t.Context(), "k")); len(got) != 2<<20 {
		t.Errorf("%d bytes after the other table's Optimize", len(got))
	}
}

func TestBackup(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "v.kv"), &sqlite.Options{OneRowLimit: 1 << 20})
	put(t, s, "small", []byte("v"))
	put(t, s, "big", noise(3<<20))
	to := filepath.Join(dir, "copy.kv")
	wrote := false
	if err := s.Backup(t.Context(), to, func(done, total int64) {
		if !wrote {
			wrote = true
			put(t, s, "later", noise(1<<20)) // a writer in the middle of it
		}
		if done < 0 || done > total {
			t.Errorf("progress %d of %d", done, total)
		}
	}); err != nil {
		t.Fatal(err)
	}
	c := open(t, to, nil)
	if n := must[int64](t)(c.Count(t.Context(), engine.Range{})); n != 2 {
		t.Errorf("%d keys in the copy, want the 2 that were there when it began", n)
	}
	if err := c.Check(t.Context(), func(p engine.Problem) { t.Errorf("%+v", p) }, nil); err != nil {
		t.Error(err)
	}
	if err := s.Backup(t.Context(), to, nil); !errors.Is(err, engine.ErrExists) {
		t.Errorf("onto a file: %v", err)
	}
	if err := s.Backup(t.Context(), filepath.Join(dir, "none", "x"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("into no folder: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := s.Backup(ctx, filepath.Join(dir, "half.kv"), func(int64, int64) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "half*"))
	if err != nil || len(left) > 0 {
		t.Errorf("a cancelled backup left %v", left)
	}
}

func TestShrink(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, &sqlite.Options{OneRowLimit: 1 << 20})
	put(t, s, "keep", []byte("v"))
	put(t, s, "big", noise(20<<20))
	if _, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Delete, Key: "big"}}); err != nil {
		t.Fatal(err)
	}
	n := must[int64](t)(s.Shrink(t.Context(), time.Minute))
	if n < 19<<20 {
		t.Errorf("gave back %d bytes", n)
	}
	if info, err := os.Stat(path); err != nil || info.Size() > 2<<20 {
		t.Errorf("the file has %d bytes, %v", info.Size(), err)
	}
	python := filepath.Join(t.TempDir(), "py.db")
	foreign(t, python, foreignSchemas[0].sql...)
	p := open(t, python, nil)
	if _, err := p.Shrink(t.Context(), time.Second); !errors.Is(err, engine.ErrUnsupported) {
		t.Errorf("without auto-vacuum: %v", err)
	}
	if err := p.Optimize(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Shrink(t.Context(), time.Second); err != nil {
		t.Errorf("after Optimize: %v", err)
	}
}
