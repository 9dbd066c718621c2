package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

func (a *app) colDropCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "drop NAME...|TABLE/...",
		Short: "Delete columns or tables with all their elements",
		Long: `Delete the columns: all of them, or none if one does not exist. TABLE/ stands
for all columns of the table. The command asks first; without a terminal to ask
on, --yes is needed.

` + colExitHelp(),
		Example: `  kvault -f media.kv col drop size --yes
  kvault -f media.kv col drop flights/`,
		Args:              columnNames,
		ValidArgsFunction: a.completeColumns(-1),
		RunE: a.action(func(ctx context.Context, names []string) error {
			return a.withVault(ctx, changing, func(v *kvault.Vault) error { return a.colDrop(ctx, v, names, yes) })
		}),
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	a.flags.registerWrite(cmd)
	return cmd
}

func (a *app) colDrop(ctx context.Context, v *kvault.Vault, args []string, yes bool) error {
	list, err := column.List(ctx, v)
	if err != nil {
		return err
	}
	names, what, err := toDrop(list, args)
	if err != nil {
		return err
	}
	if !yes {
		if err := a.confirmDelete(ctx, "drop", fmt.Sprintf("Delete %s?", strings.Join(what, " and "))); err != nil {
			return err
		}
	}
	err = column.Update(ctx, v, func(tx *kvault.Tx) error {
		for _, name := range names {
			if err := column.Drop(ctx, tx, name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || !a.flags.json {
		return err
	}
	for _, name := range names {
		if err := a.emit(struct {
			Name    string `json:"name"`
			Dropped bool   `json:"dropped"`
		}{name, true}); err != nil {
			return err
		}
	}
	return nil
}

// toDrop returns the columns that the arguments stand for, and what to call each argument in a
// question.
func toDrop(list []column.Info, args []string) (names, what []string, err error) {
	byName := make(map[string]column.Info, len(list))
	for _, info := range list {
		byName[info.Name] = info
	}
	for _, arg := range args {
		if isTable(arg) {
			members := columnsOf(list, arg)
			if len(members) == 0 {
				return nil, nil, noTable(list, arg)
			}
			for _, info := range members {
				names = append(names, info.Name)
			}
			t := summaryOf(members)
			what = append(what, fmt.Sprintf("the table %q with %s and %s", arg, countInWords(int64(t.Columns), "column"), t.rows()))
			continue
		}
		info, ok := byName[arg]
		if !ok {
			return nil, nil, noColumn(list, "drop", arg)
		}
		names = append(names, arg)
		what = append(what, fmt.Sprintf("%q with %s", arg, countInWords(info.Len, "element")))
	}
	seen := map[string]bool{}
	names = slices.DeleteFunc(names, func(name string) bool {
		before := seen[name]
		seen[name] = true
		return before
	})
	return names, what, nil
}
