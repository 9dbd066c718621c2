package sqlite

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
)

// A vault may come from anybody. These refuse a schema that would run something of its author's whenever the vault is used:
// a view or a virtual table in the place of a table, columns that are computed, indexes of expressions. Triggers are switched off.

// ownColumns are the columns of the tables that only this package makes.
var ownColumns = map[string]string{
	format.LayoutTable:  "name value",
	format.ValuesTable:  "id nonce chunk_bytes size sum tbl key owner beat",
	format.ChunksTable:  "id sum data",
	format.OrphansTable: "id",
}

// ownIndex is the only index of these that is more than a part of its table.
const ownIndex = "kvault_values_owner"

// guardFile looks at what belongs to no key-value table in particular.
func guardFile(c *driver.Conn) error {
	encoding, err := texts(c, `PRAGMA encoding`)
	if err != nil {
		return err
	}
	if !slices.Equal(encoding, []string{"UTF-8"}) {
		return fmt.Errorf("the file keeps text as %s; a vault needs UTF-8: copy the table into a new file: %w", strings.Join(encoding, ""), engine.ErrUnsupported)
	}
	for name, columns := range ownColumns {
		if err := guardOwn(c, name, columns); err != nil {
			return err
		}
	}
	return nil
}

// guardOwn refuses a table that this package cannot have made so.
func guardOwn(c *driver.Conn, name, columns string) error {
	if err := guardTable(c, name); err != nil {
		return err
	}
	found, err := texts(c, `SELECT group_concat(lower(name), ' ') FROM pragma_table_xinfo(`+literal(name)+`) HAVING count(*) > 0`)
	if err != nil || len(found) == 0 {
		return err
	}
	active, err := texts(c, `SELECT name FROM sqlite_schema WHERE tbl_name = `+literal(name)+` COLLATE NOCASE AND (type = 'table' AND sql LIKE '%check%'
		OR type = 'index' AND sql IS NOT NULL AND name <> '`+ownIndex+`')
		UNION ALL SELECT name FROM pragma_table_xinfo(`+literal(name)+`) WHERE dflt_value IS NOT NULL`)
	if err != nil {
		return err
	}
	if found[0] != columns || len(active) > 0 {
		return fmt.Errorf("%w: table %s is not as kvault makes it: somebody altered it", engine.ErrCorrupt, name)
	}
	return nil
}

// guardTable refuses what is no plain table, or computes something. That there is nothing by that name is no error.
func guardTable(c *driver.Conn, name string) error {
	quoted := literal(name)
	// By itself, because asking for the columns of a virtual table would run its module.
	found, err := texts(c, `SELECT CASE WHEN type <> 'table' THEN 'it is of type ' || type ELSE 'it is a virtual table' END
		FROM sqlite_schema WHERE type <> 'trigger' AND name = `+quoted+` COLLATE NOCASE AND (type <> 'table' OR rootpage = 0)`)
	if err != nil || len(found) > 0 {
		return refuse(name, found, err)
	}
	found, err = texts(c, `SELECT 'its column ' || name || ' is computed' FROM pragma_table_xinfo(`+quoted+`) WHERE hidden > 0
		UNION ALL SELECT 'its index ' || l.name || ' has an expression' FROM pragma_index_list(`+quoted+`) l
		WHERE l.origin = 'c' AND (l.partial AND l.name <> '`+ownIndex+`' OR EXISTS (SELECT 1 FROM pragma_index_xinfo(l.name) WHERE cid = -2))`)
	return refuse(name, found, err)
}

func refuse(name string, why []string, err error) error {
	if err == nil && len(why) > 0 {
		err = fmt.Errorf("%q cannot be used as a table of the vault: %s: %w", name, why[0], engine.ErrInvalid)
	}
	return err
}

// literal is a text in SQL.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// guardArrays is guardTable for the tables of arrays.
func guardArrays(c *driver.Conn) error {
	for _, name := range []string{format.ArrayTable, format.ArrayChunkTable} {
		if err := guardTable(c, name); err != nil {
			return err
		}
	}
	return nil
}
