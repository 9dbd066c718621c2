package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

// isTable says that an argument stands for a table: for all columns whose names begin with it.
func isTable(arg string) bool { return strings.HasSuffix(arg, "/") }

// columnArgs returns the columns that the arguments of a command stand for: one that ends in "/"
// stands for all columns of that table, in the order they were made, and any other for itself.
func (a *app) columnArgs(ctx context.Context, tx *kvault.Tx, args []string) ([]string, error) {
	var list []column.Info
	var names []string
	for _, arg := range args {
		if !isTable(arg) {
			names = append(names, arg)
			continue
		}
		if list == nil {
			var err error
			if list, err = column.List(ctx, tx); err != nil {
				return nil, err
			}
		}
		members := columnsOf(list, arg)
		if len(members) == 0 {
			return nil, noTable(list, arg)
		}
		for _, info := range members {
			names = append(names, info.Name)
		}
	}
	return names, nil
}

// columnsOf returns the columns of a table. A column with just the name of the table is one as
// well, since nothing else on a command line could name it.
func columnsOf(list []column.Info, table string) (members []column.Info) {
	for _, info := range list {
		if strings.HasPrefix(info.Name, table) {
			members = append(members, info)
		}
	}
	return members
}

// tablesOf returns the tables that columns belong to, in the order they were made.
func tablesOf(list []column.Info) (tables []string) {
	seen := map[string]bool{}
	for _, info := range list {
		if at := strings.Index(info.Name, "/") + 1; at > 0 && !seen[info.Name[:at]] {
			seen[info.Name[:at]] = true
			tables = append(tables, info.Name[:at])
		}
	}
	return tables
}

// noTable says that a table is not there, and which are.
func noTable(list []column.Info, table string) error {
	const most = 5
	others := ""
	switch tables := tablesOf(list); {
	case len(tables) > most:
		others = "; there are " + strings.Join(tables[:most], ", ") + " and others"
	case len(tables) > 0:
		others = "; there are " + strings.Join(tables, ", ")
	}
	return &kvault.Error{Op: "column open", Key: table, Err: fmt.Errorf("there is no such table%s: %w", others, kvault.ErrNotFound)}
}
