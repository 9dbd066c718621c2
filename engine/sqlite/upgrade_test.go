package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// golden1 copies a vault of layout 1 that the last version made which knew no other. Its values
// above 25,000 bytes are in chunk rows; "foreign" was updated, and "inserted" inserted, by another
// program.
func golden1(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "v.kv")
	writeFile(t, path, must[[]byte](t)(os.ReadFile("testdata/layout1.db")))
	return path
}

// entries are all entries with their values.
func entries(t *testing.T, s engine.Reader) map[string]engine.Item {
	t.Helper()
	all := map[string]engine.Item{}
	for _, item := range must[engine.Page](t)(s.List(t.Context(), engine.Query{Limit: 100_000, Values: true})).Items {
		all[item.Key] = item
	}
	return all
}

func sameEntries(t *testing.T, s engine.Reader, want map[string]engine.Item) {
	t.Helper()
	got := entries(t, s)
	if len(got) != len(want) {
		t.Errorf("%d keys, want %d", len(got), len(want))
	}
	for key, item := range want {
		if !reflect.DeepEqual(got[key], item) {
			t.Errorf("%s: %+v, want %+v", key, got[key].Entry, item.Entry)
		}
	}
}

func layoutVersionOf(t *testing.T, s *sqlite.Store) string {
	t.Helper()
	return must[engine.Stats](t)(s.Stats(t.Context())).Detail["layout version"]
}

