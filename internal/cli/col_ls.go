package cli

import (
	"context"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

func (a *app) colLsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "ls",
		Short: "List the columns",
		Long: `List the columns with the number of their elements and their type, in the order
they were made.

` + exitHelp(),
		Example: `  kvault -f media.kv col ls
  kvault -f media.kv col ls --json | jq .name`,
		Args:              takes(0, 0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: a.action(func(ctx context.Context, _ []string) error {
			return a.withVault(ctx, reading, func(v *kvault.Vault) error {
				list, err := column.List(ctx, v)
				if err != nil {
					return err
				}
				return a.printColumns(list)
			})
		}),
	}
}

func (a *app) printColumns(list []column.Info) error {
	counts, width, types := make([]string, len(list)), 0, 0
	for i, info := range list {
		if !a.flags.json { // a column of the Python package 1.x may have any type
			list[i].Type = a.shown(info.Type)
		}
		counts[i] = humanize.Comma(info.Len)
		width, types = max(width, len(counts[i])), max(types, len(list[i].Type))
	}
	for i, info := range list {
		if a.flags.json {
			if err := a.emit(columnJSON{info.Name, info.Type, info.Len, info.Foreign}); err != nil {
				return err
			}
			continue
		}
		note := ""
		if info.Foreign {
			note = "  (of the Python package 1.x: listed only)"
		}
		if err := a.printf("%*s  %-*s  %s%s\n", width, counts[i], types, info.Type, a.shown(info.Name), note); err != nil {
			return err
		}
	}
	return nil
}
