package sqlite

import (
	"context"
	"regexp"
	"strconv"
	"strings"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/sqlite/internal/driver"
)

// rowTables are the tables in which the modules keep one row for each of theirs, by what follows the name. The virtual tables
// themselves are never opened: that would run the module on what a stranger wrote.
var rowTables = map[string]string{"fts5": "_docsize", "vec0": "_rowids"}

var (
	virtualTable = regexp.MustCompile(`(?is)^\s*CREATE\s+VIRTUAL\s+TABLE\b.*?\sUSING\s+(fts5|vec0)\b\s*(?:\((.*)\))?\s*;?\s*$`)
	vectorColumn = regexp.MustCompile(`(?is)^(\S+)\s+(float|int8|bit)\s*\[\s*(\d+)\s*\](.*)$`)
	metricOption = regexp.MustCompile(`(?i)\bdistance_metric\s*=\s*(\w+)`)
)

// searchTables lists the tables of the Python package's TextVault and VectorKVault, and others of their modules.
func (ses *session) searchTables(ctx context.Context) ([]engine.SearchTable, error) {
	st, err := ses.c.Prepare(`SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL%' ORDER BY name`)
	if err != nil {
		return nil, err
	}
	defer st.Reset()
	var tables []engine.SearchTable
	for {
		there, err := st.Step()
		if err != nil {
			return nil, err
		}
		if !there {
			break
		}
		if t, ok := parseSearchTable(st.ColString(0), st.ColString(1)); ok {
			tables = append(tables, t)
		}
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

// textColumn is the name of a column that is searched: neither an option nor a column that is only kept.
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
