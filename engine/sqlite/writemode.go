package sqlite

import (
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
)

const (
	// boundBytes is the largest new value that is always bound to a statement as a whole. It is
	// copied twice before it reaches pages, each time to memory that no cache of the processor
	// holds; for longer ones it costs less to make pages of zeros and fill them.
	boundBytes = 128 << 10
	// copyBytes is how much of a value is copied to SQLite's memory at a time: little enough to
	// stay in the processor's cache until it is in pages.
	copyBytes = 64 << 10
)

// writeMode is how a value is stored.
type writeMode uint8

const (
	boundWhole  writeMode = iota // bound to a statement
	filledLater                  // zeros at first, which take no memory, then written over piece by piece
	inChunks                     // in rows of its own
)

// writeModeOf chooses the mode. Values that replace others are bound if they are small: SQLite
// writes no page of them that stays the same.
func (ses *session) writeModeOf(src *source, user map[string]string, isNew bool) (writeMode, error) {
	if src.mustChunk || src.size > ses.t.rowLimit(ses.s.opt.OneRowLimit, user) {
		return inChunks, nil
	}
	if src.inMemory() && src.size <= boundBytes {
		return boundWhole, nil
	}
	plain, err := ses.plain(ses.t.name)
	switch {
	case err != nil:
		return 0, err
	case !plain && src.size > smallBytes:
		return inChunks, nil
	case !plain:
		return boundWhole, nil
	case src.inMemory() && src.size <= smallBytes && !(isNew && ses.t.valueLast && ses.fitsCache(src.size)):
		return boundWhole, nil
	}
	return filledLater, nil
}

// fitsCache says whether so many zeros stay in the page cache until they are written over.
func (ses *session) fitsCache(size int64) bool { return size <= int64(ses.s.opt.CacheKB)<<10/2 }

// plainTables are the tables that are plain, or are not, in one version of the schema.
type plainTables struct {
	version int64
	known   map[string]bool
}

// plain says that no rule of a table looks at values, or is an index of them: it would see the
// zeros that are there at first. Other programs may make such rules while the file is open.
func (ses *session) plain(table string) (bool, error) {
	if ses.remade || ses.s.writer == nil {
		return ses.findPlain(table)
	}
	version, err := ses.c.SchemaVersion()
	if err != nil {
		return false, err
	}
	p := &ses.s.writer.plain
	if p.known == nil || p.version != version {
		p.version, p.known = version, map[string]bool{}
	}
	is, ok := p.known[table]
	if !ok {
		if is, err = ses.findPlain(table); err != nil {
			return false, err
		}
		p.known[table] = is
	}
	return is, nil
}

func (ses *session) findPlain(table string) (bool, error) {
	st, err := ses.c.Prepare(`SELECT NOT ` + hasCheck + ` AND NOT EXISTS (SELECT 1 FROM pragma_foreign_key_list(s.name))
		AND NOT EXISTS (SELECT 1 FROM pragma_index_list(s.name) l WHERE l.partial
			OR EXISTS (SELECT 1 FROM pragma_index_xinfo(l.name) x WHERE x.key AND x.name IS NOT 'key'))
		FROM sqlite_schema s WHERE s.type = 'table' AND s.name = ?1`)
	if err != nil {
		return false, err
	}
	defer st.Reset()
	there, err := st.Text(1, table).Step()
	return there && st.ColInt(0) == 1, err
}

// writePieces inserts or updates a row whose value comes in pieces.
func (ses *session) writePieces(e engine.Entry, old *row, w writeMode, each func(func(p []byte) error) error) (int64, error) {
	if w == boundWhole {
		var value []byte
		if err := each(func(p []byte) error { value = append(value, p...); return nil }); err != nil {
			return 0, err
		}
		return ses.writeRow(e, 0, value, old)
	}
	rowid, err := ses.writeRowWith(e, 0, old, func(st *driver.Stmt) { st.Zero(2, e.Size) })
	if err != nil || e.Size == 0 {
		return rowid, err
	}
	return rowid, ses.fillCell(ses.t.name, "value", rowid, each)
}

// fillCell writes pieces, as much as there are zeros, into a cell of a plain table.
func (ses *session) fillCell(table, column string, rowid int64, each func(func(p []byte) error) error) error {
	blob, err := ses.c.OpenBlob(table, column, rowid, true)
	if err != nil {
		return err
	}
	off := int64(0)
	err = each(func(p []byte) error {
		for len(p) > 0 {
			n := min(len(p), copyBytes)
			if err := blob.WriteAt(p[:n], off); err != nil {
				return err
			}
			p, off = p[n:], off+int64(n)
		}
		return nil
	})
	if closeErr := blob.Close(); err == nil {
		err = closeErr
	}
	return err
}