// A file of layout 1 is read and written as it is, and Optimize makes it one of layout 2 with the
// same values, metadata, row ids and columns.
func TestUpgradeGolden(t *testing.T) {
	path := golden1(t)
	s := open(t, path, &sqlite.Options{OneRowLimit: 25_000})
	if got := layoutVersionOf(t, s); got != "1" {
		t.Errorf("layout %s", got)
	}
	want := entries(t, s)
	if len(want) != 6 || !bytes.Equal(want["row"].Value, noise(20_000)) || !bytes.Equal(want["chunked"].Value, noise(30_000)) {
		t.Errorf("%d values", len(want))
	}
	small := want["small"].Meta
	at := time.Date(2026, 11, 30, 9, 0, 0, 123456789, time.UTC)
	if small.ContentType != "text/plain" || small.User["place"] != "Köln" || !small.ModTime.Equal(at) || small.Tag == "" {
		t.Errorf("%+v", small)
	}
	for _, key := range []string{"foreign", "inserted"} {
		if m := want[key].Meta; m.Tag != "" || m.HasSum {
			t.Errorf("%s: %+v", key, m)
		}
	}
	const others = `SELECT group_concat(id || hex(key), ' ') FROM (SELECT * FROM kvault ORDER BY id)
		UNION ALL SELECT hex(data) FROM col_chunks UNION ALL SELECT name FROM col_meta`
	before := query(t, path, others)
	if query(t, path, `SELECT value FROM kvault_layout`) != "1" {
		t.Error("a file of layout 1 changed when it was opened")
	}
	var told []string
	if err := s.Optimize(t.Context(), func(done, total int64) { told = append(told, fmt.Sprint(done, " of ", total)) }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(told, []string{"6 of 6"}) {
		t.Errorf("progress: %q", told)
	}
	if got := layoutVersionOf(t, s); got != "2" {
		t.Errorf("layout %s after Optimize", got)
	}
	sameEntries(t, s, want)
	if query(t, path, others) != before {
		t.Error("row ids or columns are not what they were")
	}
	if got := query(t, path, `SELECT value FROM kvault_layout UNION ALL SELECT name FROM sqlite_schema WHERE name LIKE '%kvmeta%' OR name LIKE '%kvlayout2'`); got != "2" {
		t.Errorf("the version, and what is left of layout 1: %s", got)
	}
	checked(t, s)
	put(t, s, "small", []byte("another"))
	foreign(t, path, `UPDATE kvault SET value = x'00' WHERE key = CAST('chunked' AS BLOB)`)
	if err := s.Optimize(t.Context(), func(int64, int64) { t.Error("upgraded again") }); err != nil {
		t.Fatal(err)
	}
	if got := query(t, path, `SELECT count(*) FROM kvault_values`); got != "0" {
		t.Errorf("%s values in chunk rows are left", got)
	}
	s.Close()
	ro := open(t, path, &sqlite.Options{ReadOnly: true})
	if e := must[engine.Entry](t)(ro.Stat(t.Context(), "chunked")); e.Meta.Tag != "" || e.Size != 1 {
		t.Errorf("%+v", e)
	}
	checked(t, ro)
}

// openLayout1 opens a new vault of layout 1.
func openLayout1(t *testing.T, path string, o *sqlite.Options) *sqlite.Store {
	t.Helper()
	foreign(t, path, `PRAGMA auto_vacuum=INCREMENTAL`, sqlite.Layout1)
	return open(t, path, o)
}

// While rows are copied, others write. Whatever they do is in the table afterwards.
func TestUpgradeWhileOthersWrite(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "v.kv")
	s := openLayout1(t, path, &sqlite.Options{OneRowLimit: 3 << 20})
	other := open(t, path, &sqlite.Options{OneRowLimit: 3 << 20})
	var ops []engine.Op
	for i := range 2500 {
		ops = append(ops, engine.Op{Kind: engine.Put, Key: fmt.Sprintf("k%04d", i), Value: []byte(fmt.Sprint(i)), Meta: engine.Meta{ContentType: "text/x"}})
	}
	must[[]engine.Result](t)(s.Apply(t.Context(), ops))
	for _, key := range []string{"k0100", "k0101", "k0102"} {
		put(t, s, key, noise(2<<20)) // pieces
	}
	for _, key := range []string{"k0103", "k0104", "k0105", "k0106"} {
		put(t, s, key, noise(4<<20)) // chunk rows
	}
	blob := must[engine.Blob](t)(other.Open(t.Context(), "k0100"))
	defer blob.Close()
	changes := []func(){
		func() {
			must[[]engine.Result](t)(other.Apply(t.Context(), []engine.Op{
				{Kind: engine.Put, Key: "k0001", Value: []byte("put")},
				{Kind: engine.Put, Key: "k0100", Value: []byte("put over pieces")},
				{Kind: engine.Put, Key: "k0103", Value: []byte("put over chunks")},
				{Kind: engine.Put, Key: "new", Value: []byte("new")},
				{Kind: engine.Delete, Key: "k0002"},
				{Kind: engine.Rename, Key: "k0003", To: "moved"},
				{Kind: engine.Rename, Key: "k0101", To: "pieces moved"},
				{Kind: engine.Rename, Key: "k0104", To: "chunks moved"},
				{Kind: engine.Rename, Key: "k0004", To: "swap"},
				{Kind: engine.Rename, Key: "k0005", To: "k0004"},
				{Kind: engine.Rename, Key: "swap", To: "k0005"},
			}))
		},
		func() {
			foreign(t, path, `UPDATE kvault SET value = x'616263', size = 3 WHERE key IN (CAST('k0006' AS BLOB), CAST('k0105' AS BLOB))`,
				`INSERT OR REPLACE INTO kvault(key, value) VALUES(CAST('k0007' AS BLOB), x'00'), (CAST('inserted' AS BLOB), x'01')`,
				`UPDATE kvault SET id = 100000 WHERE key = CAST('k0008' AS BLOB)`, `UPDATE kvault SET key = CAST('k9999' AS BLOB) WHERE key = CAST('k0009' AS BLOB)`,
				`DELETE FROM kvault WHERE key = CAST('k0010' AS BLOB)`)
		},
	}
	var want map[string]engine.Item
	err := s.Optimize(t.Context(), func(done, total int64) {
		if len(changes) > 0 {
			changes[0]()
			changes = changes[1:]
		}
		want = entries(t, other)
	})
	if err != nil || len(changes) > 0 {
		t.Fatal(err, len(changes))
	}
	for who, s := range map[string]*sqlite.Store{"this": s, "other": other} {
		if got := layoutVersionOf(t, s); got != "2" {
			t.Errorf("%s: layout %s", who, got)
		}
		sameEntries(t, s, want)
		checked(t, s)
	}
	p := make([]byte, 2<<20)
	if _, err := blob.ReadAt(t.Context(), p, 0); err != nil || !bytes.Equal(p, noise(2<<20)) {
		t.Errorf("a blob that was open: %v", err)
	}
	put(t, other, "after", noise(100))
	if err := s.Optimize(t.Context(), nil); err != nil { // which sweeps what others have replaced meanwhile
		t.Fatal(err)
	}
	if got := query(t, path, `SELECT (SELECT count(*) FROM kvault_values) || ' ' || (SELECT count(*) FROM kvault_kvforeign) || ' ' || count(*) FROM kvault WHERE tag IS NULL`); got != "2 0 6" {
		t.Errorf("values in chunk rows, noted rows, rows without metadata: %s", got)
	}
}

