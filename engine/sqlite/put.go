package sqlite

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
)

const (
	// pieceBytes is how much of a value passes through SQLite's memory at a time.
	pieceBytes = 1 << 20
	// smallBytes is the largest value that is read as a whole, and the largest that is bound to a
	// statement as a whole.
	smallBytes = 1 << 20
	// sumBytes is how much is read at a time of what is summed up.
	sumBytes = 256 << 10
)

// inlineLimit is the largest value kept as one row of this table, where the options allow limit.
func (t *table) inlineLimit(limit int64) int64 {
	if !t.valueLast {
		return min(limit, materialLimit())
	}
	return limit
}

// rowLimit is inlineLimit for a value with the user's metadata, which takes room in a row of layout
// 2: as JSON, which has at most six bytes for one.
func (t *table) rowLimit(limit int64, user map[string]string) int64 {
	most := int64(engine.MaxOneRow)
	if t.inRow {
		for name, value := range user {
			most -= 6 * int64(len(name)+len(value)+1)
		}
	}
	return t.inlineLimit(min(limit, most))
}

// put stores a value whatever is there. Most keys are new, so it looks for the row only if
// inserting one fails.
func (ses *session) put(op *engine.Op, res *engine.Result) error {
	e, src, err := ses.entryOf(op)
	if err != nil {
		return err
	}
	w, err := ses.writeModeOf(&src, e.Meta.User, true)
	if err != nil {
		return err
	}
	if ses.t.sql.insertNew != "" && src.inMemory() && w != inChunks {
		rowid, err := ses.insertNew(e, src, w)
		if err != nil {
			return err
		}
		if rowid != 0 {
			res.Entry = e
			return ses.putMeta(rowid, e, 0)
		}
	}
	old, err := ses.find(op.Key)
	if err != nil {
		return err
	}
	return ses.putOver(old, e, src, res)
}

// putIf stores a value in place of old, which is nil if there is none.
func (ses *session) putIf(op *engine.Op, old *row, res *engine.Result) error {
	e, src, err := ses.entryOf(op)
	if err != nil {
		return err
	}
	return ses.putOver(old, e, src, res)
}

// entryOf is what a put stores.
func (ses *session) entryOf(op *engine.Op) (engine.Entry, source, error) {
	e := engine.Entry{Key: op.Key, Meta: op.Meta}
	if err := fillMeta(&e.Meta); err != nil {
		return e, source{}, err
	}
	src, err := ses.sourceOf(op)
	e.Size = src.size
	e.Meta.Sum, e.Meta.HasSum = src.sum, true
	return e, src, err
}

func (ses *session) putOver(old *row, e engine.Entry, src source, res *engine.Result) error {
	res.Found, res.Entry = old != nil, e
	if old != nil {
		if err := ses.orphan(old); err != nil {
			return err
		}
	}
	if st := src.left; st != nil {
		if err := ses.orphanID(st.id, st.nonce); err != nil {
			return err
		}
	}
	w, err := ses.writeModeOf(&src, e.Meta.User, old == nil)
	if err != nil {
		return err
	}
	if w == inChunks {
		return ses.putChunked(e, src, old)
	}
	rowid, err := ses.putInline(e, src, old, w)
	if err != nil {
		return err
	}
	if src.stage != nil {
		if err := ses.orphanID(src.stage.id, src.stage.nonce); err != nil { // its bytes were copied into the row
			return err
		}
	}
	return ses.putMeta(rowid, e, 0)
}

// fillMeta gives a value that came without metadata a version of its own.
func fillMeta(m *engine.Meta) error {
	if m.Tag == "" {
		m.Tag = format.FormatTag(int64(rand.Uint64()))
	}
	if m.ModTime.IsZero() {
		m.ModTime = time.Now()
	}
	m.ModTime = m.ModTime.UTC()
	if len(m.User) == 0 {
		m.User = nil
	}
	return m.Check()
}

// putInline writes the value into its row and returns the row id.
func (ses *session) putInline(e engine.Entry, src source, old *row, w writeMode) (int64, error) {
	if src.inMemory() && w == boundWhole {
		return ses.writeRow(e, 0, src.bytes, old)
	}
	return ses.writePieces(e, old, w, func(fn func(p []byte) error) error { return ses.eachPiece(src, fn) })
}

// writeRow inserts or updates a row with a value in memory, or a reference to the chunk rows of
// stage.
func (ses *session) writeRow(e engine.Entry, stage int64, value []byte, old *row) (int64, error) {
	return ses.writeRowWith(e, stage, old, func(st *driver.Stmt) { st.Blob(2, value) })
}

