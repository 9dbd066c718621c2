package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

// refuseColumnTable refuses --table for the col commands, which it does not part. The variable is
// for the keys of a script that may use columns as well.
func (a *app) refuseColumnTable(cmd *cobra.Command) error {
	f := cmd.Flags().Lookup("table")
	if cmd.Parent() == nil || cmd.Parent().Name() != "col" || f.Value.String() == "" {
		return nil
	}
	if !f.Changed {
		a.note("%s parts keys only: all columns of the file are one list, and a prefix such as %s/ parts them.", envName("table"), f.Value)
		return nil
	}
	return usagef("%s: --table parts keys only: all columns of the file are one list; a prefix parts them, as in %s/NAME", cmd.Name(), f.Value)
}

// isTable says that an argument stands for a table: for all columns whose names begin with it.
func isTable(arg string) bool { return strings.HasSuffix(arg, "/") }

// checkTableName refuses a name to make that would be of a table without a name.
func checkTableName(command, name string) error {
	if strings.HasPrefix(name, "/") {
		return usagef("%s: %q begins with a slash, which would make a table without a name: name it, as in NAME/", command, name)
	}
	return nil
}

// columnArgs returns the columns that the arguments of a command stand for: one that ends in "/"
// stands for all columns of that table, in the order they were made, and any other for itself.
func (a *app) columnArgs(ctx context.Context, tx *kvault.Tx, args []string) ([]string, error) {
	var list []column.Info
	var names []string
	for _, arg := range args {
		if !isTable(arg) {
			if _, err := column.OpenAny(ctx, tx, arg); errors.Is(err, kvault.ErrNotFound) {
				list, failed := column.List(ctx, tx)
				return nil, cmp.Or(failed, noColumn(list, "open", arg))
			}
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

// tableArgs returns the columns that the arguments of a command stand for, and what their names in
// a file begin without: if the one argument is a table, its name.
func (a *app) tableArgs(ctx context.Context, v *kvault.Vault, args []string) (names []string, prefix string, err error) {
	err = column.View(ctx, v, func(tx *kvault.Tx) error {
		names, err = a.columnArgs(ctx, tx, args)
		return err
	})
	if err != nil || len(args) != 1 || !isTable(args[0]) || slices.Contains(names, args[0]) {
		return names, "", err
	}
	for i := range names {
		names[i] = strings.TrimPrefix(names[i], args[0])
	}
	return names, args[0], nil
}

// allColumns is columnArgs in a transaction of its own.
func (a *app) allColumns(ctx context.Context, v *kvault.Vault, args []string) (names []string, err error) {
	err = column.View(ctx, v, func(tx *kvault.Tx) error {
		names, err = a.columnArgs(ctx, tx, args)
		return err
	})
	return names, err
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

// notThere is the text of an error about a column or a table that does not exist.
type notThere string

func (n notThere) Error() string { return string(n) }
func (notThere) Unwrap() error   { return kvault.ErrNotFound }

// noColumn says that a column is not there, and names a table that is.
func noColumn(list []column.Info, op, name string) error {
	hint := ""
	if t := name + "/"; len(columnsOf(list, t)) > 0 {
		hint = fmt.Sprintf("; %s is a table", t)
	} else if at := strings.Index(name, "/") + 1; at > 0 {
		if members := columnsOf(list, name[:at]); len(members) > 0 {
			names := make([]string, len(members))
			for i, info := range members {
				names[i] = strings.TrimPrefix(info.Name, name[:at])
			}
			hint = fmt.Sprintf("; the table %s has %s", name[:at], someOf(names))
		}
	}
	return &kvault.Error{Op: "column " + op, Key: name, Err: notThere("there is no such column" + hint)}
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
	return &kvault.Error{Op: "column open", Key: table, Err: notThere("there is no such table" + others)}
}
