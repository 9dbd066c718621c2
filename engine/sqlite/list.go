package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
)

// plannedItems is for how many items of a page memory is made at once.
const plannedItems = 1000

// List returns one page of a query. It is one statement, so one snapshot.
func (s *Store) List(ctx context.Context, q engine.Query) (page engine.Page, err error) {
	err = s.read(ctx, s.reads, q.Values, func(ses *session) error {
		page, err = ses.list(q)
		return err
	})
	return page, err
}

func (ses *session) list(q engine.Query) (page engine.Page, err error) {
	if q.Limit < 1 {
		return page, fmt.Errorf("limit %d: want at least 1: %w", q.Limit, engine.ErrInvalid)
	}
	if q.Range.Empty() {
		return page, nil
	}
	st, err := ses.c.Prepare(ses.t.list(q))
	if err != nil {
		return page, err
	}
	defer st.Reset()
	budget := q.MaxBytes
	if budget <= 0 {
		budget = math.MaxInt64
	}
	bindQuery(st, q, min(budget, smallBytes))
	if !q.Values {
		page.Items = make([]engine.Item, 0, min(q.Limit, plannedItems))
	}
	for {
		there, err := st.Step()
		if err != nil {
			return upTo(page, err)
		}
		if !there {
			return page, nil
		}
		if len(page.Items) == q.Limit {
			page.More = true
			return page, nil
		}
		r, err := scanRow(st)
		if err != nil {
			return upTo(page, err)
		}
		item := engine.Item{Entry: r.entry}
		if q.Values {
			if budget -= r.entry.Size; budget < 0 && len(page.Items) > 0 {
				page.More = true
				return page, nil
			}
			if item.Value, err = ses.listed(st, r); err != nil {
				return upTo(page, &engine.OpError{Key: r.entry.Key, Err: err})
			}
		}
		page.Items = append(page.Items, item)
	}
}

// upTo is the answer if damage follows the items of a page: the items, of which there may be none,
// and then the error. The next page begins with what is damaged.
func upTo(page engine.Page, err error) (engine.Page, error) {
	damaged := errors.Is(err, engine.ErrCorrupt) || driver.KindOf(err) == driver.Corrupt
	if !damaged || len(page.Items) == 0 {
		return page, err
	}
	page.More = true
	return page, nil
}

// AppendKeys lists keys, from their index alone.
func (s *Store) AppendKeys(ctx context.Context, dst []string, q engine.Query) (keys []string, more bool, err error) {
	err = s.read(ctx, s.reads, false, func(ses *session) error {
		keys, more, err = ses.appendKeys(dst, q)
		return err
	})
	return keys, more, err
}

func (ses *session) appendKeys(dst []string, q engine.Query) (keys []string, more bool, err error) {
	if q.Limit < 1 {
		return nil, false, fmt.Errorf("limit %d: want at least 1: %w", q.Limit, engine.ErrInvalid)
	}
	if q.Range.Empty() {
		return dst, false, nil
	}
	dst = slices.Grow(dst, min(q.Limit, plannedItems))
	if keys, more, err = ses.fastKeys(dst, q); err == nil {
		return keys, more, nil
	}
	return ses.keysThrough(dst, q)
}

// keysThrough is appendKeys through SQLite.
func (ses *session) keysThrough(dst []string, q engine.Query) (keys []string, more bool, err error) {
	q.Values = false
	st, err := ses.c.Prepare(ses.t.listKeys(q))
	if err != nil {
		return nil, false, err
	}
	defer st.Reset()
	bindQuery(st, q, 0)
	keys = dst
	for {
		there, err := st.Step()
		switch {
		case len(keys)-len(dst) == q.Limit: // a damaged page behind the last key that is wanted is for the next call to tell
			return keys, there || err != nil, nil
		case err != nil:
			return nil, false, err
		case !there:
			return keys, false, nil
		}
		keys = append(keys, st.ColString(0))
	}
}

func bindQuery(st *driver.Stmt, q engine.Query, small int64) {
	st.Key(1, q.Start)
	if q.End != "" {
		st.Key(2, q.End)
	}
	st.Int(3, int64(min(q.Limit, math.MaxInt-1))+1)
	if q.Values {
		st.Int(4, small)
	}
}

// listed is the value of the row that st stands on: from the statement if it is small, else in
// parts.
func (ses *session) listed(st *driver.Stmt, r *row) ([]byte, error) {
	const valueColumn = 9
	if r.chunked || st.IsNull(valueColumn) {
		return ses.readAll(r)
	}
	value, err := st.ColBytes(valueColumn)
	if err != nil || !r.entry.Meta.HasSum || ses.s.opt.DisableVerification {
		return value, err
	}
	return value, compareSum(value, r.entry.Meta.Sum)
}