// An upgrade that was broken off changes nothing that anybody sees, and is taken up by the next.
func TestUpgradeBrokenOff(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "v.kv")
	s := openLayout1(t, path, nil)
	var ops []engine.Op
	for i := range 3500 {
		ops = append(ops, engine.Op{Kind: engine.Put, Key: fmt.Sprint(i), Value: []byte("v")})
	}
	must[[]engine.Result](t)(s.Apply(t.Context(), ops))
	want := entries(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Optimize(ctx, func(done, total int64) {
		if done == 2000 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || layoutVersionOf(t, s) != "1" {
		t.Fatalf("%v, layout %s", err, layoutVersionOf(t, s))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path, nil)
	sameEntries(t, s, want)
	checked(t, s)
	if got := query(t, path, `SELECT count(*) FROM kvault_kvlayout2`); got != "2000" {
		t.Errorf("%s rows are copied", got)
	}
	unnoticed(t, path, `CREATE TABLE log(id)`, `CREATE TRIGGER copied AFTER INSERT ON kvault_kvlayout2 BEGIN INSERT INTO log VALUES(NEW.id); END`)
	if err := s.Optimize(t.Context(), nil); !errors.Is(err, engine.ErrCorrupt) {
		t.Errorf("with a trigger on the copy: %v", err)
	}
	foreign(t, path, `DROP TRIGGER copied`, `DELETE FROM kvault_kvlayout2 WHERE id = 5`)
	if err := s.Optimize(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if got := layoutVersionOf(t, s); got != "2" {
		t.Errorf("layout %s", got)
	}
	sameEntries(t, s, want)
	checked(t, s)
}

// A value in chunk rows whose row another program has updated, and whose metadata is lost so,
// follows a new key after the upgrade, and its chunks go with it.
func TestUpgradeKeepsForeignReferences(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := openLayout1(t, path, &sqlite.Options{OneRowLimit: 25_000})
	put(t, s, "k", noise(30_000))
	foreign(t, path, `UPDATE kvault SET size = size`)
	if err := s.Optimize(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	foreign(t, path, `UPDATE kvault SET key = CAST('moved' AS BLOB)`)
	expectOnly(t, s, "moved", noise(30_000))
	foreign(t, path, `DELETE FROM kvault`)
	if got := query(t, path, `SELECT count(*) FROM kvault_orphans`); got != "1" {
		t.Errorf("%s values are left to the sweeper, want that of the row", got)
	}
}

// A table that another program made, altered or depends on stays as it is.
func TestUpgradeLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string][]string{
		"package":     {`CREATE TABLE kvault(id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, value BLOB NOT NULL, size INTEGER NOT NULL)`},
		"later":       {`CREATE TABLE kvault(key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL)`},
		"column":      {sqlite.Layout1, `ALTER TABLE kvault ADD COLUMN more`},
		"index":       {sqlite.Layout1, `CREATE INDEX i ON kvault(size)`},
		"trigger":     {sqlite.Layout1, `CREATE TABLE log(id)`, `CREATE TRIGGER x AFTER DELETE ON kvault BEGIN INSERT INTO log VALUES(OLD.id); END`},
		"view":        {sqlite.Layout1, `CREATE VIEW w AS SELECT count(*) FROM "Kvault"`},
		"foreign key": {sqlite.Layout1, `CREATE TABLE c(id REFERENCES kvault(id) ON DELETE CASCADE)`},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "v.kv")
			foreign(t, path, sql...)
			s := open(t, path, nil)
			put(t, s, "k", []byte("v"))
			foreign(t, path, sqlite.CreateTable("kvault_kvlayout2")) // which was left behind
			before := query(t, path, `SELECT * FROM sqlite_schema ORDER BY name`)
			if err := s.Optimize(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if got := query(t, path, `SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%' ORDER BY name`); layoutVersionOf(t, s) != "1" || len(got) > len(before) {
				t.Errorf("%s", got)
			} else if strings.Contains(got, "kvlayout2") {
				t.Error("the copy that was left behind is still there")
			}
			if e := must[engine.Entry](t)(s.Stat(t.Context(), "k")); e.Meta.Tag == "" {
				t.Errorf("%+v", e)
			}
		})
	}
}

