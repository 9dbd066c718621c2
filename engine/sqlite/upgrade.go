package sqlite

import (
	"context"
	"errors"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
)

// upgrader brings a key-value table of layout 1 to layout 2. Short transactions copy its rows, with
// their ids, into another table; the last one copies what others have changed since, and puts the
// copy in the place of the table. Until then the table is one of layout 1 for every program.
type upgrader struct {
	ctx         context.Context
	next        int64 // the row id to go on from
	ended       bool  // there is no row with such an id
	finished    bool  // there is nothing to do any more
	done, total int64 // total is negative until begin has counted the rows
}

// upgradeRows is how many rows one transaction compares, and upgradeBytes how much of them it
// begins to copy.
const (
	upgradeRows  = 1000
	upgradeBytes = 4 << 20
)

// upgrade does nothing with a table that is no table of layout 1 as this package made it. A copy
// that an earlier call has begun is taken up.
func (s *Store) upgrade(ctx context.Context, progress func(done, total int64)) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	var err error
	for u := (upgrader{ctx: ctx, total: -1}); err == nil && !u.finished; {
		was := u
		step := func(ses *session) error {
			u = was
			err := u.begin(ses)
			switch {
			case err != nil || u.finished:
				return err
			case u.ended:
				return u.finish(ses)
			}
			return u.copyRows(ses)
		}
		err = s.writer.do(&request{ctx: ctx, bytes: groupBytes, lazy: !was.ended, run: step})
		if err == nil && !u.finished && progress != nil {
			progress(u.done, max(u.done, u.total))
		}
	}
	switch {
	case errors.Is(err, engine.ErrTooLarge): // a row that has no room for its metadata: the table stays as it is
		err = s.dropUpgrade(ctx)
	case driver.IsDiskFull(err):
		err = errors.Join(err, s.dropUpgrade(ctx))
	}
	return err
}

// begin makes the copy, unless it is there, and starts from the first row then: others may end an
// upgrade or give it up at any time. A copy that cannot take the place of the table any more goes.
func (u *upgrader) begin(ses *session) error {
	fit, err := ses.upgradable()
	if err != nil {
		return err
	}
	u.finished = !fit
	copied := ses.t.name + format.UpgradeSuffix
	there, err := texts(ses.c, `SELECT sql FROM sqlite_schema
		WHERE sql IS NOT NULL AND `+literal(copied)+` COLLATE NOCASE IN (name, tbl_name)`)
	if err != nil {
		return err
	}
	begun := slices.Equal(there, []string{create(copied)})
	switch {
	case begun && !fit:
		ses.remade = true
		return ses.c.Exec(`DROP TABLE ` + quoted(copied))
	case !fit:
		return nil
	case len(there) == 0:
		ses.remade = true
		if err := ses.c.Exec(create(copied)); err != nil {
			return err
		}
		u.total = -1
	case !begun:
		return altered(copied)
	}
	if u.total < 0 {
		u.next, u.done, u.ended = math.MinInt64, 0, false
		u.total, err = ses.countKeys(engine.Range{})
	}
	return err
}

// upgradable says whether the table is of layout 1 and as this package made it, and nothing of
// another program's depends on it: no index, no trigger, no view and no foreign key.
func (ses *session) upgradable() (bool, error) {
	if ses.t.inRow || ses.t.rowID != "id" {
		return false, nil
	}
	made, err := texts(ses.c, `SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = `+literal(ses.t.name))
	if err != nil || len(made) != 1 {
		return false, err
	}
	_, columns, _ := strings.Cut(made[0], "(")
	if strings.Join(strings.Fields(columns), " ") != layout1Columns {
		return false, nil
	}
	quotedAll := func(names ...string) string {
		for i, name := range names {
			names[i] = literal(name)
		}
		return strings.Join(names, ", ")
	}
	// An older version of the Python package makes that index when it opens the table, and makes it
	// again.
	own := append(ses.t.triggers(), ses.t.name, ses.t.name+"_key_idx")
	// The columns of these may be called as the table is.
	reserved := append(slices.Clone(format.ReservedTables), ses.t.auxTable(), ses.t.name+format.UpgradeSuffix)
	others, err := texts(ses.c, `SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL
		AND name NOT IN (`+quotedAll(own...)+`) AND tbl_name NOT IN (`+quotedAll(reserved...)+`)`)
	uses := regexp.MustCompile(`(?i)\b` + ses.t.name + `\b`)
	return err == nil && !slices.ContainsFunc(others, uses.MatchString), err
}

// layout1Columns are those of a table of layout 1.
const layout1Columns = `id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, ` +
	`size INTEGER NOT NULL DEFAULT -1, value BLOB NOT NULL)`

// A copy is the same only if no program has written the row since: a put gives it another tag, a
// rename another key, and whatever moves a value into or out of chunk rows another stage or
// reference. The value of a row without a tag is compared itself; a large one is copied again. Such
// a row may have a stage only in the copy.
const compareRows = `SELECT k.id, octet_length(k.value), typeof(k.value),
	n.key = k.key AND n.tag IS m.tag AND (m.id IS NULL OR n.stage IS m.stage)
	AND octet_length(n.value) = octet_length(k.value) AND typeof(n.value) = typeof(k.value)
	AND CASE WHEN octet_length(k.value) = 42 OR m.tag IS NULL AND octet_length(k.value) <= {small}
		THEN n.value = k.value ELSE m.tag IS NOT NULL END
	FROM {t} k LEFT JOIN {b} m ON m.id = k.id LEFT JOIN {n} n ON n.id = k.id
	WHERE k.id >= ?1 ORDER BY k.id LIMIT ?2`

