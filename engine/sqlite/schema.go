package sqlite

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
)

// DefaultTable is the key-value table when none is named.
const DefaultTable = format.DefaultTable

const createShared = `
CREATE TABLE IF NOT EXISTS ` + format.LayoutTable + `(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT OR IGNORE INTO ` + format.LayoutTable + ` VALUES('version', '1');
CREATE TABLE IF NOT EXISTS ` + format.ValuesTable + `(
  id INTEGER PRIMARY KEY, nonce INTEGER NOT NULL, chunk_bytes INTEGER NOT NULL, size INTEGER NOT NULL,
  sum INTEGER NOT NULL, tbl TEXT, key BLOB, owner TEXT, beat INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS kvault_values_owner ON ` + format.ValuesTable + `(owner) WHERE owner IS NOT NULL;
CREATE TABLE IF NOT EXISTS ` + format.ChunksTable + `(id INTEGER PRIMARY KEY, sum INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS ` + format.OrphansTable + `(id INTEGER PRIMARY KEY);
`

// table is what is known of one key-value table in one file.
type table struct {
	name string
	// rowID is the column that names a row in the metadata table: id, or key in tables without an
	// id, whose row ids VACUUM may change.
	rowID string
	// inRow says that the metadata lies in columns of the row itself, before the value: layout 2.
	inRow bool
	// sized tables have a size column. valueLast says that no column follows the value, so that a
	// zeroblob takes no memory.
	sized, valueLast bool
	// tracked says that the table beside this one is there, and all triggers that keep the metadata
	// true.
	tracked bool
	// version is that of the schema in which the table was like this.
	version int64
	sql     statements
}

// triggerSuffixes follow the name of the auxiliary table.
var triggerSuffixes = []string{"_insert", "_update", "_delete"}

func quoted(name string) string { return driver.Quote(name) }

// auxTable is the table beside the key-value table: that of the metadata, or in layout 2 that of
// the ids of rows whose metadata is not true.
func (t *table) auxTable() string {
	if t.inRow {
		return t.name + format.ForeignSuffix
	}
	return t.name + format.MetaSuffix
}

// triggers are the names of the triggers by which other programs keep the metadata true.
func (t *table) triggers() (names []string) {
	for _, suffix := range triggerSuffixes {
		names = append(names, t.auxTable()+suffix)
	}
	return names
}

// layoutVersion is the version of the layout in which the metadata of the table is kept.
func (t *table) layoutVersion() int {
	if t.inRow {
		return 2
	}
	return 1
}

// rowMeta are the definitions of the columns of metadata.
const rowMeta = `tag INTEGER, mtime INTEGER, sum INTEGER, stage INTEGER, type TEXT, user TEXT`

// create is the SQL that makes a key-value table of layout 2.
func create(name string) string {
	return `CREATE TABLE ` + quoted(name) + `(
  id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, size INTEGER NOT NULL DEFAULT -1,
  ` + rowMeta + `, value BLOB NOT NULL)`
}

// replacer puts the names of the table, of the one beside it and of the triggers into SQL.
func (t *table) replacer(more ...string) *strings.Replacer {
	names := append(more, "{t}", quoted(t.name), "{name}", literal(t.name), "{b}", quoted(t.auxTable()),
		"{orphans}", format.OrphansTable, "{values}", format.ValuesTable)
	for _, trigger := range t.triggers() {
		names = append(names, "{"+strings.TrimPrefix(trigger, t.auxTable()+"_")+"}", quoted(trigger))
	}
	return strings.NewReplacer(names...)
}

// createAux is the SQL of the auxiliary table and of the triggers. They fire for other programs
// alone, since our own connections run with triggers switched off. They name no value, so that
// SQLite need not load any.
func (t *table) createAux() string {
	if t.inRow {
		return t.replacer().Replace(createForeign)
	}
	idColumn, tail := "id INTEGER PRIMARY KEY", ""
	if t.rowID == "key" {
		idColumn, tail = "id BLOB PRIMARY KEY NOT NULL", " WITHOUT ROWID"
	}
	drop := func(row string) string {
		return strings.ReplaceAll(`
  INSERT OR IGNORE INTO {orphans} SELECT stage FROM {b} WHERE id = {row} AND stage IS NOT NULL;
  DELETE FROM {b} WHERE id = {row};`, "{row}", row+"."+t.rowID)
	}
	return t.replacer("{id}", idColumn, "{tail}", tail).Replace(`
CREATE TABLE {b}({id}, tag INTEGER NOT NULL, mtime INTEGER NOT NULL, sum INTEGER NOT NULL,
  stage INTEGER, type TEXT, user TEXT){tail};
CREATE TRIGGER {insert} AFTER INSERT ON {t} BEGIN` + drop("NEW") + `
END;
CREATE TRIGGER {update} AFTER UPDATE ON {t} BEGIN` + drop("OLD") + drop("NEW") + `
END;
CREATE TRIGGER {delete} AFTER DELETE ON {t} BEGIN` + drop("OLD") + `
END;
`)
}

