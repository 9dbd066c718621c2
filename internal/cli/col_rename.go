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

func (a *app) colRenameCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rename FROM TO",
		Short: "Give a column or a table another name",
		Long: `Give the column FROM the name TO, which must be free. If both end in "/" they
are tables, and all columns of FROM/ are renamed, or none. If the table TO/
exists, they join it: they must be as long as its columns, and have other names.

` + colExitHelp(),
		Example: `  kvault -f media.kv col rename size bytes
  kvault -f media.kv col rename flights/ trips/`,
		Args:              takes(2, 2, 0),
		ValidArgsFunction: a.completeColumns(1),
		RunE: a.action(func(ctx context.Context, args []string) error {
			if isTable(args[0]) != isTable(args[1]) {
				return usagef(`rename: %q and %q are a table, which ends in "/", and a column: give both names the same end`, args[0], args[1])
			}
			if err := checkTableName("rename", args[1]); err != nil {
				return err
			}
			return a.withVault(ctx, changing, func(v *kvault.Vault) error { return a.colRename(ctx, v, args[0], args[1]) })
		}),
	}
	a.flags.registerWrite(cmd)
	return cmd
}

func (a *app) colRename(ctx context.Context, v *kvault.Vault, from, to string) error {
	return column.Update(ctx, v, func(tx *kvault.Tx) error {
		list, err := column.List(ctx, tx)
		if err != nil {
			return err
		}
		if !isTable(from) {
			if !slices.ContainsFunc(list, func(info column.Info) bool { return info.Name == from }) {
				return noColumn(list, "rename", from)
			}
			return column.Rename(ctx, tx, from, to)
		}
		members := columnsOf(list, from)
		if len(members) == 0 {
			return noTable(list, from)
		}
		if _, err := column.RenamePrefix(ctx, tx, from, to); err != nil {
			return err
		}
		return sameLength(members, columnsOf(list, to), from, to)
	})
}

// sameLength refuses to make one table of two whose rows would not match.
func sameLength(members, others []column.Info, from, to string) error {
	if len(others) == 0 || strings.HasPrefix(to, from) || strings.HasPrefix(from, to) {
		return nil
	}
	a, b := summaryOf(members), summaryOf(others)
	if a.Length == b.Length && a.Longest == b.Longest {
		return nil
	}
	return &kvault.Error{Op: "column rename", Key: from, Err: fmt.Errorf("%s has %s and %s has %s: columns of a table are of one length, so give it a name of its own: %w",
		from, a.rows(), to, b.rows(), kvault.ErrInvalid)}
}