const copyRow = `INSERT OR REPLACE INTO {n}(id, key, size, tag, mtime, sum, stage, type, user, value)
	SELECT k.id, k.key, k.size, m.tag, m.mtime, m.sum, coalesce(m.stage, ?2), m.type, m.user, {value}
	FROM {t} k LEFT JOIN {b} m ON m.id = k.id WHERE k.id = ?1`

// upgradeSQL is SQL on a table and its copy.
func (ses *session) upgradeSQL(sql string) string {
	return ses.t.replacer("{n}", quoted(ses.t.name+format.UpgradeSuffix),
		"{small}", strconv.Itoa(smallBytes)).Replace(sql)
}

// changedRow is a row that the copy does not have as it is.
type changedRow struct {
	id, size int64
	blob     bool
}

// copyRows compares some rows with their copies, and copies those that differ.
func (u *upgrader) copyRows(ses *session) error {
	changed, err := u.compare(ses)
	for _, r := range changed {
		if err == nil {
			err = u.copy(ses, r)
		}
	}
	return err
}

// compare returns the next rows that are to be copied, and goes past them.
func (u *upgrader) compare(ses *session) (changed []changedRow, err error) {
	st, err := ses.c.Prepare(ses.upgradeSQL(compareRows))
	if err != nil {
		return nil, err
	}
	defer st.Reset()
	st.Int(1, u.next).Int(2, upgradeRows)
	rows, bytes := 0, int64(0)
	for ; bytes < upgradeBytes; rows++ {
		there, err := st.Step()
		if err != nil {
			return nil, err
		}
		if !there {
			u.ended = rows < upgradeRows
			return changed, nil
		}
		r := changedRow{st.ColInt(0), st.ColInt(1), st.ColString(2) == "blob"}
		if u.done++; st.ColInt(3) == 0 {
			changed = append(changed, r)
			bytes += r.size
		}
		if r.id == math.MaxInt64 {
			u.ended = true
			break
		}
		u.next = r.id + 1
	}
	return changed, nil
}

// copy copies one row: piece by piece, if it is large. The metadata that another program's UPDATE
// removed named the stage of a row; if the row still refers to it, the triggers of layout 2 are to
// find it.
func (u *upgrader) copy(ses *session, r changedRow) error {
	large := r.blob && r.size > smallBytes
	value := "k.value"
	if large {
		value = "zeroblob(octet_length(k.value))"
	}
	ref, err := ses.referenceIn(r)
	if err != nil {
		return err
	}
	st, err := ses.c.Prepare(strings.ReplaceAll(ses.upgradeSQL(copyRow), "{value}", value))
	if err == nil {
		if st.Int(1, r.id).Null(2); ref.ID != 0 {
			st.Int(2, ref.ID)
		}
		err = st.Exec()
	}
	if err != nil || !large {
		return err
	}
	cu := &cursor{c: ses.c, t: ses.t, row: row{rowid: r.id, stored: r.size, entry: engine.Entry{Size: r.size}}}
	return ses.fillCell(ses.t.name+format.UpgradeSuffix, "value", r.id, func(fn func(p []byte) error) error {
		return cu.each(func(p []byte) error { return errors.Join(fn(p), u.ctx.Err()) })
	})
}

// referenceIn is the reference that a row holds, or the zero Reference.
func (ses *session) referenceIn(r changedRow) (ref format.Reference, err error) {
	if r.size != format.RefLen {
		return ref, nil
	}
	st, err := ses.c.Prepare(ses.t.sql.valueOf)
	if err != nil {
		return ref, err
	}
	defer st.Reset()
	if there, err := st.Int(1, r.id).Step(); err != nil || !there {
		return ref, err
	}
	value, err := st.ColBytes(0)
	ref, _ = format.ParseReference(value)
	return ref, err
}

// finish copies what has changed since it was copied, and puts the copy in the place of the table.
// Nobody writes meanwhile.
func (u *upgrader) finish(ses *session) error {
	u.next, u.done, u.ended = math.MinInt64, 0, false
	for !u.ended {
		if err := u.copyRows(ses); err != nil {
			return err
		}
	}
	// The new form of ALTER TABLE would look at all views and triggers, some of which may be
	// broken.
	now := &table{name: ses.t.name, inRow: true}
	err := ses.c.Exec(ses.upgradeSQL(`DELETE FROM {n} WHERE id NOT IN (SELECT id FROM {t}); DROP TABLE {t}; DROP TABLE {b};
		PRAGMA legacy_alter_table=1; ALTER TABLE {n} RENAME TO {t}; PRAGMA legacy_alter_table=0;`) + now.createAux())
	if err != nil {
		return err
	}
	if now, err = ses.s.inspectAgain(ses.c, now.name); err == nil {
		ses.t, ses.found, ses.remade, u.finished = now, now, true, true
	}
	return err
}

// dropUpgrade gives a copy up.
func (s *Store) dropUpgrade(ctx context.Context) error {
	return s.writer.do(&request{ctx: ctx, run: func(ses *session) error {
		ses.remade = true
		return ses.c.Exec(ses.upgradeSQL(`DROP TABLE IF EXISTS {n}`))
	}})
}
