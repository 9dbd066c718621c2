package sqlite_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

var tinyRows = &sqlite.Options{OneRowLimit: 10}

// stagedChunks is a stage of n chunks of 100 bytes.
func stagedChunks(t *testing.T, s engine.Store, n int) engine.Stage {
	t.Helper()
	st := must[engine.Stage](t)(s.Stage(t.Context(), engine.StageOptions{ChunkSize: 100, Size: -1}))
	for range n {
		if err := st.WriteChunk(t.Context(), noise(100)); err != nil {
			t.Fatal(err)
		}
	}
	return st
}

// Bytes that look like a reference are a value like any other, from a stream as well.
func TestStagedValueThatLooksLikeReference(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, tinyRows)
	put(t, s, "a", noise(100))
	ref := []byte(query(t, path, `SELECT value FROM kvault`))
	st := must[engine.Stage](t)(s.Stage(t.Context(), engine.StageOptions{ChunkSize: 100, Size: -1}))
	if err := st.WriteChunk(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	must[[]engine.Result](t)(s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "b", Staged: st}}))
	if got := must[[]byte](t)(s.Get(t.Context(), "b")); !bytes.Equal(got, ref) {
		t.Errorf("%x, want %x", got, ref)
	}
}

// A stage that another process took for abandoned and began to sweep fails, rather than be
// published with chunks missing.
func TestStageThatIsBeingSwept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, tinyRows)
	st := stagedChunks(t, s, 10)
	foreign(t, path, `INSERT INTO kvault_orphans SELECT id FROM kvault_values`, `DELETE FROM kvault_chunks WHERE id % 2 = 0`)
	if err := st.WriteChunk(t.Context(), noise(100)); !errors.Is(err, engine.ErrSwept) {
		t.Errorf("a further chunk: %v", err)
	}
	if _, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "b", Staged: st}}); !errors.Is(err, engine.ErrSwept) {
		t.Errorf("publish: %v", err)
	}
	if _, err := s.Stat(t.Context(), "b"); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

// The reference in a row that came from another file names an id that means something else here.
func TestReferenceOfAnotherFile(t *testing.T) {
	for name, remove := range map[string]engine.Op{
		"delete":       {Kind: engine.Delete, Key: "x"},
		"delete range": {Kind: engine.DeleteRange, Range: engine.Range{Start: "x"}},
		"replace":      {Kind: engine.Put, Key: "x"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, open(t, filepath.Join(dir, "other.kv"), tinyRows), "x", noise(100))
			path := filepath.Join(dir, "v.kv")
			s := open(t, path, tinyRows)
			st := stagedChunks(t, s, 3)
			foreign(t, path, `ATTACH '`+filepath.Join(dir, "other.kv")+`' AS o`, `INSERT INTO kvault(key, value) SELECT key, value FROM o.kvault`)
			must[[]engine.Result](t)(s.Apply(t.Context(), []engine.Op{remove}))
			if err := s.Optimize(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "b", Staged: st}}); err != nil {
				t.Errorf("the stage with that id was swept: %v", err)
			}
			if got := must[[]byte](t)(s.Get(t.Context(), "b")); len(got) != 300 {
				t.Errorf("%d bytes", len(got))
			}
		})
	}
}

func TestTableNameInAnotherCase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	put(t, open(t, path, &sqlite.Options{OneRowLimit: 10, Table: "Photos"}), "x", noise(100))
	s := open(t, path, &sqlite.Options{OneRowLimit: 10, Table: "photos"})
	if got := must[[]byte](t)(s.Get(t.Context(), "x")); !bytes.Equal(got, noise(100)) {
		t.Errorf("%d bytes", len(got))
	}
}

// A program that drops the table takes the triggers with it. Metadata of the old rows must not pass
// for that of new ones.
func TestTableMadeAnew(t *testing.T) {
	const python = `CREATE TABLE kvault(id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, value BLOB NOT NULL, size INTEGER NOT NULL)`
	for name, sql := range map[string][]string{
		"dropped":    {`DROP TABLE kvault`},
		"recreated":  {`DROP TABLE kvault`, python},
		"renamed":    {`ALTER TABLE kvault RENAME TO old`, python},
		"migrated":   {`CREATE TABLE new(id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, value BLOB NOT NULL, size INTEGER NOT NULL)`, `INSERT INTO new(key, value, size) SELECT key, value, size FROM kvault ORDER BY key DESC`, `DROP TABLE kvault`, `ALTER TABLE new RENAME TO kvault`},
		"other kind": {`DROP TABLE kvault`, `CREATE TABLE kvault(key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL)`},
	} {
		t.Run(name, func(t *testing.T) { testTableMadeAnew(t, name == "migrated", sql) })
	}
}

