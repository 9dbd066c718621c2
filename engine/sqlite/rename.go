package sqlite

import (
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
)

// rename moves a row to another key. A small row is updated in place; a large one is copied in pieces, since an update
// of the key would take the whole row through memory.
func (ses *session) rename(op *engine.Op, old *row, res *engine.Result) error {
	if old == nil {
		return engine.ErrNotFound
	}
	res.Entry = old.entry
	res.Entry.Key = op.To
	if op.To == op.Key {
		res.Found = true
		if op.ToAbsent {
			return engine.ErrExists
		}
		return nil
	}
	target, err := ses.find(op.To)
	if err != nil {
		return err
	}
	if res.Found = target != nil; target != nil {
		if op.ToAbsent {
			return engine.ErrExists
		}
		if err := ses.remove(target); err != nil {
			return err
		}
	}
	if old.chunked {
		if err := ses.moveChunks(old, op.To); err != nil {
			return err
		}
	}
	if old.stored > smallBytes {
		plain, err := ses.plain(ses.t.name)
		if err != nil {
			return err
		}
		if plain {
			return ses.moveLarge(old, op.To)
		}
	}
	return ses.moveRow(old, op.To)
}

func (ses *session) moveRow(old *row, to string) error {
	st, err := ses.c.Prepare(ses.t.sql.renameRow)
	if err != nil {
		return err
	}
	if err := st.Int(1, old.rowid).Key(2, to).Exec(); err != nil || ses.t.rowID == "id" {
		return err
	}
	if st, err = ses.c.Prepare(ses.t.sql.moveMeta); err != nil {
		return err
	}
	return st.Key(1, old.entry.Key).Key(2, to).Exec()
}

func (ses *session) moveChunks(old *row, to string) error {
	if err := ses.verify(old.entry.Key, old.ref); err != nil {
		return err
	}
	st, err := ses.c.Prepare(`UPDATE ` + format.ValuesTable + ` SET key = ?2 WHERE id = ?1`)
	if err != nil {
		return err
	}
	return st.Int(1, old.ref.ID).Key(2, to).Exec()
}

func (ses *session) moveLarge(old *row, to string) error {
	if old.damage != nil {
		return old.damage // its metadata cannot be written anew
	}
	e := old.entry
	e.Key = to
	rowid, err := ses.writePieces(e, nil, filledLater, func(fn func(p []byte) error) error { return ses.eachChunk(old, fn) })
	if err != nil {
		return err
	}
	if err := ses.remove(old); err != nil {
		return err
	}
	if !e.Meta.HasSum { // another program wrote the value: no metadata, nor any that was left at the new row's id
		return ses.dropMeta(&row{rowid: rowid, entry: e})
	}
	return ses.putMetaRow(rowid, e, 0)
}
