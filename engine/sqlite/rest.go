package sqlite

import (
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
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
	place  restPlace
	stream *rawfile.Stream
	row    int64 // that stream reads, up to at
	at     int64
	// array, chunk and size tell which chunk of an array the row is, once one was looked for.
	array, chunk, size int64
}

// restPlace is where a column of a table is found.
type restPlace struct {
	root   uint32 // of the table
	column int    // of the record
}

// restNote is what a connection knows of the file for as long as nobody commits.
type restNote struct {
	file   *rawfile.File
	places map[[2]string]restPlace
	// chunks reads chunks of arrays. It stays where it is between transactions: a column is read in many of them.
	chunks *rest
}

// newRest reads the given column of a table; it returns nil if that cannot be done.
func newRest(c *driver.Conn, table, column string) *rest {
	of := c.AtRest()
	if of == nil {
		return nil
	}
	note, ok := of.Note().(*restNote)
	if !ok {
		file, err := rawfile.View(of.ReaderAt)
		if err != nil {
			return nil
		}
		note = &restNote{file: file, places: map[[2]string]restPlace{}}
		of.SetNote(note)
	}
	place, ok := note.places[[2]string{table, column}]
	if !ok {
		var err error
		if place, ok, err = findPlace(c, table, column); err != nil || !ok {
			return nil
		}
		note.places[[2]string{table, column}] = place
	}
	return &rest{of: of, file: note.file, place: place, array: -1}
}

// chunksRest reads chunks of arrays; it goes on where the connection's last transaction was.
func chunksRest(c *driver.Conn) *rest {
	r := newRest(c, format.ArrayChunkTable, "data")
	if r == nil {
		return nil
	}
	note := r.of.Note().(*restNote)
	if note.chunks == nil {
		note.chunks = r
	}
	note.chunks.of = r.of
	return note.chunks
}

// findPlace finds a column of a table whose columns all lie in its records.
func findPlace(c *driver.Conn, table, column string) (place restPlace, ok bool, err error) {
	st, err := c.Prepare(`SELECT s.rootpage, c.cid FROM sqlite_schema s, pragma_table_xinfo(s.name) c
		WHERE s.type = 'table' AND s.name = ?1 AND c.name = ?2 COLLATE NOCASE AND (SELECT max(hidden) FROM pragma_table_xinfo(s.name)) = 0`)
	if err != nil {
		return place, false, err
	}
	defer st.Reset()
	ok, err = st.Text(1, table).Text(2, column).Step()
	return restPlace{uint32(st.ColInt(0)), int(st.ColInt(1))}, ok, err
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
	rec, err := r.file.Lookup(r.place.root, row)
	if err != nil || rec == nil {
		return
	}
	if rec.Class(r.place.column) != rawfile.Blob || rec.Size(r.place.column) != size {
		return
	}
	if r.stream, err = rec.Stream(r.place.column); err == nil {
		r.row, r.at = row, 0
	}
}

func (r *rest) close() {
	if r.stream != nil {
		r.stream.Close()
		r.stream = nil
	}
}
