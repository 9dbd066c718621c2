package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/transact"
)

func (a *app) mvCommand() *cobra.Command {
	var flags relocateFlags
	cmd := &cobra.Command{
		Use:     "mv FROM TO | mv KEY... TO/ | mv --prefix PREFIX TO | mv --glob GLOB TO",
		GroupID: groupValues,
		Short:   "Rename keys",
		Long: `Give the value of the key FROM the key TO, in one step and without copying it.
What TO held is replaced. In a bucket a crash can leave both keys.

` + relocateHelp + `

` + exitHelp(exitNotFound),
		Example: `  kvault -f media.kv mv photos/cat.jpg photos/felix.jpg
  kvault -f media.kv mv new.txt current.txt --if-absent
  kvault -f media.kv mv --prefix photos pictures/old`,
		Args:              takes(1, -1, 1<<30),
		ValidArgsFunction: a.completeKeys(-1),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return a.relocate(ctx, "mv", args, flags, renameKey)
		}),
	}
	flags.register(a, cmd, "rename")
	return cmd
}

func renameKey(ctx context.Context, in transact.Store, r relocation, o *kvault.RenameOptions) error {
	return in.Rename(ctx, r.from, r.to, o)
}