func testTableMadeAnew(t *testing.T, keeps bool, sql []string) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, tinyRows)
	put(t, s, "large", noise(1000))
	put(t, s, "x", []byte("abc"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	foreign(t, path, sql...)
	if keeps {
		ro := open(t, path, &sqlite.Options{ReadOnly: true})
		if e := must[engine.Entry](t)(ro.Stat(t.Context(), "x")); e.Meta.Tag != "" {
			t.Errorf("stale metadata in a reader: %+v", e)
		}
		if got := must[[]byte](t)(ro.Get(t.Context(), "large")); len(got) != 1000 {
			t.Errorf("%d bytes in a reader", len(got))
		}
	}
	s = open(t, path, tinyRows)
	size := query(t, path, `SELECT count(*) FROM pragma_table_info('kvault') WHERE name = 'size'`)
	if size == "0" {
		foreign(t, path, `INSERT INTO kvault(key, value) VALUES(CAST('y' AS BLOB), x'0102')`)
	} else {
		foreign(t, path, `INSERT INTO kvault(key, value, size) VALUES(CAST('y' AS BLOB), x'0102', 2)`)
	}
	if e := must[engine.Entry](t)(s.Stat(t.Context(), "y")); e.Meta.Tag != "" {
		t.Errorf("stale metadata %+v", e)
	}
	tag := put(t, s, "z", []byte("1")).Meta.Tag
	foreign(t, path, `UPDATE kvault SET value = x'09' WHERE key = CAST('z' AS BLOB)`)
	if e := must[engine.Entry](t)(s.Stat(t.Context(), "z")); e.Meta.Tag == tag {
		t.Error("the new table has no triggers")
	}
	if err := s.Optimize(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	want := "0"
	if keeps {
		want = "1"
	}
	if got := query(t, path, `SELECT count(*) FROM kvault_values`); got != want {
		t.Errorf("%s large values, want %s", got, want)
	}
	if err := s.Check(t.Context(), func(p engine.Problem) { t.Errorf("%+v", p) }, nil); err != nil {
		t.Error(err)
	}
}

// Damaged metadata is reported, and keeps nobody from the value nor from replacing it.
func TestDamagedUserMetadata(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, nil)
	big := noise(2 << 20)
	put(t, s, "x", big)
	put(t, s, "y", []byte("y"))
	unnoticed(t, path, `UPDATE kvault SET user = '{"a":' WHERE id = 1`)
	if _, err := s.Stat(t.Context(), "x"); !errors.Is(err, engine.ErrCorrupt) {
		t.Errorf("stat: %v", err)
	}
	found := map[string]bool{}
	if err := s.Check(t.Context(), func(p engine.Problem) { found[p.Key] = errors.Is(p.Err, engine.ErrCorrupt) }, nil); err != nil {
		t.Error(err)
	}
	if fmt.Sprint(found) != "map[x:true]" {
		t.Errorf("check found %v", found)
	}
	if got := must[[]byte](t)(s.Get(t.Context(), "x")); !bytes.Equal(got, big) {
		t.Errorf("%d bytes", len(got))
	}
	if page := must[engine.Page](t)(s.List(t.Context(), engine.Query{Limit: 9})); len(page.Items) != 2 {
		t.Errorf("%d items", len(page.Items))
	}
	if _, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Rename, Key: "x", To: "z"}}); !errors.Is(err, engine.ErrCorrupt) {
		t.Errorf("a rename that would lose the metadata: %v", err)
	}
	put(t, s, "x", []byte("new"))
	if e := must[engine.Entry](t)(s.Stat(t.Context(), "x")); e.Size != 3 {
		t.Errorf("%+v", e)
	}
}

