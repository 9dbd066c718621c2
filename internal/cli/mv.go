package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
)

func (a *app) mvCommand() *cobra.Command {
	var o kvault.RenameOptions
	cmd := &cobra.Command{
		Use:     "mv FROM TO",
		GroupID: groupValues,
		Short:   "Rename a key",
		Long: `Give the value of the key FROM the key TO, in one step and without copying it.
What TO held is replaced.

` + exitHelp(exitNotFound),
		Example: `  kvault -f media.kv mv photos/cat.jpg photos/felix.jpg
  kvault -f media.kv mv new.txt current.txt --if-absent`,
		Args:              takes(2, 2, 2),
		ValidArgsFunction: a.completeKeys(2),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return a.withVault(ctx, changing, func(v *kvault.Vault) error {
				if err := v.Rename(ctx, args[0], args[1], &o); err != nil || !a.flags.json {
					return err
				}
				e, err := v.Stat(ctx, args[1])
				if err != nil {
					return err
				}
				return a.emit(jsonEntry(e))
			})
		}),
	}
	fs := cmd.Flags()
	fs.BoolVar(&o.NoReplace, "if-absent", false, "fail if TO exists")
	fs.StringVar(&o.IfTag, "if-tag", "", "fail unless FROM has this version `tag`")
	a.flags.registerWrite(cmd)
	return cmd
}
