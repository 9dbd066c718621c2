package sqlite_test

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
	"github.com/kohakuvault/kvault/internal/race"
)

// foreignStatements are what other programs do to the rows "small" and "chunked". {k} is the key.
var foreignStatements = []struct {
	name, sql string
	// value is what the row holds then: that of before if it is empty. gone says that there is none.
	value string
	gone  bool
	// key is where it is, if not where it was.
	key string
}{
	{name: "update", sql: `UPDATE kvault SET value = x'6162', size = 2 WHERE key = {k}`, value: "ab"},
	{name: "update to itself", sql: `UPDATE kvault SET value = value WHERE key = {k}`},
	{name: "update of the metadata", sql: `UPDATE kvault SET tag = 1, sum = 2, mtime = 3, stage = 4, type = 'x', user = '{' WHERE key = {k}`},
	{name: "update of the size", sql: `UPDATE kvault SET size = -1 WHERE key = {k}`},
	{name: "update of the key", sql: `UPDATE kvault SET key = CAST('moved' AS BLOB) WHERE key = {k}`, key: "moved"},
	{name: "update of the key and back", sql: `UPDATE kvault SET key = x'00' WHERE key = {k}; UPDATE kvault SET key = {k} WHERE key = x'00'`},
	{name: "update of the id", sql: `UPDATE kvault SET id = 1000 WHERE key = {k}`},
	{name: "explicit abort", sql: `UPDATE OR ABORT kvault SET value = x'61' WHERE key = {k}; UPDATE OR ABORT kvault SET value = x'6162' WHERE key = {k}`, value: "ab"},
	{name: "insert over it", sql: `INSERT OR IGNORE INTO kvault(key, value) VALUES({k}, x'00')`},
	{name: "replace", sql: `INSERT OR REPLACE INTO kvault(key, value) VALUES({k}, x'6162')`, value: "ab"},
	{name: "replace of the id", sql: `INSERT OR REPLACE INTO kvault(id, key, value) SELECT id, {k}, x'6162' FROM kvault WHERE key = {k}`, value: "ab"},
	{name: "replace with metadata", sql: `REPLACE INTO kvault SELECT id, key, 2, tag, mtime, sum, stage, 'x', user, x'6162' FROM kvault WHERE key = {k}`, value: "ab"},
	{name: "upsert", sql: `INSERT INTO kvault(key, value) VALUES({k}, x'6162') ON CONFLICT(key) DO UPDATE SET value = excluded.value`, value: "ab"},
	{name: "upsert that does nothing", sql: `INSERT INTO kvault(key, value) VALUES({k}, x'6162') ON CONFLICT(key) DO NOTHING`},
	{name: "delete", sql: `DELETE FROM kvault WHERE key = {k}`, gone: true},
	{name: "delete and insert", sql: `DELETE FROM kvault WHERE key = {k}; INSERT INTO kvault(key, value) VALUES({k}, x'6162')`, value: "ab"},
	{name: "delete all", sql: `DELETE FROM kvault`, gone: true},
	{name: "without a trigger", sql: `DROP TRIGGER kvault_kvforeign_update; UPDATE kvault SET value = x'6162' WHERE key = {k}`, value: "ab"},
	{name: "without triggers", sql: `DROP TABLE kvault_kvforeign; DROP TRIGGER kvault_kvforeign_update; DROP TRIGGER kvault_kvforeign_insert;
		DROP TRIGGER kvault_kvforeign_delete; UPDATE kvault SET value = x'6162' WHERE key = {k}`, value: "ab"},
	{name: "vacuum after an update", sql: `UPDATE kvault SET value = x'6162' WHERE key = {k}; VACUUM`, value: "ab"},
	{name: "copied in", sql: `CREATE TABLE c AS SELECT * FROM kvault WHERE key = {k}; DELETE FROM kvault WHERE key = {k};
		INSERT INTO kvault SELECT * FROM c; UPDATE c SET value = x''`},
}

