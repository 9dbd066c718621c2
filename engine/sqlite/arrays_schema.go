package sqlite

import (
	"context"
	"fmt"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
)

// The tables of arrays, as the Python package makes them.
const (
	createArrays = `
CREATE TABLE ` + format.ArrayTable + `(col_id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, dtype TEXT NOT NULL,
  elem_size INTEGER NOT NULL, length INTEGER NOT NULL, chunk_bytes INTEGER NOT NULL,
  min_chunk_bytes INTEGER DEFAULT 131072, max_chunk_bytes INTEGER DEFAULT 16777216);
CREATE INDEX IF NOT EXISTS col_meta_name_idx ON ` + format.ArrayTable + `(name);
CREATE TABLE ` + format.ArrayChunkTable + `(col_id INTEGER NOT NULL, chunk_idx INTEGER NOT NULL, data BLOB NOT NULL,
  actual_size INTEGER NOT NULL, bytes_used INTEGER NOT NULL DEFAULT 0, has_deleted INTEGER NOT NULL DEFAULT 0,
  start_elem_idx INTEGER DEFAULT 0, end_elem_idx INTEGER DEFAULT 0,
  PRIMARY KEY (col_id, chunk_idx), FOREIGN KEY (col_id) REFERENCES ` + format.ArrayTable + `(col_id) ON DELETE CASCADE);
`
	addUsage = `
ALTER TABLE ` + format.ArrayChunkTable + ` ADD COLUMN bytes_used INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ` + format.ArrayChunkTable + ` ADD COLUMN has_deleted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ` + format.ArrayChunkTable + ` ADD COLUMN start_elem_idx INTEGER DEFAULT 0;
ALTER TABLE ` + format.ArrayChunkTable + ` ADD COLUMN end_elem_idx INTEGER DEFAULT 0;
`
)

// arrayTables is what is known of the tables of arrays. The zero value has not looked yet.
type arrayTables struct {
	there bool
	// bounded tables say how long chunks may be; those of the package's 0.2.0 have one fixed length
	// instead.
	bounded bool
	// usage says that chunks have columns for how much of them is in use, which came with 0.4.
	usage bool
}

// knownArrays is what was found in the file as of a version of its schema.
type knownArrays struct {
	schema int64
	tables arrayTables
}

// findArrays says whether the file has the tables of arrays, and refuses such as are of another
// make.
func (ses *session) findArrays() (bool, error) {
	if ses.arrays.there {
		return true, nil
	}
	schema, err := ses.c.SchemaVersion()
	if err != nil {
		return false, err
	}
	if known := ses.s.arrays.Load(); known != nil && known.schema == schema {
		ses.arrays = known.tables
		return true, nil
	}
	there, err := ses.lookForArrays()
	if there && !ses.remade {
		ses.s.arrays.Store(&knownArrays{schema, ses.arrays})
	}
	return there, err
}

func (ses *session) lookForArrays() (bool, error) {
	if err := checkArrayTables(ses.c); err != nil {
		return false, err
	}
	meta, err := columnsOf(ses.c, format.ArrayTable)
	if err != nil {
		return false, err
	}
	chunks, err := columnsOf(ses.c, format.ArrayChunkTable)
	if err != nil || len(meta)+len(chunks) == 0 {
		return false, err
	}
	for table, missing := range map[string]string{
		format.ArrayTable:      firstMissing(meta, "col_id", "name", "dtype", "elem_size", "length", "chunk_bytes"),
		format.ArrayChunkTable: firstMissing(chunks, "col_id", "chunk_idx", "data", "actual_size"),
	} {
		if missing != "" {
			return false, fmt.Errorf("table %s has no column %s: its layout is not known here: %w", table, missing, engine.ErrUnsupported)
		}
	}
	ses.arrays = arrayTables{
		there:   true,
		bounded: firstMissing(meta, "min_chunk_bytes", "max_chunk_bytes") == "",
		usage:   firstMissing(chunks, "bytes_used", "has_deleted") == "",
	}
	return true, nil
}

