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
		Short: "Give a column another name",
		Long: `Give the column FROM the name TO, which must be free.

` + colExitHelp(),
		Example:           `  kvault -f media.kv col rename size bytes`,
		Args:              takes(2, 2, 0),
		ValidArgsFunction: a.completeColumns(1),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return a.withVault(ctx, changing, func(v *kvault.Vault) error { return column.Rename(ctx, v, args[0], args[1]) })
		}),
	}
	a.flags.registerWrite(cmd)
	return cmd
}
