package pyexchange

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/engine"
)

// golden is what testdata/golden.py tells of a file that it made with a version of the package.
type golden struct {
	Version string
	// Tables are the values by table and by key, and Columns the elements as the file holds them.
	Tables  map[string]map[string][]byte
	Columns map[string]struct {
		Type  string
		Items [][]byte
	}
}

// blocks says that the columns are in tables which are not known here.
func (g *golden) blocks() bool { return strings.HasPrefix(g.Version, "1.") }

// eachGolden runs a test on a copy of each file.
func eachGolden(t *testing.T, test func(t *testing.T, path string, g *golden)) {
	names, err := filepath.Glob(filepath.Join("testdata", "golden", "*.db"))
	must(t, err)
	if len(names) < 6 {
		t.Fatalf("the files in testdata are only %q", names)
	}
	for _, name := range names {
		var g golden
		told, err := os.ReadFile(strings.TrimSuffix(name, ".db") + ".json")
		must(t, err)
		must(t, json.Unmarshal(told, &g))
		t.Run(g.Version, func(t *testing.T) {
			b, err := os.ReadFile(name)
			must(t, err)
			path := newPath(t)
			must(t, os.WriteFile(path, b, 0o600))
			test(t, path, &g)
		})
	}
}

// rawRows are the values of a table of a file, without the typed ones, whose bytes the package
// chose.
func rawRows(t *testing.T, v *kvault.Vault) map[string][]byte {
	t.Helper()
	rows := map[string][]byte{}
	for item, err := range v.Items(t.Context(), nil) {
		must(t, err)
		if !strings.HasPrefix(item.Key, "typed/") {
			rows[base64.StdEncoding.EncodeToString([]byte(item.Key))] = item.Value
		}
	}
	return rows
}

// elements are those of a column, as the file holds them.
func elements(t *testing.T, v *kvault.Vault, name string) [][]byte {
	t.Helper()
	d, err := column.OpenAny(t.Context(), v, name)
	must(t, err)
	switch c := d.(type) {
	case *column.Column[int64]:
		return encodedBy(t, c, column.Int64)
	case *column.Column[float64]:
		return encodedBy(t, c, column.Float64)
	case *column.Column[string]:
		return encodedBy(t, c, column.String)
	case *column.Column[[]byte]:
		return encodedBy(t, c, column.Bytes)
	}
	t.Fatalf("%s is a %T", name, d)
	return nil
}

func encodedBy[T any](t *testing.T, c *column.Column[T], codec column.Codec[T]) [][]byte {
	items := [][]byte{}
	for x, err := range c.All(t.Context()) {
		must(t, err)
		b, err := codec.Append([]byte{}, x)
		must(t, err)
		items = append(items, b)
	}
	return items
}

// same compares a whole file with what is told of it.
func (g *golden) same(t *testing.T, path string, o kvault.Options) {
	t.Helper()
	for table, want := range g.Tables {
		o.Table = table
		v := open(t, path, &o)
		if diff := cmp.Diff(want, rawRows(t, v)); diff != "" {
			t.Errorf("table %s (-want +got):\n%s", table, diff)
		}
	}
	v := open(t, path, &o)
	list, err := column.List(t.Context(), v)
	must(t, err)
	if len(list) != len(g.Columns) {
		t.Errorf("%d columns, want %d: %+v", len(list), len(g.Columns), list)
	}
	for _, info := range list {
		want := g.Columns[info.Name]
		if info.Type != want.Type || info.Len != int64(len(want.Items)) || info.Foreign != g.blocks() {
			t.Errorf("%+v, want %d of %s", info, len(want.Items), want.Type)
		}
		if info.Foreign {
			continue
		}
		if diff := cmp.Diff(want.Items, elements(t, v, info.Name)); diff != "" {
			t.Errorf("column %s (-want +got):\n%s", info.Name, diff)
		}
	}
}

// ours are the tables that opening a file for writing adds.
var ours = []string{"kvault_layout", "kvault_values", "kvault_chunks", "kvault_orphans", "kv_kvmeta", "kvault_kvmeta", "kvault_kvforeign"}