// createForeign is createAux for a table of layout 2, with which the file becomes one of version
// 2. A row that another program inserts has no metadata, unless the program names those columns
// itself. One that it updates is noted. What its old version had in chunk rows is left to the
// sweeper. That keeps whatever a row refers to, so it does no harm to name too much; but no stage,
// which no row refers to. A REPLACE fires no trigger for the row that it removes, unless
// recursive_triggers is on. A trigger BEFORE INSERT could look for that row, but has SQLite build
// the new value in memory. The conflict clause of the statement that fires a trigger overrides
// those within it, so none is here.
const createForeign = `
UPDATE ` + format.LayoutTable + ` SET value = '2' WHERE name = 'version' AND value < '2';
CREATE TABLE {b}(id INTEGER PRIMARY KEY);
CREATE TRIGGER {insert} AFTER INSERT ON {t} BEGIN
  DELETE FROM {b} WHERE id = NEW.id;
  INSERT INTO {b} SELECT NEW.id WHERE NEW.tag IS NOT NULL;
END;
CREATE TRIGGER {update} AFTER UPDATE ON {t} BEGIN
  UPDATE {values} SET key = NEW.key
    WHERE id = OLD.stage AND key = OLD.key AND tbl = {name} AND NEW.key IS NOT OLD.key;
  INSERT INTO {orphans} SELECT id FROM {values}
    WHERE id = OLD.stage AND owner IS NULL AND id NOT IN (SELECT id FROM {orphans});
  DELETE FROM {b} WHERE id IN (OLD.id, NEW.id);
  INSERT INTO {b} VALUES(NEW.id);
END;
CREATE TRIGGER {delete} AFTER DELETE ON {t} BEGIN
  INSERT INTO {orphans} SELECT id FROM {values}
    WHERE id = OLD.stage AND owner IS NULL AND id NOT IN (SELECT id FROM {orphans});
  DELETE FROM {b} WHERE id = OLD.id;
END;
`

// inspect finds the key-value table in the file. It returns nil if the file has none by that name.
func inspect(c *driver.Conn, name string) (*table, error) {
	version, err := c.SchemaVersion() // if it changes meanwhile, the next transaction finds another one
	if err != nil {
		return nil, err
	}
	t, err := find(c, name)
	if t != nil {
		t.version = version
	}
	return t, err
}

func find(c *driver.Conn, name string) (*table, error) {
	if err := checkFileSchema(c); err != nil {
		return nil, err
	}
	if err := checkLayoutVersion(c); err != nil {
		return nil, err
	}
	if name != "" {
		return describe(c, name)
	}
	if t, err := describe(c, DefaultTable); t != nil || err != nil {
		return t, err
	}
	t, err := describe(c, format.PythonTable)
	if errors.Is(err, engine.ErrInvalid) {
		return nil, nil // something else by that name
	}
	return t, err
}

// checkLayoutVersion refuses files of a later version of this package.
func checkLayoutVersion(c *driver.Conn) error {
	there, err := hasObject(c, "table", format.LayoutTable)
	if err != nil || !there {
		return err
	}
	s, err := c.Prepare(`SELECT value FROM ` + format.LayoutTable + ` WHERE name = 'version'`)
	if err != nil {
		return err
	}
	row, err := s.Step()
	if err != nil || !row {
		return err
	}
	v := s.ColString(0)
	s.Reset()
	return format.CheckVersion(v)
}

// describe reads the columns of a key-value table; nil if there is no such table.
func describe(c *driver.Conn, name string) (*table, error) {
	if err := checkTableSchema(c, name); err != nil {
		return nil, err
	}
	name, err := spelling(c, name)
	if err != nil || name == "" {
		return nil, err
	}
	s, err := c.Prepare(`SELECT name, upper(type), pk, "notnull" OR dflt_value IS NOT NULL FROM pragma_table_xinfo(?1)`)
	if err != nil {
		return nil, err
	}
	defer s.Reset()
	t := &table{name: name}
	if err := t.scanColumns(s.Text(1, name)); err != nil {
		return nil, err
	}
	if err := checkColumns(t); err != nil {
		return t, err
	}
	for suffix, columns := range map[string]string{
		format.MetaSuffix: format.MetaColumns, format.ForeignSuffix: format.ForeignColumns,
	} {
		if err := checkOwnTable(c, t.name+suffix, columns); err != nil {
			return t, err
		}
	}
	if err := t.findTracking(c); err != nil {
		return t, err
	}
	t.sql = newStatements(t)
	if _, err = c.Prepare(t.sql.rowOf); driver.KindOf(err) == driver.BadSchema {
		err = fmt.Errorf("table %q has no row ids (%v); choose another table: %w", t.name, err, engine.ErrInvalid)
	}
	if err != nil {
		return t, err
	}
	return t, t.dropInsertNew(c)
}

