package sqlite

import (
	"strconv"
	"strings"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
)

// statements are the SQL texts for one key-value table. No text names the value column unless it needs the value.
type statements struct {
	get, find, rowOf       string
	valueOf                string
	insert                 string
	insertNew              string // empty if the table may hold a key twice
	update                 string
	deleteRow, deleteMeta  string
	putMeta, moveMeta      string
	renameRow              string
	count, chunkedIn       ranged
	clearMeta, clearRows   ranged
	keys                   string
	chunkedKeys, largeKeys string
	countOdd, oddKeys      string // rows whose key is not a BLOB, which precede all others in the index
}

// ranged is a statement on the keys from ?1 on, or from ?1 up to but not including ?2. They are two texts because SQLite does not look for
// an end in the index that may be NULL.
type ranged struct{ from, within string }

func (s ranged) text(r engine.Range) string {
	if r.End == "" {
		return s.from
	}
	return s.within
}

// findColumns are what readEntry scans: the row id, the length of the value, the value if it has the length of a
// reference, and the metadata.
func (t *table) findColumns() string {
	cols := `k.rowid, k.key, octet_length(k.value), CASE WHEN octet_length(k.value) = ` + strconv.Itoa(format.RefLen) + ` THEN k.value END`
	if t.tracked {
		return cols + `, m.tag, m.mtime, m.sum, m.type, m.user`
	}
	return cols + `, NULL, NULL, NULL, NULL, NULL`
}

func (t *table) from() string {
	from := ` FROM ` + quoted(t.name) + ` k`
	if t.tracked {
		from += ` LEFT JOIN ` + quoted(t.meta()) + ` m ON m.id = k.` + t.rowID
	}
	return from
}

func newStatements(t *table) statements {
	sizeCol, sizeVal, sizeSet := "", "", ""
	if t.sized {
		sizeCol, sizeVal, sizeSet = "size, ", "?3, ", "size = ?3, "
	}
	r := strings.NewReplacer("{t}", quoted(t.name), "{m}", quoted(t.meta()), "{id}", t.rowID,
		"{sizeCol}", sizeCol, "{sizeVal}", sizeVal, "{sizeSet}", sizeSet, "{ref}", strconv.Itoa(format.RefLen), "{small}", strconv.Itoa(smallBytes))
	inRange := func(text string) ranged {
		text = r.Replace(text)
		return ranged{strings.ReplaceAll(text, "{range}", "key >= ?1"), strings.ReplaceAll(text, "{range}", "key >= ?1 AND key < ?2")}
	}
	return statements{
		get:        r.Replace(`SELECT CASE WHEN octet_length(value) <= {small} THEN value END FROM {t} WHERE key = ?1`),
		find:       `SELECT ` + t.findColumns() + t.from() + ` WHERE k.key = ?1`,
		rowOf:      r.Replace(`SELECT rowid FROM {t} WHERE key = ?1`),
		valueOf:    r.Replace(`SELECT value FROM {t} WHERE rowid = ?1`),
		insert:     r.Replace(`INSERT INTO {t}(key, {sizeCol}value) VALUES(?1, {sizeVal}?2)`),
		insertNew:  r.Replace(`INSERT INTO {t}(key, {sizeCol}value) VALUES(?1, {sizeVal}?2) ON CONFLICT(key) DO NOTHING`),
		update:     r.Replace(`UPDATE {t} SET {sizeSet}value = ?2 WHERE rowid = ?1`),
		deleteRow:  r.Replace(`DELETE FROM {t} WHERE rowid = ?1`),
		deleteMeta: r.Replace(`DELETE FROM {m} WHERE id = ?1`),
		putMeta: r.Replace(`INSERT OR REPLACE INTO {m}(id, tag, mtime, sum, stage, type, user)
			VALUES(?1, ?2, ?3, ?4, nullif(?5, 0), ?6, ?7)`),
		moveMeta:    r.Replace(`UPDATE {m} SET id = ?2 WHERE id = ?1`),
		renameRow:   r.Replace(`UPDATE {t} SET key = ?2 WHERE rowid = ?1`),
		count:       inRange(`SELECT count(*) FROM {t} WHERE {range}`),
		chunkedIn:   inRange(`SELECT rowid, value FROM {t} WHERE {range} AND octet_length(value) = {ref} AND substr(value, 1, 2) = x'894b'`),
		chunkedKeys: r.Replace(`SELECT key FROM {t} WHERE key >= ?1 AND octet_length(value) = ?2 AND substr(value, 1, 2) = x'894b' ORDER BY key LIMIT ?3`),
		largeKeys:   r.Replace(`SELECT key FROM {t} WHERE key >= ?1 AND octet_length(value) > ?2 ORDER BY key LIMIT ?3`),
		countOdd:    r.Replace(`SELECT count(*) FROM {t} WHERE key < x''`),
		oddKeys:     r.Replace(`SELECT typeof(key), quote(key) FROM {t} WHERE key < x'' ORDER BY key LIMIT ?1`),
		clearMeta:   inRange(`DELETE FROM {m} WHERE id IN (SELECT {id} FROM {t} WHERE {range})`),
		keys:        r.Replace(`SELECT key FROM {t} WHERE key >= ?1 ORDER BY key LIMIT ?2`),
		clearRows:   inRange(`DELETE FROM {t} WHERE {range}`),
	}
}

// list is the text of a keyset page: ordered by key, from ?1 up to but not including ?2 where there is an end, at most ?3.
func (t *table) list(q engine.Query) string {
	columns := t.findColumns()
	if q.Values {
		columns += `, CASE WHEN octet_length(k.value) <= ?4 THEN k.value END`
	}
	return page(`SELECT `+columns+t.from(), q)
}

// listKeys is the same of keys alone, which are in an index.
func (t *table) listKeys(q engine.Query) string {
	return page(`SELECT k.key FROM `+quoted(t.name)+` k`, q)
}

func page(query string, q engine.Query) string {
	query += ` WHERE k.key >= ?1`
	if q.End != "" {
		query += ` AND k.key < ?2`
	}
	query += ` ORDER BY k.key`
	if q.Reverse {
		query += ` DESC`
	}
	return query + ` LIMIT ?3`
}
