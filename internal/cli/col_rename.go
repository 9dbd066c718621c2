package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

func (a *app) colRenameCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rename FROM TO",
		Short: "Give a column or a table another name",
		Long: `Give the column FROM the name TO, which must be free. If both end in "/" they are
tables: all columns of FROM/ come under TO/, where no column may have the name of
one of them; else nothing is renamed.

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
	if !isTable(from) {
		return column.Rename(ctx, v, from, to)
	}
	return v.Update(ctx, func(tx *kvault.Tx) error {
		if _, err := a.columnArgs(ctx, tx, []string{from}); err != nil {
			return err
		}
		_, err := column.RenamePrefix(ctx, tx, from, to)
		return err
	})
}
