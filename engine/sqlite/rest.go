package sqlite

import (
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/rawfile"
)

const (
	// restValue is the smallest value, and restPiece the smallest piece of one, that is read past SQLite.
	restValue = 256 << 10
	restPiece = 16 << 10
)

// rest reads values in order from the file itself, many pages at a time and without a second copy in SQLite's memory. It can
// where the snapshot needs nothing of the log. Whatever it does not like, it leaves to SQLite, which knows what to make of it.
type rest struct {
	of     *driver.Rest
	file   *rawfile.File
	root   uint32 // of the table
	column int    // of the record
	stream *rawfile.Stream
	row    int64 // that stream reads, up to at
	at     int64
}

// newRest reads the given column of a table; it returns nil if that cannot be done.
func newRest(c *driver.Conn, table, column string) *rest {
	of := c.AtRest()
	if of == nil {
		return nil
	}
	st, err := c.Prepare(`SELECT s.rootpage, c.cid FROM sqlite_schema s, pragma_table_info(s.name) c
		WHERE s.type = 'table' AND s.name = ?1 AND c.name = ?2 COLLATE NOCASE`)
	if err != nil {
		return nil
	}
	defer st.Reset()
	there, err := st.Text(1, table).Text(2, column).Step()
	if err != nil || !there {
		return nil
	}
	file, err := rawfile.View(of.ReaderAt)
	if err != nil {
		return nil
	}
	return &rest{of: of, file: file, root: uint32(st.ColInt(0)), column: int(st.ColInt(1))}
}

// read fills p with a part of a row's column, which holds size bytes, or says that it cannot.
func (r *rest) read(p []byte, row, at, size int64) bool {
	if !r.of.Valid() {
		return false
	}
	if at == 0 && (r.stream == nil || r.row != row || r.at != 0) {
		r.begin(row, size)
	}
	if r.stream == nil || r.row != row || r.at != at || r.stream.ReadFull(p) != nil {
		r.close()
		return false
	}
	r.at += int64(len(p))
	return true
}

func (r *rest) begin(row, size int64) {
	r.close()
	rec, err := r.file.Lookup(r.root, row)
	if err != nil || rec == nil {
		return
	}
	if rec.Class(r.column) != rawfile.Blob || rec.Size(r.column) != size {
		return
	}
	if r.stream, err = rec.Stream(r.column); err == nil {
		r.row, r.at = row, 0
	}
}

func (r *rest) close() {
	if r.stream != nil {
		r.stream.Close()
		r.stream = nil
	}
}
