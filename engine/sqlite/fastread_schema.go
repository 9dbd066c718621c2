package sqlite

import (
	"sync"

	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
)

// fastSchema is where columns and the index of keys are. It holds for as long as the schema is the
// same.
type fastSchema struct {
	keys  uint32     // root page of the index of keys; 0 if there is none that can be read so
	value fastColumn // of the key-value table
	// sum and tag are columns of the key-value table if that has the metadata, else of the table
	// beside; their root is 0 if nothing is to be compared. beside is the root page of that table,
	// which is of rows, or of keys.
	sum, tag fastColumn
	aux      uint32
	byKey    bool

	mu      sync.Mutex
	columns map[[2]string]fastColumn
}

// fastColumn is where a column of a table is.
type fastColumn struct {
	root   uint32 // root page of the table; 0 if the table cannot be read so
	number int    // of the column in a record
}

// fastSchema finds what every get needs.
func (ses *session) fastSchema() (s *fastSchema, err error) {
	s = &fastSchema{columns: map[[2]string]fastColumn{}}
	if s.keys, err = findKeyIndex(ses.c, ses.t.name); err != nil {
		return nil, err
	}
	if s.value, err = s.column(ses.c, ses.t.name, "value"); err != nil {
		return nil, err
	}
	if !ses.t.tracked || ses.s.opt.DisableVerification {
		return s, nil
	}
	s.byKey = ses.t.rowID == "key"
	id, err := s.column(ses.c, ses.t.auxTable(), "id")
	if err != nil {
		return nil, err
	}
	s.aux = id.root
	in := ses.t.auxTable()
	if ses.t.inRow {
		in = ses.t.name
	}
	if s.tag, err = s.column(ses.c, in, "tag"); err != nil {
		return nil, err
	}
	if s.sum, err = s.column(ses.c, in, "sum"); s.sum.root == 0 {
		s.value.root = 0 // nothing is returned without being compared
	}
	return s, err
}

// findKeyIndex returns the root page of the unique index that has the keys alone, as blobs in their
// order; 0 if there is none, as in some tables of other programs.
func findKeyIndex(c *driver.Conn, table string) (root uint32, err error) {
	st, err := c.Prepare(`SELECT i.rootpage FROM pragma_index_list(?1) l
		JOIN sqlite_schema i ON i.type = 'index' AND i.name = l.name
		WHERE l."unique" AND NOT l.partial AND (SELECT count(*) FROM pragma_index_xinfo(l.name)) = 2
		AND EXISTS (SELECT 1 FROM pragma_index_xinfo(l.name)
			WHERE seqno = 0 AND name = 'key' COLLATE NOCASE AND NOT "desc" AND coll = 'BINARY')
		AND EXISTS (SELECT 1 FROM pragma_index_xinfo(l.name) WHERE seqno = 1 AND cid = -1)`)
	if err != nil {
		return 0, err
	}
	defer st.Reset()
	if there, err := st.Text(1, table).Step(); err != nil || !there {
		return 0, err
	}
	return uint32(st.ColInt(0)), nil
}

// column finds a column of a table whose columns all lie in its records.
func (s *fastSchema) column(c *driver.Conn, table, name string) (found fastColumn, err error) {
	key := [2]string{table, name}
	s.mu.Lock()
	defer s.mu.Unlock()
	if found, known := s.columns[key]; known {
		return found, nil
	}
	st, err := c.Prepare(`SELECT s.rootpage, c.cid FROM sqlite_schema s, pragma_table_xinfo(s.name) c
		WHERE s.type = 'table' AND s.name = ?1 AND c.name = ?2 COLLATE NOCASE
		AND (SELECT max(hidden) FROM pragma_table_xinfo(s.name)) = 0`)
	if err != nil {
		return found, err
	}
	defer st.Reset()
	there, err := st.Text(1, table).Text(2, name).Step()
	if err != nil {
		return found, err
	}
	if there {
		found = fastColumn{uint32(st.ColInt(0)), int(st.ColInt(1))}
	}
	s.columns[key] = found
	return found, nil
}