// Where there is no room for a copy, the file stays one of layout 1, with all values and without
// what was copied.
func TestUpgradeOnFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	s := openLayout1(t, path, nil)
	for i := range 8 {
		put(t, s, string(rune('a'+i)), append(noise(1<<20), byte(i)))
	}
	want := entries(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path, (&sqlite.Options{}).On("tight"))
	if err := s.Optimize(t.Context(), nil); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%v", err)
	}
	if got := query(t, path, `SELECT count(*) FROM sqlite_schema WHERE name LIKE '%kvlayout2%'`); got != "0" || layoutVersionOf(t, s) != "1" {
		t.Errorf("layout %s, %s objects of the copy", layoutVersionOf(t, s), got)
	}
	sameEntries(t, s, want)
	checked(t, s)
}

// Of two stores that upgrade at once each ends well, whichever of them ends the work. A copy that
// the other has given up meanwhile is begun anew.
func TestUpgradeTwice(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(t *testing.T, path string, other *sqlite.Store){
		"optimized": func(t *testing.T, _ string, other *sqlite.Store) {
			if err := other.Optimize(t.Context(), nil); err != nil {
				t.Error(err)
			}
		},
		"given up": func(t *testing.T, path string, _ *sqlite.Store) {
			foreign(t, path, `DROP TABLE kvault_kvlayout2`)
		},
	} {
		for _, at := range []int64{1000, 1500} {
			t.Run(fmt.Sprint(name, at), func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "v.kv")
				unsynced := sqlite.Options{}.On(sqlite.Unsynced)
				s := openLayout1(t, path, unsynced)
				var ops []engine.Op
				for i := range 1500 {
					ops = append(ops, engine.Op{Kind: engine.Put, Key: fmt.Sprint(i), Value: []byte("v")})
				}
				must[[]engine.Result](t)(s.Apply(t.Context(), ops))
				want, other, times := entries(t, s), open(t, path, unsynced), 0
				err := s.Optimize(t.Context(), func(done, total int64) {
					if done == at && times == 0 {
						times++
						meanwhile(t, path, other)
					}
				})
				if err != nil || times == 0 {
					t.Errorf("%v, met %d times", err, times)
				}
				for who, s := range map[string]*sqlite.Store{"this": s, "other": other} {
					if got := layoutVersionOf(t, s); got != "2" {
						t.Errorf("%s: layout %s", who, got)
					}
					sameEntries(t, s, want)
				}
				checked(t, s)
			})
		}
	}
}

// Stores that call Optimize at the same moment end well, or with ErrBusy, and leave nothing behind.
func TestUpgradeAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.kv")
	unsynced := sqlite.Options{}.On(sqlite.Unsynced)
	s := openLayout1(t, path, unsynced)
	var ops []engine.Op
	for i := range 100 {
		key := fmt.Sprint(i)
		ops = append(ops, engine.Op{Kind: engine.Put, Key: key, Value: noise(40_000)})
	}
	must[[]engine.Result](t)(s.Apply(t.Context(), ops))
	want := entries(t, s)
	var wg sync.WaitGroup
	for _, s := range []*sqlite.Store{s, open(t, path, unsynced), open(t, path, unsynced)} {
		wg.Go(func() {
			if err := s.Optimize(t.Context(), nil); err != nil && !errors.Is(err, engine.ErrBusy) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := query(t, path, `SELECT value FROM kvault_layout UNION ALL
		SELECT name FROM sqlite_schema WHERE name LIKE '%kvmeta%' OR name LIKE '%kvlayout2'`); got != "2" {
		t.Errorf("the version, and what is left of layout 1: %s", got)
	}
	sameEntries(t, s, want)
	checked(t, s)
}
