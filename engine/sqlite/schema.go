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
	// rowID is the column that names a row in the metadata table: id, or key in tables without an id, whose row ids
	// VACUUM may change.
	rowID string
	// sized tables have a size column. valueLast says that no column follows the value, so that a zeroblob
	// takes no memory.
	sized, valueLast bool
	// tracked says that the metadata table is there, and all triggers that keep it true.
	tracked bool
	// version is that of the schema in which the table was like this.
	version int64
	sql     statements
}

// triggerSuffixes follow the metadata table's name.
var triggerSuffixes = [...]string{"_insert", "_update", "_delete"}

func quoted(name string) string { return driver.Quote(name) }

func (t *table) meta() string { return t.name + format.MetaSuffix }

// create is the SQL that makes the key-value table.
func (t *table) create() string {
	return `CREATE TABLE ` + quoted(t.name) + `(
  id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, size INTEGER NOT NULL DEFAULT -1, value BLOB NOT NULL)`
}

// createMeta is the SQL of the metadata table and of the triggers by which other programs keep it true: they fire for
// them alone, since our own connections run with triggers switched off.
func (t *table) createMeta() string {
	idColumn, tail := "id INTEGER PRIMARY KEY", ""
	if t.rowID == "key" {
		idColumn, tail = "id BLOB PRIMARY KEY NOT NULL", " WITHOUT ROWID"
	}
	drop := func(row string) string {
		return strings.NewReplacer("{m}", quoted(t.meta()), "{row}", row+"."+t.rowID).Replace(`
  INSERT OR IGNORE INTO ` + format.OrphansTable + ` SELECT stage FROM {m} WHERE id = {row} AND stage IS NOT NULL;
  DELETE FROM {m} WHERE id = {row};`)
	}
	r := strings.NewReplacer("{m}", quoted(t.meta()), "{t}", quoted(t.name), "{id}", idColumn, "{tail}", tail,
		"{ti}", quoted(t.meta()+triggerSuffixes[0]), "{tu}", quoted(t.meta()+triggerSuffixes[1]), "{td}", quoted(t.meta()+triggerSuffixes[2]))
	return r.Replace(`
CREATE TABLE IF NOT EXISTS {m}({id}, tag INTEGER NOT NULL, mtime INTEGER NOT NULL, sum INTEGER NOT NULL,
  stage INTEGER, type TEXT, user TEXT){tail};
CREATE TRIGGER IF NOT EXISTS {ti} AFTER INSERT ON {t} BEGIN`) + drop("NEW") + r.Replace(`
END;
CREATE TRIGGER IF NOT EXISTS {tu} AFTER UPDATE ON {t} BEGIN`) + drop("OLD") + drop("NEW") + r.Replace(`
END;
CREATE TRIGGER IF NOT EXISTS {td} AFTER DELETE ON {t} BEGIN`) + drop("OLD") + `
END;
`
}

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
	if err := guardFile(c); err != nil {
		return nil, err
	}
	if err := checkLayout(c); err != nil {
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

// checkLayout refuses files of a later version of this package.
func checkLayout(c *driver.Conn) error {
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

func hasObject(c *driver.Conn, kind, name string) (bool, error) {
	s, err := c.Prepare(`SELECT 1 FROM sqlite_schema WHERE type = ?1 AND name = ?2 COLLATE NOCASE`)
	if err != nil {
		return false, err
	}
	defer s.Reset()
	return s.Text(1, kind).Text(2, name).Step()
}

// spelling is the name of a table as the file has it, or empty if there is no such table. The rows of large values
// name their table by it, whatever case a caller writes.
func spelling(c *driver.Conn, table string) (string, error) {
	s, err := c.Prepare(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE`)
	if err != nil {
		return "", err
	}
	defer s.Reset()
	there, err := s.Text(1, table).Step()
	if err != nil || !there {
		return "", err
	}
	return s.ColString(0), nil
}

// describe reads the columns of a key-value table; nil if there is no such table.
func describe(c *driver.Conn, name string) (*table, error) {
	if err := guardTable(c, name); err != nil {
		return nil, err
	}
	name, err := spelling(c, name)
	if err != nil || name == "" {
		return nil, err
	}
	s, err := c.Prepare(`SELECT name, upper(type), pk FROM pragma_table_xinfo(?1)`)
	if err != nil {
		return nil, err
	}
	defer s.Reset()
	t := &table{name: name}
	columns := map[string]string{}
	last := ""
	s.Text(1, name)
	for {
		row, err := s.Step()
		if err != nil {
			return nil, err
		}
		if !row {
			break
		}
		last = strings.ToLower(s.ColString(0))
		columns[last] = s.ColString(1)
		if last == "id" && s.ColInt(2) == 1 {
			t.rowID = "id"
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
	case t.rowID == "" && len(columns) == 2:
		t.rowID = "key"
	default:
		t.rowID = ""
	}
	if err := checkColumns(t); err != nil {
		return t, err
	}
	if err := guardOwn(c, t.meta(), format.MetaColumns); err != nil {
		return t, err
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
		if err := c.Exec((&table{name: name}).create()); err != nil {
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

// findTracking looks for the metadata table and its triggers. Where a trigger is missing, another
// program has changed rows without it, or has dropped the table, or renamed it, and made it anew:
// its row ids name other rows now. Metadata is not believed then.
func (t *table) findTracking(c *driver.Conn) error {
	meta, err := hasObject(c, "table", t.meta())
	if err != nil || !meta {
		return err
	}
	s, err := c.Prepare(`SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND name = ?1 COLLATE NOCASE AND tbl_name = ?2 COLLATE NOCASE`)
	if err != nil {
		return err
	}
	defer s.Reset()
	for _, suffix := range triggerSuffixes {
		there, err := s.Text(1, t.meta()+suffix).Text(2, t.name).Step()
		if err != nil || !there {
			return err
		}
		s.Reset()
	}
	t.tracked = true
	return nil
}

// track drops and makes the metadata table and the triggers of a key-value table. The transaction
// has changed the schema then.
func (t *table) track(c *driver.Conn) error {
	stale, err := hasObject(c, "table", t.meta())
	if err != nil {
		return err
	}
	sql := createShared
	if stale {
		sql += `INSERT OR IGNORE INTO ` + format.OrphansTable + ` SELECT stage FROM ` + quoted(t.meta()) + ` WHERE stage IS NOT NULL;
DROP TABLE ` + quoted(t.meta()) + `;`
	}
	for _, suffix := range triggerSuffixes {
		sql += `DROP TRIGGER IF EXISTS ` + quoted(t.meta()+suffix) + `;`
	}
	if err := c.Exec(sql + t.createMeta()); err != nil {
		return err
	}
	t.tracked = true
	t.sql = newStatements(t)
	if t.version, err = c.SchemaVersion(); err != nil {
		return err
	}
	return t.dropInsertNew(c)
}

// dropInsertNew does without that statement where nothing makes the keys of a foreign table unique.
func (t *table) dropInsertNew(c *driver.Conn) error {
	_, err := c.Prepare(t.sql.insertNew)
	if driver.KindOf(err) == driver.BadSchema {
		t.sql.insertNew, err = "", nil
	}
	return err
}