// Whatever other programs do with plain SQL: metadata that they left behind is not believed, chunks
// are neither lost nor left over, and nothing is taken for damage.
func TestForeignStatements(t *testing.T) {
	t.Parallel()
	for _, c := range sqlite.Some(len(foreignStatements)/2, foreignStatements) {
		for _, key := range []string{"small", "chunked"} {
			for _, recursive := range []bool{false, true}[:1+1/race.Slowdown] {
				t.Run(fmt.Sprintf("%s, %s, recursive triggers %t", c.name, key, recursive), func(t *testing.T) {
					path := filepath.Join(t.TempDir(), "v.kv")
					s := open(t, path, sqlite.Options{OneRowLimit: 1000}.On(sqlite.Unsynced))
					values := map[string][]byte{"a": noise(10), "small": noise(20), "chunked": noise(5000), "z": noise(2000)}
					tags := map[string]string{}
					for _, k := range []string{"a", "small", "chunked", "z"} {
						tags[k] = put(t, s, k, values[k]).Meta.Tag
					}
					foreign(t, path, fmt.Sprintf(`PRAGMA recursive_triggers=%t; `, recursive)+
						strings.ReplaceAll(c.sql, "{k}", "CAST('"+key+"' AS BLOB)"))
					want, at := values[key], key
					if c.value != "" {
						want = []byte(c.value)
					}
					if c.key != "" {
						at = c.key
					}
					for range 2 { // the second after a sweep
						if c.gone {
							if _, err := s.Get(t.Context(), key); !errors.Is(err, engine.ErrNotFound) {
								t.Errorf("%v", err)
							}
						} else {
							expectForeign(t, s, at, want, tags[key], c.name)
						}
						checked(t, s)
						if err := s.Optimize(t.Context(), nil); err != nil {
							t.Fatal(err)
						}
					}
					expectNoLeftovers(t, path)
					for _, k := range []string{"a", "small", "chunked", "z", at} { // with row ids that may have been noted
						tag := put(t, s, k, values["a"]).Meta.Tag
						if e := must[engine.Entry](t)(s.Stat(t.Context(), k)); e.Meta.Tag != tag || !e.Meta.HasSum {
							t.Errorf("%s: after a put: %+v", k, e)
						}
					}
				})
			}
		}
	}
}

// expectForeign expects a value of another program's at key; it may be ours, if the statement did
// nothing.
func expectForeign(t *testing.T, s *sqlite.Store, key string, want []byte, tag, name string) {
	t.Helper()
	if got := must[[]byte](t)(s.Get(t.Context(), key)); !bytes.Equal(got, want) {
		t.Errorf("%s holds %d bytes, want %d", key, len(got), len(want))
	}
	e := must[engine.Entry](t)(s.Stat(t.Context(), key))
	if name == "insert over it" || name == "upsert that does nothing" {
		if e.Meta.Tag != tag {
			t.Errorf("%+v, want tag %s", e, tag)
		}
		return
	}
	if e.Meta.Tag != "" || e.Meta.HasSum || !e.Meta.ModTime.IsZero() || e.Meta.ContentType != "" || e.Meta.User != nil {
		t.Errorf("metadata is believed: %+v", e)
	}
	if e := must[engine.Page](t)(s.List(t.Context(), engine.Query{Range: engine.Range{Start: key}, Limit: 1})).Items[0]; e.Meta.Tag != "" || e.Meta.HasSum {
		t.Errorf("metadata is listed: %+v", e)
	}
	if got := must[string](t)(s.Tag(t.Context(), key)); got == tag {
		t.Errorf("tag %s", got)
	}
}

// expectNoLeftovers expects chunk rows of those values alone to which a row refers.
func expectNoLeftovers(t *testing.T, path string) {
	t.Helper()
	got := query(t, path, `SELECT 'value', id FROM kvault_values WHERE key NOT IN (SELECT key FROM kvault WHERE octet_length(value) = 42)
		UNION ALL SELECT 'chunk', id FROM kvault_chunks WHERE id >> 28 NOT IN (SELECT id FROM kvault_values)
		UNION ALL SELECT 'orphan', id FROM kvault_orphans
		UNION ALL SELECT 'note', id FROM kvault_kvforeign WHERE id NOT IN (SELECT id FROM kvault)`)
	if got != "" {
		t.Errorf("left over: %s", got)
	}
}