// writeRowWith inserts or updates a row whose value, parameter 2, is bound by bind.
func (ses *session) writeRowWith(
	e engine.Entry, stage int64, old *row, bind func(*driver.Stmt),
) (rowid int64, err error) {
	sql := ses.t.sql.insert
	if old != nil {
		sql = ses.t.sql.update
	}
	st, err := ses.c.Prepare(sql)
	if err != nil {
		return 0, err
	}
	if old != nil {
		rowid, st = old.rowid, st.Int(1, old.rowid)
	} else {
		st = st.Key(1, e.Key)
	}
	if err := ses.execRow(st, e, stage, bind); err != nil {
		return 0, err
	}
	if ses.c.Changes() == 0 { // a rule of another program's table that ignores what breaks it
		return 0, fmt.Errorf("table %q ignores the row of %q by a rule of its own: %w", ses.t.name, e.Key, engine.ErrUnsupported)
	}
	if old == nil {
		rowid = ses.c.LastInsertRowID()
	}
	return rowid, nil
}

// insertNew inserts a row and returns its id, or 0 if the key is there already.
func (ses *session) insertNew(e engine.Entry, src source, w writeMode) (int64, error) {
	st, err := ses.c.Prepare(ses.t.sql.insertNew)
	if err == nil {
		err = ses.execRow(st.Key(1, e.Key), e, 0, func(st *driver.Stmt) {
			if w == boundWhole {
				st.Blob(2, src.bytes)
			} else {
				st.Zero(2, e.Size)
			}
		})
	}
	if err != nil || ses.c.Changes() == 0 {
		return 0, err
	}
	rowid := ses.c.LastInsertRowID()
	if w == filledLater {
		err = ses.fillCell(ses.t.name, "value", rowid, func(fn func(p []byte) error) error { return ses.eachPiece(src, fn) })
	}
	return rowid, err
}

// execRow binds value, size and, in layout 2, metadata to a statement on a row, and runs it.
func (ses *session) execRow(st *driver.Stmt, e engine.Entry, stage int64, bind func(*driver.Stmt)) error {
	bind(st)
	if ses.t.sized {
		st.Int(3, e.Size)
	}
	if ses.t.inRow {
		if err := bindMeta(st, e, stage); err != nil {
			return err
		}
	}
	err := st.Exec()
	if e.Size > 4096 {
		st.Null(2) // the connection's memory is not for keeping a copy
	}
	return err
}

// putChunked publishes chunk rows: those of a stage, or of a large value that comes in one piece.
func (ses *session) putChunked(e engine.Entry, src source, old *row) error {
	st := src.stage
	if st == nil {
		var err error
		if st, err = ses.stageBytes(src); err != nil {
			return err
		}
	}
	ref := format.Reference{ID: st.id, Size: src.size, ChunkBytes: st.chunkBytes, Nonce: st.nonce}
	rowid, err := ses.writeRow(e, st.id, ref.Encode(), old)
	if err != nil {
		return err
	}
	if err := ses.publish(st, e); err != nil {
		return err
	}
	return ses.putMeta(rowid, e, st.id)
}

// copy stores the value of a row under another key, in place of target.
func (ses *session) copy(op *engine.Op, old, target *row, res *engine.Result) error {
	e := old.entry
	e.Key, e.Meta.Tag = op.To, op.Meta.Tag
	if err := ses.complete(&e, old); err != nil {
		return err
	}
	if old.chunked {
		res.Entry = e
		return ses.share(old, e, target)
	}
	src := source{size: e.Size, sum: e.Meta.Sum, row: old}
	if e.Size <= smallBytes {
		value, err := ses.readAll(old)
		if err != nil {
			return err
		}
		src.bytes, src.row = value, nil
	}
	return ses.putOver(target, e, src, res)
}

// complete fills in what the metadata of an entry made from old lacks.
func (ses *session) complete(e *engine.Entry, old *row) (err error) {
	if old.damage != nil {
		return old.damage // its metadata cannot be written anew
	}
	if !e.Meta.HasSum {
		e.Meta.HasSum = true
		if e.Meta.Sum, err = ses.sumOf(old); err != nil {
			return err
		}
	}
	return fillMeta(&e.Meta)
}

// setMeta gives a row other metadata. In layout 2 SQLite writes all of the row for that, and builds
// it in memory: of a large one a copy in chunk rows takes its place, piece by piece.
func (ses *session) setMeta(op *engine.Op, old *row, res *engine.Result) error {
	if old == nil {
		return engine.ErrNotFound
	}
	e := old.entry
	e.Meta = op.NewMeta(e.Meta)
	if err := ses.complete(&e, old); err != nil {
		return err
	}
	res.Found, res.Entry = true, e
	stage := int64(0)
	if old.chunked {
		stage = old.ref.ID
	}
	if !ses.t.inRow {
		return ses.putMeta(old.rowid, e, stage)
	}
	plain, err := ses.plain(ses.t.name)
	if err != nil {
		return err
	}
	if plain && old.stored > smallBytes {
		src := source{size: e.Size, sum: e.Meta.Sum, row: old}
		if src.stage, err = ses.stageBytes(src); err != nil {
			return err
		}
		src.row = nil
		return ses.putOver(old, e, src, res)
	}
	st, err := ses.c.Prepare(ses.t.sql.setMeta)
	if err == nil {
		err = bindMeta(st.Int(1, old.rowid), e, stage)
	}
	if err == nil {
		err = st.Exec()
	}
	if err != nil {
		return err
	}
	return ses.putMeta(old.rowid, e, stage)
}