// dump is the whole of a file but for what is ours and but for some tables: how each table was
// made, and its rows.
func dump(t *testing.T, path string, but ...string) map[string]string {
	t.Helper()
	tables := map[string]string{}
	for _, name := range strings.Split(query(t, path, `SELECT name FROM sqlite_schema WHERE type = 'table'`), "\n") {
		if slices.Contains(ours, name) || slices.Contains(but, name) || strings.HasPrefix(name, "sqlite_stat") {
			continue // the last are what Optimize lets SQLite count
		}
		made := query(t, path, fmt.Sprintf(`SELECT type, name, sql FROM sqlite_schema WHERE tbl_name = '%s' AND type <> 'trigger' ORDER BY name`, name))
		tables[name] = made
		if strings.Contains(made, "CREATE VIRTUAL TABLE") {
			continue // its rows are in the tables beside it
		}
		columns := query(t, path, fmt.Sprintf(`SELECT group_concat('quote("' || name || '")', ',') FROM pragma_table_info('%s')`, name))
		tables[name] += "\n" + query(t, path, fmt.Sprintf(`SELECT %s FROM "%s" ORDER BY 1, 2`, columns, name))
	}
	return tables
}

func TestReadGolden(t *testing.T) {
	eachGolden(t, func(t *testing.T, path string, g *golden) {
		before, err := os.ReadFile(path)
		must(t, err)
		g.same(t, path, kvault.Options{ReadOnly: true})
		after, err := os.ReadFile(path)
		must(t, err)
		if string(before) != string(after) {
			t.Error("reading changed the file")
		}
	})
}

// Opening for writing adds tables and triggers, and changes nothing that is there.
func TestOpenGolden(t *testing.T) {
	eachGolden(t, func(t *testing.T, path string, g *golden) {
		before := dump(t, path)
		g.same(t, path, kvault.Options{})
		if diff := cmp.Diff(before, dump(t, path)); diff != "" {
			t.Errorf("opening changed (-before +after):\n%s", diff)
		}
		check(t, open(t, path, nil), path)
	})
}

func TestChangeGolden(t *testing.T) {
	eachGolden(t, func(t *testing.T, path string, g *golden) {
		ctx, shared := t.Context(), []string{"kv", "kvault", "col_meta", "col_chunks"}
		before := dump(t, path, shared...)
		if g.Version > "0.7" && (before["notes_content"] == "" || before["points_values"] == "") {
			t.Fatal("the file has no tables of text and vectors")
		}
		for table, rows := range g.Tables {
			v := open(t, path, &kvault.Options{Table: table, OneRowLimit: 2000})
			for key, value := range map[string][]byte{"new": []byte("new here"), "pages": make([]byte, 5000), "empty": []byte("no more"), "page": {}} {
				must(t, v.Put(ctx, key, value))
				rows[base64.StdEncoding.EncodeToString([]byte(key))] = value
			}
			if _, err := v.DeletePrefix(ctx, "\xff\xff"); err != nil {
				t.Error(err)
			}
			delete(rows, "//8=") // FF FF
			delete(rows, "////")
		}
		v := open(t, path, nil)
		if !g.blocks() {
			g.changeColumns(ctx, t, v)
		}
		g.same(t, path, kvault.Options{})
		check(t, v, path)
		if diff := cmp.Diff(before, dump(t, path, shared...)); diff != "" {
			t.Errorf("tables that are not ours changed (-before +after):\n%s", diff)
		}
		must(t, v.Optimize(ctx, nil))
		if diff := cmp.Diff(before, dump(t, path, shared...)); diff != "" {
			t.Errorf("Optimize changed tables that are not ours (-before +after):\n%s", diff)
		}
		g.same(t, path, kvault.Options{})
		check(t, v, path)
	})
}

func (g *golden) changeColumns(ctx context.Context, t *testing.T, v *kvault.Vault) {
	t.Helper()
	for name, told := range g.Columns {
		d, err := column.OpenAny(ctx, v, name)
		must(t, err)
		switch c := d.(type) {
		case *column.Column[int64]:
			must(t, c.Append(ctx, 258))
			told.Items = append(told.Items, []byte{2, 1, 0, 0, 0, 0, 0, 0})
		case *column.Column[string]:
			must(t, c.Set(ctx, 2, "longer than it was, by far"))
			told.Items[2] = []byte("longer than it was, by far")
		case *column.Column[[]byte]:
			if told.Type == "bytes" {
				must(t, c.Insert(ctx, 0, []byte("first")))
				told.Items = slices.Insert(told.Items, 0, []byte("first"))
			}
		}
		if name == "numbers" {
			must(t, d.(*column.Column[int64]).Delete(ctx, 9))
			told.Items = slices.Delete(told.Items, 9, 10)
		}
		g.Columns[name] = told
	}
}

