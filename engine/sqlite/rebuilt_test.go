package sqlite_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

const plainColumns = `(id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, size INTEGER NOT NULL DEFAULT -1, value BLOB NOT NULL)`

// rebuilds are ways in which other programs take the triggers of a table with values away.
// {columns} are those of the table, and {b} is the table beside it.
var rebuilds = map[string][]string{
	"in twelve steps": {`BEGIN IMMEDIATE; CREATE TABLE n{columns}; INSERT INTO n SELECT * FROM kvault; DROP TABLE kvault;
		ALTER TABLE n RENAME TO kvault; COMMIT`},
	"with other ids": {`BEGIN IMMEDIATE; CREATE TABLE n` + plainColumns + `; INSERT INTO n(key, value, size) SELECT key, value, size FROM kvault
		ORDER BY key DESC; DROP TABLE kvault; ALTER TABLE n RENAME TO kvault; COMMIT`},
	"with another kind of rows": {`BEGIN IMMEDIATE; CREATE TABLE n(key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL);
		INSERT INTO n SELECT key, value FROM kvault; DROP TABLE kvault; ALTER TABLE n RENAME TO kvault; COMMIT`},
	"without its triggers": {`DROP TRIGGER {b}_insert`, `DROP TRIGGER {b}_update`, `DROP TRIGGER {b}_delete`},
	"without one trigger":  {`DROP TRIGGER {b}_update`},
	"without metadata":     {`DROP TRIGGER {b}_update`, `DROP TRIGGER {b}_insert`, `DROP TRIGGER {b}_delete`, `DROP TABLE {b}`},
	"without a column":     {`DROP TRIGGER {b}_update`, `ALTER TABLE kvault DROP COLUMN size`},
}

func rebuild(t *testing.T, path string, how []string) {
	t.Helper()
	columns := query(t, path, `SELECT substr(sql, instr(sql, '(')) FROM sqlite_schema WHERE name = 'kvault'`)
	beside := query(t, path, `SELECT name FROM sqlite_schema WHERE type = 'table' AND (name LIKE '%_kvmeta' OR name LIKE '%_kvforeign')`)
	for _, sql := range how {
		foreign(t, path, strings.NewReplacer("{columns}", columns, "{b}", beside).Replace(sql))
	}
}

const editDoc = `UPDATE kvault SET value = CAST('an edit' AS BLOB) WHERE key = CAST('doc' AS BLOB)`

// Another program makes the table anew while the vault is open: nothing says any more that metadata
// belongs to the rows that are there.
func TestTableRebuiltWhileOpen(t *testing.T) {
	t.Parallel()
	for name, sql := range rebuilds {
		for _, layout := range []string{"", sqlite.Layout1} {
			t.Run(fmt.Sprintf("%s, layout 1 %t", name, layout != ""), func(t *testing.T) { testTableRebuilt(t, layout, sql) })
		}
	}
}

func testTableRebuilt(t *testing.T, layout string, how []string) {
	path := filepath.Join(t.TempDir(), "v.kv")
	if layout != "" {
		foreign(t, path, layout)
	}
	ctx, s := t.Context(), open(t, path, nil)
	ro := open(t, path, &sqlite.Options{ReadOnly: true})
	tag := put(t, s, "doc", []byte("version 1")).Meta.Tag
	put(t, s, "other", []byte("x"))
	putIf := func(s *sqlite.Store, tag string) error {
		_, err := s.Apply(ctx, []engine.Op{{Kind: engine.Put, Key: "doc", Value: []byte("version 2"), If: engine.Condition{Tag: tag}}})
		return err
	}
	stores := map[string]*sqlite.Store{"writer": s, "reader": ro}
	for range 3 { // has snapshots kept
		for who, s := range stores {
			if e := must[engine.Entry](t)(s.Stat(ctx, "doc")); e.Meta.Tag != tag {
				t.Fatalf("%s: tag %s, want %s", who, e.Meta.Tag, tag)
			}
		}
	}
	rebuild(t, path, how)
	foreign(t, path, editDoc)
	for who, s := range stores {
		if got := must[[]byte](t)(s.Get(ctx, "doc")); string(got) != "an edit" {
			t.Errorf("%s: %q", who, got)
		}
		if e := must[engine.Entry](t)(s.Stat(ctx, "doc")); e.Meta.Tag != "" || e.Meta.HasSum || !e.Meta.ModTime.IsZero() {
			t.Errorf("%s: metadata of the row that was: %+v", who, e)
		}
		page := must[engine.Page](t)(s.List(ctx, engine.Query{Limit: 1}))
		if e := page.Items[0]; e.Meta.Tag != "" || e.Meta.HasSum {
			t.Errorf("%s: lists metadata of the row that was: %+v", who, e)
		}
		tx := must[engine.Tx](t)(s.Begin(ctx, false))
		if e := must[engine.Entry](t)(tx.Stat(ctx, "doc")); e.Meta.Tag != "" {
			t.Errorf("%s: a transaction sees metadata of the row that was: %+v", who, e)
		}
		tx.Rollback()
		if err := s.Check(ctx, func(p engine.Problem) { t.Errorf("%s: %+v", who, p) }, nil); err != nil {
			t.Error(err)
		}
	}
	if err := putIf(s, tag); !errors.Is(err, engine.ErrTagMismatch) {
		t.Errorf("a put with the old tag: %v, want ErrTagMismatch", err)
	}
	tx := must[engine.Tx](t)(s.Begin(ctx, true))
	must[[]engine.Result](t)(tx.Apply(ctx, []engine.Op{{Kind: engine.Put, Key: "other", Value: []byte("y")}}))
	if err := tx.Rollback(); err != nil { // and with it, what was made anew
		t.Fatal(err)
	}
	tag = put(t, s, "doc", []byte("version 2")).Meta.Tag
	for who, s := range stores {
		if e := must[engine.Entry](t)(s.Stat(ctx, "doc")); e.Meta.Tag != tag {
			t.Errorf("%s: tag %s after a put, want %s", who, e.Meta.Tag, tag)
		}
	}
	foreign(t, path, editDoc) // which triggers tell of again
	if err := putIf(s, tag); !errors.Is(err, engine.ErrTagMismatch) {
		t.Errorf("a put over an edit after that: %v, want ErrTagMismatch", err)
	}
	if got := must[[]byte](t)(ro.Get(ctx, "doc")); string(got) != "an edit" {
		t.Errorf("%q", got)
	}
}