// scanColumns finds out from the columns of a table what kind it is. Metadata lies in the rows only
// if all columns for it are as create makes them.
func (t *table) scanColumns(s *driver.Stmt) error {
	columns := map[string]string{}
	last, free := "", ""
	for {
		row, err := s.Step()
		if err != nil {
			return err
		}
		if !row {
			break
		}
		last = strings.ToLower(s.ColString(0))
		columns[last] = s.ColString(1)
		if last == "id" && s.ColInt(2) == 1 {
			t.rowID = "id"
		}
		if s.ColInt(3) == 0 {
			free += last + " " + s.ColString(1) + ", "
		}
	}
	_, hasKey := columns["key"]
	_, hasValue := columns["value"]
	_, t.sized = columns["size"]
	t.valueLast = last == "value"
	switch {
	case !hasKey || !hasValue:
		t.rowID = ""
	case t.rowID == "id" && columns["id"] == "INTEGER":
		t.inRow = strings.Contains(", "+free, ", "+rowMeta+", ")
	case t.rowID == "" && len(columns) == 2:
		t.rowID = "key"
	default:
		t.rowID = ""
	}
	return nil
}

// checkColumns refuses a table that is no key-value table.
func checkColumns(t *table) error {
	if t.rowID == "" {
		return fmt.Errorf("table %q has other columns than a key-value table; choose another table: %w", t.name, engine.ErrInvalid)
	}
	return nil
}

// establish makes what is missing: the key-value table, and the tables and triggers beside it.
func establish(c *driver.Conn, name string) (*table, error) {
	if err := c.Begin(true); err != nil {
		return nil, err
	}
	defer c.Rollback()
	t, err := inspect(c, name)
	if err != nil {
		return nil, err
	}
	if t == nil {
		if name == "" {
			name = DefaultTable
		}
		if err := c.Exec(create(name)); err != nil {
			return nil, err
		}
		if t, err = inspect(c, name); err != nil {
			return nil, err
		}
	}
	if !t.tracked {
		if err := t.track(c); err != nil {
			return nil, err
		}
	}
	return t, c.Commit()
}

// findTracking looks for the table beside and the triggers. Where a trigger is missing, another
// program has changed rows without it, or has dropped the table, or renamed it, and made it anew:
// its row ids name other rows now. Metadata is not believed then.
func (t *table) findTracking(c *driver.Conn) error {
	beside, err := hasObject(c, "table", t.auxTable())
	if err != nil || !beside {
		return err
	}
	for _, trigger := range t.triggers() {
		found, err := texts(c, `SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND name = `+literal(trigger)+` COLLATE NOCASE
			AND tbl_name = `+literal(t.name)+` COLLATE NOCASE`)
		if err != nil || len(found) == 0 {
			return err
		}
	}
	t.tracked = true
	return nil
}

// track drops and makes the table beside and the triggers of a key-value table, and has nobody
// believe metadata that is there. The transaction has changed the schema then.
func (t *table) track(c *driver.Conn) error {
	if err := t.dropAux(c); err != nil {
		return err
	}
	sql := t.createAux()
	if t.inRow {
		sql += t.replacer().Replace(`INSERT INTO {b} SELECT id FROM {t}`)
	}
	if err := c.Exec(sql); err != nil {
		return err
	}
	t.tracked = true
	t.sql = newStatements(t)
	var err error
	if t.version, err = c.SchemaVersion(); err != nil {
		return err
	}
	return t.dropInsertNew(c)
}

// dropAux drops what may be left of the auxiliary tables and the triggers, of either layout.
func (t *table) dropAux(c *driver.Conn) error {
	sql := createShared
	for _, of := range []*table{{name: t.name}, {name: t.name, inRow: true}} {
		there, err := hasObject(c, "table", of.auxTable())
		if err != nil {
			return err
		}
		if there && !of.inRow {
			sql += `INSERT OR IGNORE INTO {orphans} SELECT stage FROM {b} WHERE stage IS NOT NULL;`
		}
		for _, trigger := range of.triggers() {
			sql += `DROP TRIGGER IF EXISTS ` + quoted(trigger) + `;`
		}
		sql = of.replacer().Replace(sql + `DROP TABLE IF EXISTS {b};`)
	}
	return c.Exec(sql)
}

// dropInsertNew does without that statement where nothing makes the keys of a foreign table unique.
func (t *table) dropInsertNew(c *driver.Conn) error {
	_, err := c.Prepare(t.sql.insertNew)
	if driver.KindOf(err) == driver.BadSchema {
		t.sql.insertNew, err = "", nil
	}
	return err
}
