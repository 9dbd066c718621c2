package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
)

// onWriter runs fn on the writer's connection outside any transaction.
func (s *Store) onWriter(ctx context.Context, fn func(c *driver.Conn) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if s.writer == nil {
		return s.readOnly()
	}
	w := s.writer
	since := w.waited.Load()
	if err := w.acquire(ctx); err != nil {
		return err
	}
	defer w.release()
	if err := w.ckpt.waitFor(ctx); err != nil {
		return err
	}
	defer s.reads.pause()() // a snapshot that is kept would stand in the way of a rebuild, or of emptying the log
	w.conn.SetContext(ctx)
	w.conn.SetPatience(w.patience(since))
	defer func() {
		w.repair()
		w.conn.SetContext(context.Background())
	}()
	if err := w.conn.RepairLog(); err != nil {
		return s.explain(ctx, err)
	}
	if err := w.syncLevel(false); err != nil {
		return s.explain(ctx, err)
	}
	err := w.conn.Whole()
	if err == nil {
		err = fn(w.conn)
	}
	return s.explain(ctx, err)
}

// Optimize removes what nothing refers to, rebuilds the file without gaps, refreshes the planner's
// statistics and empties the write-ahead log. It needs as much free space as the vault is large,
// both in the folder for temporary files and in that of the vault. With less it moves rows into the
// gaps instead, as far as there is room for that, and fails only if that gives nothing back. Blobs
// that are open do not stand in its way, unless their value was replaced. Where a snapshot of an
// earlier state is being read, by this process or another, the rebuilt file stays in the log,
// without an error: a later checkpoint shortens the file, or the last Close.
//
// A table of layout 1 that this package made is brought to layout 2 first. Where there is no room
// for that, the copy is given up, and the error says so.
func (s *Store) Optimize(ctx context.Context, progress func(done, total int64)) error {
	if err := s.collect(ctx); err != nil {
		return err
	}
	if err := s.upgrade(ctx, progress); err != nil {
		if driver.IsDiskFull(err) {
			_, _ = s.giveBack(ctx)
		}
		return err
	}
	err := s.rebuild(ctx)
	if !driver.IsDiskFull(err) {
		return err
	}
	freed, failed := s.giveBack(ctx)
	switch {
	case freed <= 0:
		return err
	case failed != nil && !driver.IsDiskFull(failed):
		return failed
	}
	if again := s.rebuild(ctx); !driver.IsDiskFull(again) { // there may be room for it now
		return again
	}
	return nil
}

// tightPages is how many pages giveBack moves at a time. The log takes as much.
const tightPages = 16

// giveBack cuts free pages off the end of the file where there is little room, and returns how many
// bytes they had. It works as Shrink does, but empties the log after each of its steps.
func (s *Store) giveBack(ctx context.Context) (int64, error) {
	if err := s.shrinkable(ctx); err != nil {
		return 0, err
	}
	before, err := s.freePages(ctx)
	if err != nil {
		return 0, err
	}
	for free := before.free; err == nil && free > 0; {
		left := free
		if free, err = s.shrinkStep(ctx, tightPages); err == nil {
			err = s.emptyLog(ctx)
		}
		if free == left {
			break
		}
	}
	after, failed := s.freePages(ctx)
	return (before.total - after.total) * before.size, errors.Join(err, failed)
}

func (s *Store) rebuild(ctx context.Context) error {
	return s.onWriter(ctx, func(c *driver.Conn) error {
		// A file that another program made without it gets auto-vacuum here, so that Shrink works
		// from now on.
		for _, sql := range []string{`PRAGMA auto_vacuum=INCREMENTAL`, `VACUUM`, `PRAGMA optimize=0x10002`} {
			if err := s.execWithTempFile(c, sql); err != nil {
				return s.rebuildError(err)
			}
		}
		return s.truncateLog(ctx, c)
	})
}

// execWithTempFile lets SQLite keep its copy of the whole database in a temporary file: memory may
// not hold it.
func (s *Store) execWithTempFile(c *driver.Conn, sql string) error {
	if s.conf.Memory {
		return c.Exec(sql)
	}
	if err := c.Exec(`PRAGMA temp_store=FILE`); err != nil {
		return err
	}
	err := c.Exec(sql)
	if end := c.Exec(`PRAGMA temp_store=MEMORY`); err == nil {
		err = end // after an error the setting may stay: it costs other statements a little speed
	}
	return err
}