// A put that gets the row id of a noted row which a REPLACE removed has its metadata.
func TestPutTakesNotedRowID(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, nil)
	put(t, s, "a", []byte("a"))
	put(t, s, "b", []byte("b"))
	foreign(t, path, `UPDATE kvault SET value = x'00' WHERE id = 2`, `INSERT OR REPLACE INTO kvault(key, value) VALUES(CAST('b' AS BLOB), x'01')`,
		`DELETE FROM kvault WHERE id = 3`)
	if got := query(t, path, `SELECT group_concat(id) FROM kvault_kvforeign`); got != "2" {
		t.Fatalf("noted: %s", got)
	}
	for i, key := range []string{"c", "d"} {
		tag := put(t, s, key, []byte(key)).Meta.Tag
		if e := must[engine.Entry](t)(s.Stat(t.Context(), key)); e.Meta.Tag != tag {
			t.Errorf("%d: %+v, want tag %s", i, e, tag)
		}
	}
	if got := query(t, path, `SELECT count(*) FROM kvault_kvforeign`); got != "0" {
		t.Errorf("%s rows are noted", got)
	}
}

// A streamed put of the Python package: an upsert of zeros, and then the value by incremental blob
// I/O.
func TestForeignStream(t *testing.T) {
	for _, key := range []string{"small", "chunked", "new"} {
		path := filepath.Join(t.TempDir(), "v.kv")
		s := open(t, path, &sqlite.Options{OneRowLimit: 1000})
		put(t, s, "small", noise(20))
		put(t, s, "chunked", noise(5000))
		c := must[*sqlite3.Conn](t)(sqlite3.Open(path))
		defer c.Close()
		if err := c.Exec(fmt.Sprintf(`INSERT INTO kvault(key, value) VALUES(CAST('%s' AS BLOB), zeroblob(3000))
			ON CONFLICT(key) DO UPDATE SET value = excluded.value`, key)); err != nil {
			t.Fatal(err)
		}
		var rowid int64
		if _, err := fmt.Sscan(query(t, path, fmt.Sprintf(`SELECT id FROM kvault WHERE key = CAST('%s' AS BLOB)`, key)), &rowid); err != nil {
			t.Fatal(err)
		}
		blob := must[*sqlite3.Blob](t)(c.OpenBlob("main", "kvault", "value", rowid, true))
		if _, err := blob.Write(noise(3000)); err != nil {
			t.Fatal(err)
		}
		blob.Close()
		expectForeign(t, s, key, noise(3000), "", "")
		checked(t, s)
		if err := s.Optimize(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		expectNoLeftovers(t, path)
	}
}

// What a call that failed within a transaction has undone counts for the calls after it: the note of
// another program's update is back.
func TestNoteComesBackWithSavepoint(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, nil)
	put := func(key string) engine.Op { return engine.Op{Kind: engine.Put, Key: key, Value: []byte(key)} }
	if _, err := s.Apply(t.Context(), []engine.Op{put("f"), put("y")}); err != nil {
		t.Fatal(err)
	}
	c, err := sqlite3.Open(path)
	if err == nil {
		err = errors.Join(c.Exec(`UPDATE kvault SET value = x'00' WHERE key = CAST('f' AS BLOB)`), c.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	x, err := s.Begin(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Rollback()
	refused := put("y")
	refused.If = engine.Condition{Absent: true}
	ops := []engine.Op{{Kind: engine.Delete, Key: "f"}, put("x"), refused}
	if _, err := x.Apply(t.Context(), ops); !errors.Is(err, engine.ErrExists) {
		t.Fatal(err)
	}
	res, err := x.Apply(t.Context(), []engine.Op{put("f")})
	if err == nil {
		err = x.Commit(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	if e, err := s.Stat(t.Context(), "f"); err != nil || e.Meta.Tag != res[0].Entry.Meta.Tag {
		t.Errorf("the tag is %q, not %q (%v)", e.Meta.Tag, res[0].Entry.Meta.Tag, err)
	}
}
