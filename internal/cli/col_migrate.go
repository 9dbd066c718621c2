package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

func (a *app) colMigrateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate NAME",
		Short: "Rewrite a column of an early version of the Python package",
		Long: `Rewrite a column whose elements differ in size, and which lies as versions 0.2
and 0.3 of the Python package lay it, as the later ones do. Elements can then be
replaced without moving those behind, and the early versions can no longer read
the column. Any other column stays as it is.

` + colExitHelp(),
		Example:           `  kvault -f media.kv col migrate name`,
		Args:              takes(1, 1, 0),
		ValidArgsFunction: a.completeColumns(1),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return a.withVault(ctx, changing, func(v *kvault.Vault) error {
				done, err := column.Migrate(ctx, v, args[0])
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