// emptyLog empties the log if it can.
func (s *Store) emptyLog(ctx context.Context) error {
	return s.onWriter(ctx, func(c *driver.Conn) error { return s.truncateLog(ctx, c) })
}

// truncateLog empties the log, unless a reader needs it; a later checkpoint does it then. Blobs are
// moved to snapshots that need nothing of it. Snapshots that are kept between two reads are waited
// for, those of unknown length are not: no one can write meanwhile.
func (s *Store) truncateLog(ctx context.Context, c *driver.Conn) error {
	blobs := s.blobs()
	advanceAll(blobs) // to the latest state, so that all of it can be copied
	if log, done, err := c.Checkpoint(false); err == nil && done == log {
		advanceAll(blobs)
	}
	limited, cancel := context.WithTimeout(ctx, truncateWait)
	defer cancel()
	c.SetContext(limited)
	defer c.SetContext(ctx)
	_, _, err := c.Checkpoint(true)
	if kind := driver.KindOf(err); ctx.Err() == nil && (kind == driver.Busy || kind == driver.Interrupted) {
		return nil
	}
	return err
}

// collect makes orphans of all that nothing refers to, and sweeps.
func (s *Store) collect(ctx context.Context) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if s.writer == nil {
		return s.readOnly()
	}
	err := s.writer.do(&request{ctx: ctx, run: func(ses *session) error {
		if err := ses.markAbandoned(); err != nil {
			return err
		}
		ses.orphaned = true
		if err := ses.run(`INSERT OR IGNORE INTO ` + format.OrphansTable + ` SELECT id FROM ` + format.ValuesTable + ` WHERE owner IS NULL`); err != nil {
			return err
		}
		// The sweeper keeps those that are referenced.
		return ses.run(`DELETE FROM ` + quoted(ses.t.auxTable()) +
			` WHERE id NOT IN (SELECT ` + ses.t.rowID + ` FROM ` + quoted(ses.t.name) + `)`)
	}})
	if err != nil {
		return err
	}
	return s.writer.sweep(ctx)
}

// shrinkPages is how many pages one step of Shrink gives back.
const shrinkPages = 256

// Shrink sweeps orphans and then cuts free pages off the end of the file, some at a time.
func (s *Store) Shrink(ctx context.Context, budget time.Duration) (int64, error) {
	deadline := time.Now().Add(budget)
	limited, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	if err := s.shrinkable(ctx); err != nil {
		return 0, err
	}
	before, err := s.freePages(ctx)
	if err != nil {
		return 0, err
	}
	err = s.writer.sweep(limited)
	for free := int64(1); err == nil && free > 0; {
		free, err = s.shrinkStep(limited, shrinkPages)
	}
	switch {
	case err == nil:
	case ctx.Err() != nil: // err can be that of the limit
		return 0, engine.ContextErr(ctx)
	case !errors.Is(err, context.DeadlineExceeded):
		return 0, err
	}
	if err := s.emptyLog(ctx); err != nil {
		return 0, err
	}
	after, err := s.freePages(ctx)
	return max(0, (before.total-after.total)*before.size), err
}

// shrinkStep gives back so many pages, and returns how many are free still.
func (s *Store) shrinkStep(ctx context.Context, pages int) (free int64, err error) {
	err = s.onWriter(ctx, func(c *driver.Conn) error {
		if err := c.Exec(fmt.Sprintf(`PRAGMA incremental_vacuum(%d)`, pages)); err != nil {
			return err
		}
		free, err = pragma(c, "freelist_count")
		s.writer.ckpt.afterCommit()
		return err
	})
	return free, err
}

func (s *Store) shrinkable(ctx context.Context) error {
	return s.onWriter(ctx, func(c *driver.Conn) error {
		mode, err := pragma(c, "auto_vacuum")
		if err == nil && mode == 0 {
			err = fmt.Errorf("%w: %s was made without auto-vacuum; run Optimize once, which changes that", engine.ErrUnsupported, s.path)
		}
		return err
	})
}

type pages struct{ size, total, free int64 }

func (s *Store) freePages(ctx context.Context) (p pages, err error) {
	err = s.read(ctx, s.reads, true, func(ses *session) error {
		for name, to := range map[string]*int64{"page_size": &p.size, "page_count": &p.total, "freelist_count": &p.free} {
			if *to, err = pragma(ses.c, name); err != nil {
				return err
			}
		}
		return nil
	})
	return p, err
}

