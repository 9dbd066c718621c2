package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

func (a *app) colNewCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "new NAME TYPE",
		Short: "Make a column",
		Long: `Make an empty column for elements of TYPE: i64 and f64 are numbers, bytes:N is N
bytes each, bytes is of any length, and str is text. The vault is made if it
does not exist.

` + exitHelp(),
		Example: `  kvault -f media.kv col new size i64`,
		Args:    takes(2, 2, 0),
		ValidArgsFunction: a.completeInTurn(fixedDirective(cobra.ShellCompDirectiveNoFileComp),
			cobra.FixedCompletions([]cobra.Completion{"i64", "f64", "bytes", "bytes:", "str"}, cobra.ShellCompDirectiveNoFileComp)),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return a.withVault(ctx, creating, func(v *kvault.Vault) error {
				d, err := column.CreateAny(ctx, v, args[0], args[1], nil)
				if err != nil || !a.flags.json {
					return err
				}
				return a.emit(columnJSON{d.Name(), d.Type(), 0})
			})
		}),
	}
	a.flags.registerWrite(cmd)
	return cmd
}
