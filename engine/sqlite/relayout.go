package sqlite

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
)

// relayoutPage is how many keys are looked up at a time.
const relayoutPage = 256

// Relayout moves values into one row, or into chunk rows, as engine.Layouter says. A value that
// becomes one row passes through the write-ahead log twice, in one transaction: the log takes twice
// its size for a while, and other writers wait for the copy.
func (s *Store) Relayout(ctx context.Context, to engine.Layout, report func(engine.Relayout)) error {
	if to != engine.OneRow && to != engine.Chunks {
		return fmt.Errorf("layout %d: want OneRow or Chunks: %w", to, engine.ErrInvalid)
	}
	if s.writer == nil {
		return s.readOnly()
	}
	for start, more := "", true; more; {
		keys, err := s.misplaced(ctx, to, start)
		if err != nil {
			return err
		}
		for _, key := range keys {
			if err := s.relayout(ctx, to, key, report); err != nil {
				return err
			}
			start = key + "\x00"
		}
		more = len(keys) == relayoutPage
	}
	return nil
}

// misplaced lists keys from start on whose values are in the other layout.
func (s *Store) misplaced(ctx context.Context, to engine.Layout, start string) (keys []string, err error) {
	err = s.read(ctx, s.reads, false, func(ses *session) error {
		sql, limit := ses.t.sql.chunkedKeys, int64(format.RefLen)
		if to == engine.Chunks {
			sql, limit = ses.t.sql.largeKeys, ses.t.inlineLimit(ses.s.opt.OneRowLimit)
		}
		st, err := ses.c.Prepare(sql)
		if err != nil {
			return err
		}
		return st.Key(1, start).Int(2, limit).Int(3, relayoutPage).Each(func() error {
			keys = append(keys, st.ColString(0))
			return nil
		})
	})
	return keys, err
}

// relayout moves one value, unless it is gone or was moved meanwhile.
func (s *Store) relayout(ctx context.Context, to engine.Layout, key string, report func(engine.Relayout)) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	var done *engine.Relayout
	err := s.writer.do(&request{ctx: ctx, bytes: groupBytes, run: func(ses *session) error {
		done = nil
		old, err := ses.find(key)
		if err != nil || old == nil || old.chunked != (to == engine.OneRow) {
			return err
		}
		done = &engine.Relayout{Key: key, Size: old.entry.Size}
		if to == engine.OneRow {
			return ses.toOneRow(ctx, old)
		}
		return ses.toChunks(ctx, old)
	}})
	if done == nil {
		return err
	}
	switch {
	case errors.Is(err, engine.ErrTooLarge), errors.Is(err, engine.ErrCorrupt), errors.Is(err, engine.ErrUnsupported):
		done.Err = err
	case err != nil:
		return err
	}
	if report != nil {
		report(*done)
	}
	return nil
}

// toOneRow copies chunk rows into the row of their key, piece by piece.
func (ses *session) toOneRow(ctx context.Context, old *row) error {
	w := filledLater
	plain, err := ses.plain(ses.t.name)
	if err != nil {
		return err
	}
	limit := ses.t.rowLimit(engine.MaxOneRow, old.entry.Meta.User)
	if !plain {
		w, limit = boundWhole, smallBytes
	}
	if old.entry.Size > limit {
		return fmt.Errorf("%w: it has %d bytes, a row of table %q holds at most %d", engine.ErrTooLarge, old.entry.Size, ses.t.name, limit)
	}
	if old.damage != nil {
		return old.damage
	}
	if old.entry.Size == format.RefLen {
		value, err := ses.readAll(old)
		if err != nil {
			return err
		}
		if _, lookalike := format.ParseReference(value); lookalike {
			return fmt.Errorf("%w: its bytes would be taken for a reference to chunk rows", engine.ErrUnsupported)
		}
	}
	want := old.entry.Meta.Sum
	if !old.entry.Meta.HasSum {
		if want, err = ses.sumOf(old); err != nil {
			return err
		}
	}
	sum := uint32(0)
	rowid, err := ses.writePieces(old.entry, old, w, func(fn func(p []byte) error) error {
		return ses.eachChunk(old, func(p []byte) error {
			sum = crc32.Update(sum, format.Castagnoli, p)
			if err := fn(p); err != nil {
				return err
			}
			return ctx.Err()
		})
	})
	if err != nil {
		return err
	}
	if sum != want {
		return wrongSum(sum, want)
	}
	if err := ses.orphan(old); err != nil {
		return err
	}
	return ses.putMeta(rowid, old.entry, 0)
}

// sumOf is the checksum of a value that has none in its metadata.
func (ses *session) sumOf(r *row) (sum uint32, err error) {
	if r.chunked {
		sum, _, err = ses.findChunks(r.entry.Key, r.ref)
		return sum, err
	}
	err = ses.eachChunk(r, func(p []byte) error {
		sum = crc32.Update(sum, format.Castagnoli, p)
		return nil
	})
	return sum, err
}

