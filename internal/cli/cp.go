package cli

import (
	"context"

	"github.com/spf13/cobra"
)

func (a *app) cpCommand() *cobra.Command {
	var flags relocateFlags
	cmd := &cobra.Command{
		Use:     "cp FROM TO | cp KEY... TO/ | cp --prefix PREFIX TO | cp --glob GLOB TO",
		GroupID: groupValues,
		Short:   "Copy keys within the vault",
		Long: `Store the value of the key FROM under the key TO as well, with its time, content
type and metadata. What TO held is replaced. Other writers wait meanwhile.
Of a value in chunks, which values above 64 MiB are kept in, nothing is written
again: both keys share them, also with --one-row. 'kvault layout' moves them.

` + relocateHelp + `

` + exitHelp(exitNotFound),
		Example: `  kvault -f media.kv cp photos/cat.jpg photos/cat-edited.jpg
  kvault -f media.kv cp notes/a.txt notes/b.txt attic/
  kvault -f media.kv cp --glob 'photos/**/*.jpg' pictures --dry-run`,
		Args:              takes(1, -1, 1<<30),
		ValidArgsFunction: a.completeKeys(-1),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return a.relocate(ctx, "cp", args, flags, copyKey)
		}),
	}
	flags.register(a, cmd, "copy")
	return cmd
}