func columnsOf(c *driver.Conn, table string) (map[string]bool, error) {
	st, err := c.Prepare(`SELECT lower(name) FROM pragma_table_info(?1)`)
	if err != nil {
		return nil, err
	}
	defer st.Reset()
	st.Text(1, table)
	names := map[string]bool{}
	for {
		row, err := st.Step()
		if err != nil || !row {
			return names, err
		}
		names[st.ColString(0)] = true
	}
}

func firstMissing(there map[string]bool, want ...string) string {
	for _, name := range want {
		if !there[name] {
			return name
		}
	}
	return ""
}

// makeArrays makes the tables of arrays, or adds to old ones what newer arrays need; every version
// of the package can read and write them then.
func (ses *session) makeArrays() error {
	there, err := ses.findArrays()
	switch {
	case err != nil || ses.arrays.usage:
		return err
	case there:
		err = ses.c.Exec(addUsage)
	default:
		err = ses.c.Exec(createArrays)
	}
	if err != nil {
		return err
	}
	ses.arrays, ses.remade = arrayTables{}, true
	_, err = ses.lookForArrays()
	return err
}

// selectArray is the start of a statement whose rows scan reads.
func (at *arrayTables) selectArray() string {
	if at.bounded {
		return `SELECT col_id, name, dtype, elem_size, length, coalesce(min_chunk_bytes, 131072), coalesce(max_chunk_bytes, 16777216)
			FROM ` + format.ArrayTable
	}
	// 0.2.0 puts as many whole elements into a chunk as fit.
	return `SELECT col_id, name, dtype, elem_size, length, chunk_bytes - chunk_bytes % elem_size, chunk_bytes - chunk_bytes % elem_size
		FROM ` + format.ArrayTable
}

func (at *arrayTables) scan(st *driver.Stmt) engine.Array {
	return engine.Array{ID: st.ColInt(0), Name: st.ColString(1), Type: st.ColString(2), ElemSize: st.ColInt(3), Length: st.ColInt(4),
		MinChunk: st.ColInt(5), MaxChunk: st.ColInt(6)}
}

var _ engine.ForeignArrays = (*tx)(nil)

// ForeignArrays lists the columns of versions 1.x of the Python package.
func (x *tx) ForeignArrays(ctx context.Context) (list []engine.Array, err error) {
	err = x.in(ctx, func(ses *session) error {
		if there, err := ses.foreignThere(); err != nil || !there {
			return err
		}
		return ses.each(`SELECT name, dtype, elem_size, length FROM `+format.BlockArrayTable+` ORDER BY col_id`, func(st *driver.Stmt) {
			list = append(list, engine.Array{Name: st.ColString(0), Type: st.ColString(1), ElemSize: st.ColInt(2), Length: st.ColInt(3)})
		})
	})
	return list, err
}

// foreignThere says whether the file has the tables of 1.x.
func (ses *session) foreignThere() (bool, error) {
	columns, err := columnsOf(ses.c, format.BlockArrayTable)
	return firstMissing(columns, "col_id", "name", "dtype", "elem_size", "length") == "", err
}

// notForeign refuses the name of a column of 1.x.
func (ses *session) notForeign(name string) error {
	if there, err := ses.foreignThere(); err != nil || !there {
		return err
	}
	st, err := ses.c.Prepare(`SELECT (SELECT max(version) FROM ` + format.BlockFormatTable + `) FROM ` + format.BlockArrayTable + ` WHERE name = ?1`)
	if err != nil {
		return err
	}
	defer st.Reset()
	there, err := st.Text(1, name).Step()
	if err != nil || !there {
		return err
	}
	return &engine.LayoutError{
		Name:   name,
		Layout: fmt.Sprintf("versions 1.x of the Python package (tables kvault_col_*, format %d)", st.ColInt(0)),
		Way:    "read it with the package, ColumnVault(path)[name].read(), and append the elements to a column of another name here; or keep columns with its version 0.9, whose keys and values are the same",
	}
}