// toChunks copies a value from its row into chunk rows. One of another program gets metadata of its
// own.
func (ses *session) toChunks(ctx context.Context, old *row) error {
	e := old.entry
	if old.damage != nil {
		return old.damage
	}
	if err := fillMeta(&e.Meta); err != nil {
		return err
	}
	st, err := ses.s.newStage(engine.StageOptions{ChunkSize: pieceBytes, Size: e.Size})
	if err != nil {
		return err
	}
	if st.id, err = ses.newValue(st); err != nil {
		return err
	}
	sum, i := uint32(0), int64(0)
	err = ses.eachChunk(old, func(p []byte) error {
		sum = crc32.Update(sum, format.Castagnoli, p)
		if err := ses.putChunk(format.ChunkRow(st.id, i), p); err != nil {
			return err
		}
		i++
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	if e.Meta.HasSum && sum != e.Meta.Sum {
		return wrongSum(sum, e.Meta.Sum)
	}
	e.Meta.Sum, e.Meta.HasSum = sum, true
	return ses.putChunked(e, source{stage: st, size: e.Size}, old)
}

// compareSum compares a whole value with the checksum that it was stored with.
func compareSum(value []byte, want uint32) error {
	if sum := crc32.Checksum(value, format.Castagnoli); sum != want {
		return wrongSum(sum, want)
	}
	return nil
}

func wrongSum(sum, want uint32) error {
	return fmt.Errorf("%w: checksum %08x, stored with %08x", engine.ErrCorrupt, sum, want)
}

// A vault may come from anybody. These refuse a schema that would run something of its author's
// whenever the vault is used: a view or a virtual table in the place of a table, columns that are
// computed, indexes of expressions. Triggers are switched off.

// ownColumns are the columns of the tables that only this package makes.
var ownColumns = map[string]string{
	format.LayoutTable:  "name value",
	format.ValuesTable:  "id nonce chunk_bytes size sum tbl key owner beat",
	format.ChunksTable:  "id sum data",
	format.OrphansTable: "id",
	format.UploadsTable: "id nonce tbl key size created keep expires mtime type user extents",
}

// ownIndexes are the only indexes of these that are more than a part of their table.
const ownIndexes = `('kvault_values_owner', '` + copiesIndex + `')`

// checkFileSchema looks at what belongs to no key-value table in particular.
func checkFileSchema(c *driver.Conn) error {
	encoding, err := texts(c, `PRAGMA encoding`)
	if err != nil {
		return err
	}
	if !slices.Equal(encoding, []string{"UTF-8"}) {
		return fmt.Errorf("the file keeps text as %s; a vault needs UTF-8: copy the table into a new file: %w", strings.Join(encoding, ""), engine.ErrUnsupported)
	}
	for name, columns := range ownColumns {
		if err := checkOwnTable(c, name, columns); err != nil {
			return err
		}
	}
	return nil
}

// checks is the SQL that says whether a table may have a rule of its own. The name of the table,
// which precedes the first bracket, does not count.
const hasCheck = `substr(sql, instr(sql, '(')) LIKE '%check%'`

// checkOwnTable refuses a table that this package cannot have made so.
func checkOwnTable(c *driver.Conn, name, columns string) error {
	if err := checkTableSchema(c, name); err != nil {
		return err
	}
	found, err := texts(c, `SELECT group_concat(lower(name), ' ') FROM pragma_table_xinfo(`+literal(name)+`) HAVING count(*) > 0`)
	if err != nil || len(found) == 0 {
		return err
	}
	active, err := texts(c, `SELECT name FROM sqlite_schema
		WHERE tbl_name = `+literal(name)+` COLLATE NOCASE AND (type = 'table' AND `+hasCheck+`
		OR type = 'index' AND sql IS NOT NULL AND name NOT IN `+ownIndexes+`)
		UNION ALL SELECT name FROM pragma_table_xinfo(`+literal(name)+`) WHERE dflt_value IS NOT NULL`)
	if err != nil {
		return err
	}
	if found[0] != columns || len(active) > 0 {
		return altered(name)
	}
	return nil
}

func altered(name string) error {
	return fmt.Errorf("%w: table %s is not as kvault makes it: somebody altered it", engine.ErrCorrupt, name)
}

// checkTableSchema refuses what is no plain table, or computes something. That there is nothing by
// that name is no error.
func checkTableSchema(c *driver.Conn, name string) error {
	quoted := literal(name)
	// By itself, because asking for the columns of a virtual table would run its module.
	found, err := texts(c, `SELECT CASE WHEN type <> 'table' THEN 'it is of type ' || type ELSE 'it is a virtual table' END
		FROM sqlite_schema WHERE type <> 'trigger' AND name = `+quoted+` COLLATE NOCASE AND (type <> 'table' OR rootpage = 0)`)
	if err != nil || len(found) > 0 {
		return refuse(name, found, err)
	}
	found, err = texts(c, `SELECT 'its column ' || name || ' is computed' FROM pragma_table_xinfo(`+quoted+`) WHERE hidden > 0
		UNION ALL SELECT 'its index ' || l.name || ' has an expression' FROM pragma_index_list(`+quoted+`) l
		WHERE l.origin = 'c' AND (l.partial AND l.name NOT IN `+ownIndexes+` OR EXISTS (SELECT 1 FROM pragma_index_xinfo(l.name) WHERE cid = -2))`)
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

func hasObject(c *driver.Conn, kind, name string) (bool, error) {
	found, err := texts(c, `SELECT 1 FROM sqlite_schema WHERE type = '`+kind+`' AND name = `+literal(name)+` COLLATE NOCASE`)
	return len(found) > 0, err
}

// spelling is the name of a table as the file has it, or empty if there is no such table. The rows
// of large values name their table by it, whatever case a caller writes.
func spelling(c *driver.Conn, table string) (string, error) {
	found, err := texts(c, `SELECT name FROM sqlite_schema WHERE type = 'table' AND name = `+literal(table)+` COLLATE NOCASE`)
	return strings.Join(found, ""), err
}

// checkArrayTables is checkTableSchema for the tables of arrays.
func checkArrayTables(c *driver.Conn) error {
	for _, name := range []string{format.ArrayTable, format.ArrayChunkTable} {
		if err := checkTableSchema(c, name); err != nil {
			return err
		}
	}
	return nil
}
