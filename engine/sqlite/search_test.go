package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// searchSchema is what the Python package's TextVault and VectorKVault make, 0.8.6 and 1.1.0 alike,
// with modules that need not be here: the rows of the schema are written as such.
var searchSchema = []string{
	`CREATE TABLE kv(key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL)`,
	`CREATE TABLE docs_docsize(id INTEGER PRIMARY KEY, sz BLOB)`,
	`INSERT INTO docs_docsize VALUES(1, x'01'), (2, x'01')`,
	`CREATE TABLE docs_values(id INTEGER PRIMARY KEY AUTOINCREMENT, value BLOB NOT NULL)`,
	`CREATE TABLE emb_rowids(rowid INTEGER PRIMARY KEY AUTOINCREMENT, id, chunk_id INTEGER, chunk_offset INTEGER)`,
	`INSERT INTO emb_rowids(chunk_id) VALUES(1), (1), (1)`,
	`CREATE TABLE emb_vector_chunks00(rowid PRIMARY KEY, vectors BLOB NOT NULL)`,
	`INSERT INTO emb_vector_chunks00 VALUES(1, zeroblob(100))`,
	virtual("docs", `CREATE VIRTUAL TABLE docs USING fts5(title, "body", value_ref UNINDEXED, tokenize='porter, x')`),
	virtual("emb", "CREATE VIRTUAL TABLE emb USING vec0(\n  value_ref INTEGER,\n  vector float[768] distance_metric=cosine\n)"),
}

func virtual(name, sql string) string {
	return `PRAGMA writable_schema=ON; INSERT INTO sqlite_schema VALUES('table', '` + name + `', '` + name + `', 0, ` + quote(sql) + `); PRAGMA writable_schema=RESET`
}

func quote(s string) string {
	out := "'"
	for _, c := range s {
		if out += string(c); c == '\'' {
			out += "'"
		}
	}
	return out + "'"
}

func TestSearchTablesAreListedAndLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "py.db")
	foreign(t, path, searchSchema...)
	dump := func() string {
		return query(t, path, `SELECT type, name, sql FROM sqlite_schema WHERE name LIKE 'docs%' OR name LIKE 'emb%' ORDER BY name`) +
			query(t, path, `SELECT id, hex(sz) FROM docs_docsize`) + query(t, path, `SELECT * FROM emb_rowids`) +
			query(t, path, `SELECT _rowid_, hex(vectors) FROM emb_vector_chunks00`)
	}
	before := dump()
	want := []engine.SearchTable{
		{Name: "docs", Module: "fts5", Columns: []string{"title", "body"}, Rows: 2},
		{Name: "emb", Module: "vec0", Columns: []string{"vector"}, Element: "float", Dimension: 768, Metric: "cosine", Rows: 3},
	}
	for _, o := range []*sqlite.Options{{ReadOnly: true}, tinyRows} {
		s := open(t, path, o)
		stats := must[engine.Stats](t)(s.Stats(t.Context()))
		if diff := cmp.Diff(want, stats.Search); diff != "" {
			t.Errorf("(-want, +got):\n%s", diff)
		}
		if o.ReadOnly {
			continue
		}
		put(t, s, "k", noise(1000))
		relayout(t, s, engine.OneRow)
		if err := s.Optimize(t.Context(), nil); err != nil {
			t.Error(err)
		}
		checked(t, s)
	}
	if after := dump(); after != before {
		t.Errorf("they were changed: %s\nbefore: %s", after, before)
	}
}

// Whatever such tables are made of, the vault is described.
func TestSearchTablesThatAreBroken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "py.db")
	foreign(t, path, `CREATE TABLE kv(key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL)`,
		`CREATE VIEW view_docsize AS SELECT * FROM view_docsize`,
		virtual("view", `CREATE VIRTUAL TABLE view USING fts5(a)`),
		virtual("alone", `CREATE VIRTUAL TABLE alone USING vec0(v float[99999999999999999999])`),
		virtual("bare", `CREATE VIRTUAL TABLE bare USING fts5`),
		virtual("odd", `CREATE VIRTUAL TABLE odd USING fts5(((a, b)), 'c, (', "d"")" e f, =, UNINDEXED, , [g,h])`),
		virtual("other", `CREATE VIRTUAL TABLE other USING rtree(id, a, b)`),
		virtual(`x"; DROP TABLE kv; --`, `CREATE VIRTUAL TABLE "x""; DROP TABLE kv; --" USING vec0(a bit[8], b int8[4])`),
		virtual("twice_docsize", `CREATE VIRTUAL TABLE twice_docsize USING fts5(a)`),
		virtual("twice", `CREATE VIRTUAL TABLE twice USING fts5(a)`),
	)
	for _, o := range []*sqlite.Options{{ReadOnly: true}, nil} {
		s := open(t, path, o)
		stats := must[engine.Stats](t)(s.Stats(t.Context()))
		var names []string
		for _, x := range stats.Search {
			names = append(names, x.Name)
			if x.Rows != -1 {
				t.Errorf("%+v", x)
			}
		}
		want := []string{"alone", "bare", "odd", "twice", "twice_docsize", "view", `x"; DROP TABLE kv; --`}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("(-want, +got):\n%s", diff)
		}
	}
}