// REPLACE leaves the metadata of the row it removes. A large value that is renamed must not pick
// that up.
func TestRenameTakesNoStaleMetadata(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, nil)
	put(t, s, "a", []byte("a"))
	put(t, s, "b", []byte("b"))
	foreign(t, path, `INSERT OR REPLACE INTO kvault(key, value) VALUES(CAST('b' AS BLOB), x'00')`, `DELETE FROM kvault WHERE key = CAST('b' AS BLOB)`,
		`UPDATE kvault SET value = zeroblob(2000000) WHERE key = CAST('a' AS BLOB)`)
	must[[]engine.Result](t)(s.Apply(t.Context(), []engine.Op{{Kind: engine.Rename, Key: "a", To: "c"}}))
	if e := must[engine.Entry](t)(s.Stat(t.Context(), "c")); e.Meta.Tag != "" || e.Meta.HasSum {
		t.Errorf("stale metadata %+v", e)
	}
}

// Ids out of range neither make values that cannot be read nor take the chunks of others.
func TestImpossibleIDs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, tinyRows)
	foreign(t, path, `INSERT INTO kvault_values(id, nonce, chunk_bytes, size, sum, beat) VALUES(-5, 1, 1, -1, 0, 0)`)
	if _, err := s.Apply(t.Context(), []engine.Op{{Kind: engine.Put, Key: "x", Value: noise(100)}}); !errors.Is(err, engine.ErrTooLarge) {
		t.Errorf("after a negative id: %v", err)
	}
	foreign(t, path, `DELETE FROM kvault_values`)
	put(t, s, "y", noise(100))
	foreign(t, path, `INSERT INTO kvault_orphans SELECT id + (1 << 36) FROM kvault_values`)
	if err := s.Optimize(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if got := must[[]byte](t)(s.Get(t.Context(), "y")); !bytes.Equal(got, noise(100)) {
		t.Errorf("%d bytes", len(got))
	}
	if got := query(t, path, `SELECT count(*) FROM kvault_orphans`); got != "0" {
		t.Errorf("%s orphans are left", got)
	}
}

// Values that are no blobs are read as SQLite would write them out; keys that are none are not
// seen.
func TestForeignTypes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	foreign(t, path, `CREATE TABLE kvault(id INTEGER PRIMARY KEY, key, value)`,
		`INSERT INTO kvault(key, value) VALUES('text', 'v'), (1, 2), (NULL, NULL), (x'61', NULL), (x'62', 1.5), (x'63', 'täxt'), (x'64', 12345)`)
	s := open(t, path, nil)
	want := map[string]string{"a": "", "b": "1.5", "c": "täxt", "d": "12345"}
	page := must[engine.Page](t)(s.List(t.Context(), engine.Query{Limit: 10, Values: true}))
	if len(page.Items) != len(want) {
		t.Errorf("%d items", len(page.Items))
	}
	for _, item := range page.Items {
		if string(item.Value) != want[item.Key] || item.Size != int64(len(item.Value)) {
			t.Errorf("%s: listed %q of %d bytes, want %q", item.Key, item.Value, item.Size, want[item.Key])
		}
	}
	var told []error
	if err := s.Check(t.Context(), func(p engine.Problem) { told = append(told, p.Err) }, nil); err != nil {
		t.Error(err)
	}
	if len(told) != 1 || !strings.Contains(told[0].Error(), "1 (integer), 'text' (text)") {
		t.Errorf("check tells %v, want the keys that are not seen", told)
	}
	for key, value := range want {
		if got := must[[]byte](t)(s.Get(t.Context(), key)); string(got) != value {
			t.Errorf("%s: %q, want %q", key, got, value)
		}
		must[string](t)(s.Tag(t.Context(), key))
		res := must[[]engine.Result](t)(s.Apply(t.Context(), []engine.Op{{Kind: engine.Rename, Key: key, To: key + "2"}, {Kind: engine.Delete, Key: key + "2", Take: true}}))
		if got := res[1].Value; string(got) != value {
			t.Errorf("%s: took %q, want %q", key, got, value)
		}
	}
}

