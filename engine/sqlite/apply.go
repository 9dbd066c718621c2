package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
)

// Apply performs the operations in one transaction, which it may share with concurrent calls.
func (s *Store) Apply(ctx context.Context, ops []engine.Op) ([]engine.Result, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	if s.writer == nil {
		return nil, s.readOnly()
	}
	if err := checkOps(ops); err != nil {
		return nil, err
	}
	bytes := 0
	for i := range ops {
		bytes += len(ops[i].Value)
	}
	var results []engine.Result
	err := s.writer.do(&request{ctx: ctx, bytes: bytes, run: func(ses *session) (err error) {
		results, err = ses.apply(ops)
		return err
	}})
	if err != nil {
		return nil, err
	}
	markApplied(ops)
	return results, nil
}

func (s *Store) readOnly() error {
	return fmt.Errorf("%w: %s was opened for reading only", engine.ErrReadOnly, s.path)
}

// checkOps refuses what no transaction could make sense of.
func checkOps(ops []engine.Op) error {
	var stages []engine.Stage
	for i := range ops {
		op := &ops[i]
		if op.Staged != nil {
			if slices.Contains(stages, op.Staged) {
				return &engine.OpError{Index: i, Key: op.Key, Err: errStageEnded}
			}
			stages = append(stages, op.Staged)
		}
		if err := op.Check(); err != nil {
			return &engine.OpError{Index: i, Key: op.Key, Err: err}
		}
	}
	return nil
}

// markApplied makes the stages forget their chunks: they belong to a value now.
func markApplied(ops []engine.Op) {
	for i := range ops {
		if st, ok := ops[i].Staged.(*stage); ok {
			st.endApplied()
		}
	}
}

func (ses *session) apply(ops []engine.Op) ([]engine.Result, error) {
	results := make([]engine.Result, len(ops))
	for i := range ops {
		if err := ses.perform(&ops[i], &results[i]); err != nil {
			return nil, &engine.OpError{Index: i, Key: ops[i].Key, Err: err}
		}
	}
	return results, nil
}

// allOrEnd runs fn without a savepoint, which costs as much as a small put. In the rare case that
// fn fails halfway, the whole transaction ends, as it does after many failures anyway.
func (ses *session) allOrEnd(fn func() error) error {
	before := ses.c.TotalChanges()
	err := fn()
	if err != nil && ses.c.TotalChanges() != before && ses.c.InTransaction() {
		err = errors.Join(err, ses.c.Rollback())
	}
	return err
}

// savepoint undoes what fn did if it fails.
func (ses *session) savepoint(fn func() error) error {
	ses.letChunkGo() // SQLite makes no savepoint while a handle for writing is open
	if err := ses.run(`SAVEPOINT op`); err != nil {
		return err
	}
	err := fn()
	if !ses.c.InTransaction() {
		return err // SQLite undid the whole transaction, as it does when a write is interrupted or the disk is full
	}
	ses.c.SetContext(context.Background()) // neither the way back nor the end must be interrupted
	if err != nil {
		ses.letChunkGo()
		ses.arrays, ses.noneForeign = arrayTables{}, false
		if undo := ses.run(`ROLLBACK TO op`); undo != nil {
			return errors.Join(err, undo, ses.c.Rollback())
		}
	}
	if end := ses.run(`RELEASE op`); err == nil {
		err = end
	}
	return err
}

func (ses *session) perform(op *engine.Op, res *engine.Result) error {
	if op.Kind == engine.DeleteRange {
		n, err := ses.deleteRange(op.Range)
		res.Removed = n
		return err
	}
	if op.Kind == engine.Put && op.If == (engine.Condition{}) {
		return ses.put(op, res)
	}
	old, err := ses.find(op.Key)
	if err != nil {
		return err
	}
	if err := ses.check(op.If, old); err != nil {
		return err
	}
	switch op.Kind {
	case engine.Put:
		return ses.putIf(op, old, res)
	case engine.Rename, engine.Copy:
		return ses.toOtherKey(op, old, res)
	case engine.SetMeta:
		return ses.setMeta(op, old, res)
	}
	if res.Found = old != nil; old == nil {
		return nil
	}
	if op.Take {
		if res.Entry, res.Value, err = old.entry, nil, nil; err == nil {
			res.Value, err = ses.readAll(old)
		}
		if err != nil {
			return err
		}
	}
	return ses.remove(old)
}

