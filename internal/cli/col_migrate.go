package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

func (a *app) colMigrateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate NAME|TABLE/",
		Short: "Rewrite columns of an early version of the Python package",
		Long: `Rewrite a column whose elements differ in size and which version 0.2 or 0.3 of
the Python package made, in the layout of later versions. Its elements can then
be replaced without moving those after them, and the early versions can no
longer read it. Any other column stays as it is. TABLE/ stands for all columns
of the table.

` + colExitHelp(),
		Example:           `  kvault -f media.kv col migrate name`,
		Args:              takes(1, 1, 0),
		ValidArgsFunction: a.completeColumns(1),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return a.withVault(ctx, changing, func(v *kvault.Vault) error {
				done, err := a.colMigrate(ctx, v, args)
				switch {
				case err != nil:
					return err
				case a.flags.json:
					return a.emit(struct {
						Migrated bool `json:"migrated"`
					}{done})
				case done:
					a.note("Rewritten.")
				default:
					a.note("There was nothing to do.")
				}
				return nil
			})
		}),
	}
	a.flags.registerWrite(cmd)
	return cmd
}

// colMigrate says whether there was anything to rewrite.
func (a *app) colMigrate(ctx context.Context, v *kvault.Vault, args []string) (migrated bool, err error) {
	err = column.Update(ctx, v, func(tx *kvault.Tx) error {
		migrated = false
		names, err := a.columnArgs(ctx, tx, args)
		if err != nil {
			return err
		}
		for _, name := range names {
			done, err := column.Migrate(ctx, tx, name)
			if err != nil {
				return err
			}
			migrated = migrated || done
		}
		return nil
	})
	return migrated, err
}