func TestTableWithoutRowIDs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	foreign(t, path, `CREATE TABLE kv(key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL) WITHOUT ROWID`)
	for _, o := range []*sqlite.Options{{Table: "kv"}, {Table: "kv", ReadOnly: true}} {
		if _, err := sqlite.Open(t.Context(), path, o); !errors.Is(err, engine.ErrInvalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// A vault that cannot be opened keeps no connection: the last one to close removes the log.
func TestFailedOpenLeavesNothingOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	if err := open(t, path, nil).Close(); err != nil {
		t.Fatal(err)
	}
	foreign(t, path, `DROP TABLE kvault_values`)
	if _, err := sqlite.Open(t.Context(), path, nil); err == nil {
		t.Fatal("opened")
	}
	foreign(t, path, `CREATE TABLE t(x)`)
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the log is still there: %v", err)
	}
}

// A copy is one moment of the vault, and does not start again for every writer.
func TestBackupIsOneSnapshot(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "v.kv"), &sqlite.Options{PageSize: 512})
	put(t, s, "big", noise(2<<20))
	to := filepath.Join(dir, "copy.kv")
	last := int64(-1)
	if err := s.Backup(t.Context(), to, func(done, total int64) {
		put(t, s, "later", []byte(fmt.Sprint(done)))
		if done <= last {
			t.Errorf("%d of %d after %d", done, total, last)
		}
		last = done
	}); err != nil {
		t.Fatal(err)
	}
	if n := must[int64](t)(open(t, to, nil).Count(t.Context(), engine.Range{})); n != 1 {
		t.Errorf("%d keys, want the one that was there when it began", n)
	}
}

// SQLite would replay a log that lies where the copy's own would be, into the copy.
func TestBackupBesideLeftoverLog(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "v.kv"), nil)
	put(t, s, "k", []byte("v"))
	for _, suffix := range []string{"-wal", "-journal"} {
		to := filepath.Join(dir, "copy"+suffix+".kv")
		if err := os.WriteFile(to+suffix, []byte("left over"), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := s.Backup(t.Context(), to, nil); !errors.Is(err, engine.ErrExists) {
			t.Errorf("beside a %s file: %v", suffix, err)
		}
	}
}

// In a file without log a reader of a large value would keep every writer waiting, whoever opened
// it how.
func TestReaderOfRollbackFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, &sqlite.Options{DisableWAL: true})
	value := noise(2 << 20)
	put(t, s, "x", value)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b := must[engine.Blob](t)(open(t, path, &sqlite.Options{ReadOnly: true}).Open(t.Context(), "x"))
	defer b.Close()
	foreign(t, path, `UPDATE kvault SET value = x'00'`)
	got := make([]byte, len(value))
	if _, err := b.ReadAt(t.Context(), got, 0); err != nil || !bytes.Equal(got, value) {
		t.Errorf("the reader lost its version: %v", err)
	}
}

// A read-only vault reads what a crashed process left in the log, and leaves both files as they
// are.
func TestReadOnlyWithLeftoverLog(t *testing.T) {
	dir := t.TempDir()
	from := filepath.Join(dir, "from.kv")
	put(t, open(t, from, nil), "k", []byte("v"))
	path := filepath.Join(dir, "v.kv")
	before := map[string][]byte{}
	for _, suffix := range []string{"", "-wal"} {
		before[suffix] = must[[]byte](t)(os.ReadFile(from + suffix))
		if err := os.WriteFile(path+suffix, before[suffix], 0o666); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, path, &sqlite.Options{ReadOnly: true})
	if got := must[[]byte](t)(s.Get(t.Context(), "k")); string(got) != "v" {
		t.Errorf("%q", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for suffix, want := range before {
		if got := must[[]byte](t)(os.ReadFile(path + suffix)); !bytes.Equal(got, want) {
			t.Errorf("v.kv%s has changed", suffix)
		}
	}
}

// A table of another program may not keep its keys unique. Puts do not add a second row for one.
func TestTableWithoutUniqueKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	foreign(t, path, `CREATE TABLE kvault(key BLOB NOT NULL, value BLOB NOT NULL)`, `INSERT INTO kvault VALUES(CAST('a' AS BLOB), x'00')`)
	s := open(t, path, nil)
	for _, value := range []string{"one", "two"} {
		for _, key := range []string{"a", "b"} {
			put(t, s, key, []byte(value))
			if got := must[[]byte](t)(s.Get(t.Context(), key)); string(got) != value {
				t.Errorf("%s holds %q, want %q", key, got, value)
			}
		}
	}
	if got := query(t, path, `SELECT count(*) FROM kvault`); got != "2" {
		t.Errorf("%s rows", got)
	}
}