// check fails unless cond holds for the row, which is nil if the key is missing.
func (ses *session) check(cond engine.Condition, old *row) error {
	if cond.Absent && old != nil {
		return engine.ErrExists
	}
	if cond.Tag == "" {
		return nil
	}
	if old == nil {
		return engine.ErrNotFound
	}
	tag, err := ses.tagOf(old)
	if err != nil {
		return err
	}
	if tag != cond.Tag {
		return fmt.Errorf("%w: it is %s, not %s", engine.ErrTagMismatch, tag, cond.Tag)
	}
	return nil
}

// remove deletes a row with its metadata, and leaves its chunks to the sweeper.
func (ses *session) remove(old *row) error {
	if err := ses.orphan(old); err != nil {
		return err
	}
	if err := ses.dropMeta(old.rowid, old.entry.Key); err != nil {
		return err
	}
	st, err := ses.c.Prepare(ses.t.sql.deleteRow)
	if err != nil {
		return err
	}
	return st.Int(1, old.rowid).Exec()
}

func (ses *session) deleteRange(r engine.Range) (int64, error) {
	if r.Empty() {
		return 0, nil
	}
	chunked, err := ses.chunkedIn(r)
	if err != nil {
		return 0, err
	}
	for _, ref := range chunked {
		if err := ses.orphanID(ref.ID, ref.Nonce); err != nil {
			return 0, err
		}
	}
	clear := []ranged{ses.t.sql.clearMeta, ses.t.sql.clearRows}
	if any, err := ses.anyAux(); err != nil {
		return 0, err
	} else if !any {
		clear = clear[1:]
	}
	for _, sql := range clear {
		st, err := ses.c.Prepare(sql.text(r))
		if err != nil {
			return 0, err
		}
		if err := bindRange(st, r).Exec(); err != nil {
			return 0, err
		}
	}
	return ses.c.Changes(), nil
}

// bindRange binds the parameters of a ranged statement.
func bindRange(st *driver.Stmt, r engine.Range) *driver.Stmt {
	st.Key(1, r.Start)
	if r.End == "" {
		return st
	}
	return st.Key(2, r.End)
}

// chunkedIn lists the references in a range.
func (ses *session) chunkedIn(r engine.Range) ([]format.Reference, error) {
	st, err := ses.c.Prepare(ses.t.sql.chunkedIn.text(r))
	if err != nil {
		return nil, err
	}
	defer st.Reset()
	bindRange(st, r)
	var refs []format.Reference
	for {
		row, err := st.Step()
		if err != nil || !row {
			return refs, err
		}
		value, err := st.ColBytes(1)
		if err != nil {
			return nil, err
		}
		if ref, ok := format.ParseReference(value); ok {
			refs = append(refs, ref)
		}
	}
}

// toOtherKey carries out a Rename or a Copy.
func (ses *session) toOtherKey(op *engine.Op, old *row, res *engine.Result) error {
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
	if res.Found = target != nil; res.Found && op.ToAbsent {
		return engine.ErrExists
	}
	if op.Kind == engine.Copy {
		return ses.copy(op, old, target, res)
	}
	return ses.rename(op, old, target)
}

// rename moves a row to the key of target, which goes. A small row is updated in place; a large one
// is copied in pieces, since an update of the key would take the whole row through memory.
func (ses *session) rename(op *engine.Op, old, target *row) error {
	if target != nil {
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
	if _, _, err := ses.findChunks(old.entry.Key, old.ref); err != nil {
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
	return ses.putMeta(rowid, e, 0)
}
