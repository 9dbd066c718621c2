package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

func (a *app) colNullableCommand() *cobra.Command {
	var off bool
	cmd := &cobra.Command{
		Use:   "nullable NAME|TABLE/",
		Short: "Let columns hold nulls",
		Long: `Make a column nullable: its type gets ":null" behind it, and rows with a null
can be appended. None of the elements that are there becomes null. With --off
make it plain again, which fails if one of its elements is null. A column that
is so already stays as it is. TABLE/ stands for all columns of the table: all of
them are changed, or none.

` + colExitHelp(),
		Example: `  kvault -f media.kv col nullable flights/dep_delay
  kvault -f media.kv col nullable flights/ --off`,
		Args:              takes(1, 1, 0),
		ValidArgsFunction: a.completeColumns(1),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return a.withVault(ctx, changing, func(v *kvault.Vault) error {
				changed, err := a.colNullable(ctx, v, args, off)
				if err != nil {
					return err
				}
				if a.flags.json {
					return a.emit(struct {
						Changed int64 `json:"changed"`
					}{changed})
				}
				a.note("Changed %s.", countInWords(changed, "column"))
				return nil
			})
		}),
	}
	cmd.Flags().BoolVar(&off, "off", false, "let them hold no nulls")
	a.flags.registerWrite(cmd)
	return cmd
}

// colNullable returns the number of columns that it changed.
func (a *app) colNullable(ctx context.Context, v *kvault.Vault, args []string, off bool) (changed int64, err error) {
	change := column.AllowNulls[*kvault.Tx]
	if off {
		change = column.ForbidNulls[*kvault.Tx]
	}
	err = column.Update(ctx, v, func(tx *kvault.Tx) error {
		changed = 0
		names, err := a.columnArgs(ctx, tx, args)
		if err != nil {
			return err
		}
		before, err := column.List(ctx, tx)
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := change(ctx, tx, name); err != nil {
				return err
			}
		}
		after, err := column.List(ctx, tx)
		if err != nil {
			return err
		}
		for i := range after {
			if before[i].Type != after[i].Type {
				changed++
			}
		}
		return nil
	})
	return changed, err
}
