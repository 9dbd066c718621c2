package sqlite

import (
	"context"
	"os"
	"strconv"
	"strings"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/format"
)

// Stats describes the file. Its Detail names the journal mode, the table in use, the layout version, the other tables of
// the file, and the kind of vacuum.
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
	d["layout version"] = strconv.Itoa(format.Version)
	queries := map[string]string{
		"journal mode":     `PRAGMA journal_mode`,
		"auto-vacuum":      `SELECT CASE auto_vacuum WHEN 0 THEN 'none' WHEN 1 THEN 'full' ELSE 'incremental' END FROM pragma_auto_vacuum`,
		"tables":           `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`,
		"values in chunks": `SELECT count(*) FROM ` + format.ValuesTable + ` WHERE owner IS NULL`,
	}
	if !ses.t.tracked {
		d["layout version"] = "none: made by another program and not written here yet"
		delete(queries, "values in chunks")
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
	defer st.Reset()
	var out []string
	for {
		there, err := st.Step()
		if err != nil || !there {
			return out, err
		}
		out = append(out, st.ColString(0))
	}
}
