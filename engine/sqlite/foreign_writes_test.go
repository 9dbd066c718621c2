package sqlite_test

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// foreignSchemas are the key-value tables that versions of the Python package make, and that of
// layout 1.
var foreignSchemas = []struct {
	by  string
	sql []string
}{
	{"layout 1", []string{sqlite.Layout1}},
	{"0.2", []string{
		`CREATE TABLE kvault(id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, value BLOB NOT NULL, size INTEGER NOT NULL)`,
		`CREATE UNIQUE INDEX kvault_key_idx ON kvault(key)`,
	}},
	{"0.8", []string{
		`CREATE TABLE kv(key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL)`,
		`CREATE TABLE kohakuvault_meta(key TEXT PRIMARY KEY, value TEXT NOT NULL)`,
	}},
}

// What another program does to a row is noticed: no stale tag, no false alarm, no lost chunks.
func TestForeignWrites(t *testing.T) {
	for _, layout := range []string{"ours", "layout 1", "0.2", "0.8"} {
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
	if err := s.Optimize(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if got := query(t, path, `SELECT (SELECT count(*) FROM kvault_chunks) + (SELECT count(*) FROM kvault_values) + (SELECT count(*) FROM kvault_orphans)`); got != "0" {
		t.Errorf("%s rows are left of a large value that another program replaced", got)
	}
}

// A program that copies the reference of a large value to another key gets an error there, not the
// reference as a value.
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
	if err := s.Optimize(t.Context(), nil); err != nil {
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
	t.Run("with checksums", func(t *testing.T) { testCheckFindsDamage(t, true, "inline", "chunk", "gone") })
	// Another program's rows have none; chunks have their own.
	t.Run("without", func(t *testing.T) { testCheckFindsDamage(t, false, "chunk", "gone") })
}

func testCheckFindsDamage(t *testing.T, tracked bool, damaged ...string) {
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
	trigger := query(t, path, `SELECT sql FROM sqlite_schema WHERE name = 'kvault_kvforeign_update'`)
	foreign(t, path, `DROP TRIGGER kvault_kvforeign_update`,
		`UPDATE kvault SET value = zeroblob(length(value)) WHERE key = CAST('inline' AS BLOB)`,
		`UPDATE kvault_chunks SET data = zeroblob(length(data)) WHERE id IN (SELECT (id << 28) + 1 FROM kvault_values WHERE key = CAST('chunk' AS BLOB))`,
		`DELETE FROM kvault_chunks WHERE id IN (SELECT (id << 28) + 1 FROM kvault_values WHERE key = CAST('gone' AS BLOB))`)
	if tracked {
		foreign(t, path, trigger)
	}
	s = open(t, path, o)
	found := map[string]bool{}
	if err := s.Check(t.Context(), func(p engine.Problem) {
		found[p.Key] = errors.Is(p.Err, engine.ErrCorrupt)
	}, nil); err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, key := range damaged {
		want[key] = true
	}
	if fmt.Sprint(found) != fmt.Sprint(want) {
		t.Errorf("found %v, want %v", found, want)
	}
	if _, err := s.Get(t.Context(), "gone"); !errors.Is(err, engine.ErrCorrupt) {
		t.Errorf("a value with a missing chunk: %v", err)
	}
}
