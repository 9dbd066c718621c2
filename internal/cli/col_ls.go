package cli

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/internal/vaultjson"
)

func (a *app) colLsCommand() *cobra.Command {
	var recursive bool
	cmd := &cobra.Command{
		Use:   "ls [NAME...|TABLE/...]",
		Short: "List the columns",
		Long: `List the columns with the number of their elements and their type, in the order
they were made. A table, which is the columns whose names begin with NAME/, is
one line with the number of its rows and of its columns; TABLE/ lists them, and
-r those of all tables.

` + colExitHelp(),
		Example: `  kvault -f media.kv col ls
  kvault -f media.kv col ls flights/
  kvault -f media.kv col ls -r --json | jq .name`,
		Args:              takes(0, -1, 0),
		ValidArgsFunction: a.completeColumns(-1),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return a.withVault(ctx, reading, func(v *kvault.Vault) error { return a.colLs(ctx, v, args, recursive) })
		}),
	}
	cmd.Flags().BoolVarP(&recursive, "recursive", "r", false, "list the columns of all tables")
	return cmd
}

func (a *app) colLs(ctx context.Context, v *kvault.Vault, args []string, recursive bool) error {
	list, err := column.List(ctx, v)
	if err != nil {
		return err
	}
	if len(args) == 0 && !recursive {
		return a.printColumns(folded(list))
	}
	var lines []columnLine
	for _, info := range list {
		lines = append(lines, lineOf(info))
	}
	if len(args) == 0 {
		return a.printColumns(lines)
	}
	var chosen []columnLine
	for _, arg := range args {
		before := len(chosen)
		for i, info := range list {
			if info.Name == arg || isTable(arg) && strings.HasPrefix(info.Name, arg) {
				chosen = append(chosen, lines[i])
			}
		}
		switch {
		case len(chosen) > before:
		case isTable(arg):
			return noTable(list, arg)
		default:
			return noColumn(list, "list", arg)
		}
	}
	return a.printColumns(chosen)
}

// columnLine is what col ls shows in one line: a column, or a table.
type columnLine struct {
	name, count, typ, note string
	json                   any
}

func lineOf(info column.Info) columnLine {
	line := columnLine{name: info.Name, count: humanize.Comma(info.Len), typ: info.Type, json: vaultjson.ColumnOf(info)}
	if info.Foreign {
		line.note = "  (of the Python package 1.x: listed only)"
	}
	return line
}

// folded makes one line of each table, where the first of its columns is.
func folded(list []column.Info) (lines []columnLine) {
	members := map[string][]column.Info{}
	for _, info := range list {
		if at := strings.Index(info.Name, "/") + 1; at > 0 {
			members[info.Name[:at]] = append(members[info.Name[:at]], info)
		}
	}
	for _, info := range list {
		at := strings.Index(info.Name, "/") + 1
		if at == 0 {
			lines = append(lines, lineOf(info))
			continue
		}
		name := info.Name[:at]
		if members[name] == nil {
			continue // its line is there
		}
		t := summaryOf(members[name])
		members[name] = nil
		t.Name = name
		lines = append(lines, columnLine{name: name, count: t.length(), typ: countInWords(int64(t.Columns), "column"), json: t})
	}
	return lines
}

// tableJSON is a table in JSON.
type tableJSON struct {
	Name    string `json:"name"`
	Columns int    `json:"columns"`
	Length  int64  `json:"length"`
	// Longest is there if the columns are not of one length: Length is the smallest then.
	Longest int64 `json:"longest,omitempty"`
}

// summaryOf counts columns and rows.
func summaryOf(members []column.Info) tableJSON {
	byLength := func(x, y column.Info) int { return cmp.Compare(x.Len, y.Len) }
	t := tableJSON{Columns: len(members), Length: slices.MinFunc(members, byLength).Len}
	if most := slices.MaxFunc(members, byLength).Len; most != t.Length {
		t.Longest = most
	}
	return t
}

func (t tableJSON) length() string {
	if t.Longest > 0 {
		return humanize.Comma(t.Length) + " to " + humanize.Comma(t.Longest)
	}
	return humanize.Comma(t.Length)
}

func (t tableJSON) rows() string {
	if t.Longest > 0 {
		return t.length() + " elements in each"
	}
	return countInWords(t.Length, "row")
}

func (a *app) printColumns(lines []columnLine) error {
	width, types := 0, 0
	for i := range lines {
		lines[i].typ = a.shown(lines[i].typ) // a column of the Python package 1.x may have any type
		width, types = max(width, len(lines[i].count)), max(types, len(lines[i].typ))
	}
	for _, line := range lines {
		if a.flags.json {
			if err := a.emit(line.json); err != nil {
				return err
			}
			continue
		}
		if err := a.printf("%*s  %-*s  %s%s\n", width, line.count, types, line.typ, a.shown(line.name), line.note); err != nil {
			return err
		}
	}
	return nil
}