func pragma(c *driver.Conn, name string) (int64, error) {
	st, err := c.Prepare(`PRAGMA ` + name)
	if err != nil {
		return 0, err
	}
	defer st.Reset()
	there, err := st.Step()
	if err != nil || !there {
		return 0, err
	}
	return st.ColInt(0), nil
}

// Stats describes the file. Its Detail names the journal mode, the table in use, the layout
// version, the other tables of the file, and the kind of vacuum.
func (s *Store) Stats(ctx context.Context) (engine.Stats, error) {
	stats := engine.Stats{Location: s.path, Detail: map[string]string{}}
	p, err := s.freePages(ctx)
	if err != nil {
		return stats, err
	}
	stats.PageSize, stats.FileBytes, stats.FreeBytes = p.size, p.size*p.total, p.size*p.free
	if info, err := os.Stat(s.conf.Path + "-wal"); err == nil && !s.conf.Memory {
		stats.LogBytes = info.Size()
	}
	err = s.read(ctx, s.reads, true, func(ses *session) error {
		version, err := texts(ses.c, `SELECT sqlite_version()`)
		if err != nil {
			return err
		}
		stats.Engine = "SQLite " + strings.Join(version, "")
		if stats.Search, err = ses.searchTables(ctx); err != nil {
			return err
		}
		return ses.detail(&stats)
	})
	return stats, err
}

func (ses *session) detail(stats *engine.Stats) error {
	d := stats.Detail
	d["table"] = ses.t.name
	d["layout version"] = strconv.Itoa(ses.t.layoutVersion())
	queries := map[string]string{
		"journal mode":     `PRAGMA journal_mode`,
		"auto-vacuum":      `SELECT CASE auto_vacuum WHEN 0 THEN 'none' WHEN 1 THEN 'full' ELSE 'incremental' END FROM pragma_auto_vacuum`,
		"tables":           `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`,
		"values in chunks": `SELECT count(*) FROM ` + format.ValuesTable + ` WHERE owner IS NULL AND key IS NOT NULL`,
		"copies in chunks": `SELECT count(*) FROM ` + format.ValuesTable + ` WHERE owner IS NULL AND beat < 0`,
		// Copies make it 3 whatever the layout of the table.
		"file version": `SELECT value FROM ` + format.LayoutTable + ` WHERE name = 'version'`,
	}
	if !ses.t.tracked {
		d["layout version"] = "none: made by another program and not written here yet"
		for _, name := range []string{"values in chunks", "copies in chunks", "file version"} {
			delete(queries, name)
		}
	}
	for name, sql := range queries {
		out, err := texts(ses.c, sql)
		if err != nil {
			return err
		}
		d[name] = strings.Join(out, " ")
	}
	return ses.sizes(stats)
}

// unfinished are the ids of values that are being written, or were left behind.
const unfinished = `(SELECT id FROM ` + format.ValuesTable + ` WHERE owner IS NOT NULL UNION SELECT id FROM ` + format.OrphansTable + `)`

func (ses *session) sizes(stats *engine.Stats) error {
	r := strings.NewReplacer("{c}", format.ChunksTable, "{unfinished}", unfinished)
	type figure struct {
		to  *int64
		sql string
	}
	figures := []figure{{&stats.OddKeys, ses.t.sql.countOdd}}
	if ses.t.tracked {
		figures = append(figures,
			figure{&stats.Staged, `SELECT count(*) FROM {unfinished}`},
			figure{&stats.StagedBytes, `SELECT coalesce(sum(octet_length(data)), 0) FROM {unfinished} u
				JOIN {c} c ON c.id >= u.id << 28 AND c.id < (u.id + 1) << 28`})
	}
	for _, f := range figures {
		out, err := texts(ses.c, r.Replace(f.sql))
		if err != nil || len(out) != 1 {
			return err
		}
		if *f.to, err = strconv.ParseInt(out[0], 10, 64); err != nil {
			return err
		}
	}
	stats.Staged += ses.s.spools.Load()
	return nil
}

// texts returns the first column of all rows.
func texts(c *driver.Conn, sql string) ([]string, error) {
	st, err := c.Prepare(sql)
	if err != nil {
		return nil, err
	}
	var out []string
	err = st.Each(func() error { out = append(out, st.ColString(0)); return nil })
	return out, err
}