// Columns of 1.x are listed, and refused by name. Columns of ours can be made beside them.
func TestForeignColumns(t *testing.T) {
	eachGolden(t, func(t *testing.T, path string, g *golden) {
		if !g.blocks() {
			return
		}
		ctx, v := t.Context(), open(t, path, nil)
		before := dump(t, path)
		mine, err := column.Create(ctx, v, "mine", column.Int64, nil)
		must(t, err)
		must(t, mine.Append(ctx, 1))
		for call, run := range map[string]func(name string) error{
			"open":   func(name string) error { _, err := column.Open(ctx, v, name, column.Int64); return err },
			"any":    func(name string) error { _, err := column.OpenAny(ctx, v, name); return err },
			"ensure": func(name string) error { _, err := column.Ensure(ctx, v, name, column.Int64, nil); return err },
			"create": func(name string) error { _, err := column.Create(ctx, v, name, column.Bytes, nil); return err },
			"drop":   func(name string) error { return column.Drop(ctx, v, name) },
			"rename": func(name string) error { return column.Rename(ctx, v, "mine", name) },
			"away":   func(name string) error { return column.Rename(ctx, v, name, "other") },
		} {
			for name := range g.Columns {
				err := run(name)
				wantErr(t, err, kvault.ErrUnsupported)
				var layout *engine.LayoutError
				if !errors.As(err, &layout) || layout.Name != name || !strings.Contains(err.Error(), "1.x of the Python package") {
					t.Errorf("%s %s: %v", call, name, err)
				}
			}
		}
		_, err = column.Open(ctx, v, "missing", column.Int64)
		wantErr(t, err, kvault.ErrNotFound)
		list, err := column.List(ctx, v)
		must(t, err)
		if len(list) != len(g.Columns)+1 || list[0].Name != "mine" || list[0].Foreign {
			t.Errorf("%+v", list)
		}
		if diff := cmp.Diff(before, dump(t, path, "col_meta", "col_chunks")); diff != "" {
			t.Errorf("the columns of 1.x changed (-before +after):\n%s", diff)
		}
		_, err = kvault.Open(ctx, path, &kvault.Options{Table: "kvault_col_columns"})
		wantErr(t, err, kvault.ErrInvalid)
	})
}

// What the package wrote can be salvaged, but for its own tables of texts and vectors and its
// columns of 1.x: these are told.
func TestSalvageGolden(t *testing.T) {
	eachGolden(t, func(t *testing.T, path string, g *golden) {
		saved, lost := newPath(t), []string{}
		_, err := kvault.Salvage(t.Context(), path, saved, &kvault.SalvageOptions{OnLoss: func(l kvault.Loss) {
			if l.Copied && l.Key == "" && strings.Contains(l.Err.Error(), "no value has a checksum") {
				return // the package keeps none
			}
			lost = append(lost, l.Table)
		}})
		must(t, err)
		var want []string
		if g.Version > "0.7" {
			want = append(want, "notes", "notes_content", "notes_data", "notes_docsize", "notes_values", "points", "points_chunks",
				"points_info", "points_metadatachunks00", "points_rowids", "points_values", "points_vector_chunks00")
		}
		if g.blocks() {
			want = append(want, "kvault_col_blocks", "kvault_col_columns", "kvault_col_data", "kvault_col_format")
			g.Columns = nil
		}
		slices.Sort(want)
		slices.Sort(lost)
		if !slices.Equal(lost, want) {
			t.Errorf("lost %q, want %q", lost, want)
		}
		g.same(t, saved, kvault.Options{})
	})
}

// The early layout of columns can be left behind.
func TestMigrateGolden(t *testing.T) {
	eachGolden(t, func(t *testing.T, path string, g *golden) {
		if g.blocks() {
			return
		}
		v := open(t, path, nil)
		for name, told := range g.Columns {
			migrated, err := column.Migrate(t.Context(), v, name)
			must(t, err)
			if early := told.Type == "bytes" && strings.HasPrefix(g.Version, "0.2"); migrated != early {
				t.Errorf("%s: migrated %v", name, migrated)
			}
		}
		g.same(t, path, kvault.Options{})
		check(t, v, path)
	})
}