// A tag that was read after the table was made anew, but before anything was written, does not
// outlive an edit.
func TestTagOfRebuiltTable(t *testing.T) {
	ctx, path := t.Context(), filepath.Join(t.TempDir(), "v.kv")
	s := open(t, path, nil)
	put(t, s, "doc", []byte("version 1"))
	rebuild(t, path, rebuilds["in twelve steps"])
	tag := must[string](t)(s.Tag(ctx, "doc"))
	foreign(t, path, editDoc)
	_, err := s.Apply(ctx, []engine.Op{{Kind: engine.Put, Key: "doc", Value: []byte("version 2"), If: engine.Condition{Tag: tag}}})
	if !errors.Is(err, engine.ErrTagMismatch) {
		t.Errorf("%v, want ErrTagMismatch", err)
	}
}

// A table that is gone, or that is no key-value table any more, is an error that names it.
func TestTableUnfitWhileOpen(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		want error
		sql  []string
	}{
		"dropped":          {engine.ErrNoVault, []string{`DROP TABLE kvault`}},
		"renamed":          {engine.ErrNoVault, []string{`ALTER TABLE kvault RENAME TO elsewhere`}},
		"column renamed":   {engine.ErrInvalid, []string{`ALTER TABLE kvault RENAME COLUMN value TO v2`}},
		"view":             {engine.ErrInvalid, []string{`ALTER TABLE kvault RENAME TO elsewhere`, `CREATE VIEW kvault AS SELECT id, key, size, value FROM elsewhere`}},
		"computed column":  {engine.ErrInvalid, []string{`ALTER TABLE kvault ADD COLUMN c AS (abs(size))`}},
		"other layout":     {engine.ErrUnsupported, []string{`UPDATE kvault_layout SET value = '99'`, `CREATE TABLE newer(x)`}},
		"chunks in a view": {engine.ErrInvalid, []string{`ALTER TABLE kvault_chunks RENAME TO c`, `CREATE VIEW kvault_chunks AS SELECT * FROM c`}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, path := t.Context(), filepath.Join(t.TempDir(), "v.kv")
			s := open(t, path, nil)
			ro := open(t, path, &sqlite.Options{ReadOnly: true})
			put(t, s, "k", []byte("v"))
			must[[]byte](t)(s.Get(ctx, "k"))
			must[[]byte](t)(ro.Get(ctx, "k"))
			foreign(t, path, c.sql...)
			for what, call := range map[string]func() error{
				"get":     func() error { _, err := s.Get(ctx, "k"); return err },
				"ro get":  func() error { _, err := ro.Get(ctx, "k"); return err },
				"ro list": func() error { _, err := ro.List(ctx, engine.Query{Limit: 1}); return err },
				"ro open": func() error { _, err := ro.Open(ctx, "k"); return err },
				"begin":   func() error { _, err := s.Begin(ctx, true); return err },
				"put": func() error {
					_, err := s.Apply(ctx, []engine.Op{{Kind: engine.Put, Key: "k", Value: []byte("w")}})
					return err
				},
			} {
				if err := call(); !errors.Is(err, c.want) || name != "other layout" && !strings.Contains(err.Error(), "kvault") {
					t.Errorf("%s: %v, want %v that names the table", what, err, c.want)
				}
			}
		})
	}
}
