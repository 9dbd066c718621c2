package sqlite

import (
	"fmt"
	"hash/crc32"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
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

// source is where the bytes of a put come from: a slice, chunk rows, a temporary file, or the row
// of another key.
type source struct {
	size      int64
	sum       uint32
	bytes     []byte
	row       *row
	stage     *stage
	temp      *tempFile
	left      *stage // whose chunk rows are of no use, because the bytes are in temp too
	mustChunk bool   // bytes that would read as a reference
}

func (ses *session) sourceOf(op *engine.Op) (source, error) {
	if op.Staged == nil && op.Upload != nil {
		src, err := ses.sourceOfUpload(op.Upload)
		if err != nil {
			return src, err
		}
		return src, ses.findLookalike(&src)
	}
	if op.Staged == nil {
		sum := op.Meta.Sum
		if !op.Meta.HasSum {
			sum = crc32.Checksum(op.Value, format.Castagnoli)
		}
		_, lookalike := format.ParseReference(op.Value)
		return source{size: int64(len(op.Value)), sum: sum, bytes: op.Value, mustChunk: lookalike}, nil
	}
	st, ok := op.Staged.(*stage)
	if !ok || st.s != ses.s {
		return source{}, fmt.Errorf("the stage belongs to another store: %w", engine.ErrInvalid)
	}
	if err := st.usable(); err != nil {
		return source{}, err
	}
	if err := ses.mustOwn(st); err != nil {
		return source{}, err
	}
	src := source{size: st.size, sum: st.sum, temp: st.temp}
	switch {
	case st.id == 0:
	case st.temp == nil:
		src.stage = st
	default:
		src.left = st
	}
	return src, ses.findLookalike(&src)
}

// findLookalike looks whether the bytes of a source in chunk rows or in a file would read as a
// reference.
func (ses *session) findLookalike(src *source) error {
	if src.size != format.RefLen {
		return nil
	}
	var value []byte
	err := ses.eachPiece(*src, func(p []byte) error { value = append(value, p...); return nil })
	_, src.mustChunk = format.ParseReference(value)
	return err
}

// inMemory says whether the bytes are those of a slice and fit to be stored as they are.
func (src *source) inMemory() bool {
	return src.row == nil && src.stage == nil && src.temp == nil && src.left == nil && !src.mustChunk
}

// eachPiece hands out the bytes of the source in order.
func (ses *session) eachPiece(src source, fn func(p []byte) error) error {
	if src.row != nil {
		cu, err := ses.cursor(src.row, true)
		if err != nil {
			return err
		}
		return cu.each(fn)
	}
	if src.stage != nil {
		return ses.eachChunkOf(format.Reference{ID: src.stage.id, Size: src.size, ChunkBytes: src.stage.chunkBytes}, fn)
	}
	if src.temp != nil {
		return src.temp.each(src.size, fn)
	}
	for b := src.bytes; len(b) > 0; b = b[min(len(b), pieceBytes):] {
		if err := fn(b[:min(len(b), pieceBytes)]); err != nil {
			return err
		}
	}
	return nil
}