// rowTables are the tables in which the modules keep one row for each of theirs, by what follows
// the name. The virtual tables themselves are never opened: that would run the module on what a
// stranger wrote.
var rowTables = map[string]string{"fts5": "_docsize", "vec0": "_rowids"}

var (
	virtualTable = regexp.MustCompile(`(?is)^\s*CREATE\s+VIRTUAL\s+TABLE\b.*?\sUSING\s+(fts5|vec0)\b\s*(?:\((.*)\))?\s*;?\s*$`)
	vectorColumn = regexp.MustCompile(`(?is)^(\S+)\s+(float|int8|bit)\s*\[\s*(\d+)\s*\](.*)$`)
	metricOption = regexp.MustCompile(`(?i)\bdistance_metric\s*=\s*(\w+)`)
)

// searchTables lists the tables of the Python package's TextVault and VectorKVault, and others of
// their modules.
func (ses *session) searchTables(ctx context.Context) ([]engine.SearchTable, error) {
	var tables []engine.SearchTable
	err := ses.each(`SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL%' ORDER BY name`, func(st *driver.Stmt) {
		if t, ok := parseSearchTable(st.ColString(0), st.ColString(1)); ok {
			tables = append(tables, t)
		}
	})
	if err != nil {
		return nil, err
	}
	for i := range tables {
		t := &tables[i]
		if t.Rows, err = ses.countRows(t.Name + rowTables[t.Module]); err != nil {
			if ctx.Err() != nil || driver.KindOf(err) == driver.Busy {
				return nil, err
			}
			t.Rows = -1
		}
	}
	return tables, nil
}

// countRows counts the rows of an ordinary table, or says -1.
func (ses *session) countRows(table string) (int64, error) {
	st, err := ses.c.Prepare(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE AND sql NOT LIKE 'CREATE VIRTUAL%'`)
	if err != nil {
		return -1, err
	}
	there, err := st.Text(1, table).Step()
	st.Reset()
	if err != nil || !there {
		return -1, err
	}
	count, err := ses.c.Prepare(`SELECT count(*) FROM ` + quoted(table))
	if err != nil {
		return -1, err
	}
	defer count.Reset()
	if _, err := count.Step(); err != nil {
		return -1, err
	}
	return count.ColInt(0), nil
}

// parseSearchTable reads a CREATE VIRTUAL TABLE statement.
func parseSearchTable(name, sql string) (engine.SearchTable, bool) {
	m := virtualTable.FindStringSubmatch(sql)
	if m == nil {
		return engine.SearchTable{}, false
	}
	t := engine.SearchTable{Name: name, Module: strings.ToLower(m[1])}
	for _, arg := range splitArguments(m[2]) {
		if t.Module == "fts5" {
			if column, ok := textColumn(arg); ok {
				t.Columns = append(t.Columns, column)
			}
		} else if v := vectorColumn.FindStringSubmatch(arg); v != nil {
			t.Columns = append(t.Columns, unquoted(v[1]))
			t.Element = strings.ToLower(v[2])
			t.Dimension, _ = strconv.ParseInt(v[3], 10, 64) // the most there is, if it is more than that
			if metric := metricOption.FindStringSubmatch(v[4]); metric != nil {
				t.Metric = metric[1]
			}
		}
	}
	return t, true
}

// textColumn is the name of a column that is searched: neither an option nor a column that is only
// kept.
func textColumn(arg string) (string, bool) {
	words := strings.Fields(arg)
	if len(words) == 0 || strings.Contains(arg, "=") || len(words) > 1 && strings.EqualFold(words[len(words)-1], "UNINDEXED") {
		return "", false
	}
	return unquoted(words[0]), true
}

func unquoted(name string) string { return strings.Trim(name, "\"'`[]") }

// splitArguments splits at commas outside of brackets and quotes.
func splitArguments(s string) (args []string) {
	depth, start, quote := 0, 0, byte(0)
	for i := range len(s) {
		switch c := s[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"' || c == '`':
			quote = c
		case c == '(' || c == '[':
			depth++
		case c == ')' || c == ']':
			depth--
		case c == ',' && depth == 0:
			args = append(args, strings.TrimSpace(s[start:i]))
			start = i + 1
		}
	}
	return append(args, strings.TrimSpace(s[start:]))
}
