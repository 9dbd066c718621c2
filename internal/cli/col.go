package cli

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/column/exchange"
)

func (a *app) colCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "col",
		GroupID: groupColumns,
		Short:   "Keep typed lists beside the values",
		Long: `A column is a list of elements of one type: numbers, bytes, text, vectors, or
values of any form; 'kvault col new --help' has the types. Columns of one length
make a table, which goes to CSV, JSON lines, Arrow and Parquet, and comes from
them. The columns whose names begin with NAME/ are the table NAME/, and wherever
a command takes columns, NAME/ stands for all of them in the order they were
made.

A file has one list of columns. --table chooses among tables of keys only, so
these commands refuse it.`,
		Example: `  kvault -f media.kv col append flights/ --from flights.csv --infer
  kvault -f media.kv col show flights/ --head 3
  kvault -f media.kv col export flights/ -o flights.parquet`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("col: there is no command %q", args[0])
			}
			return usagef("col: name a command")
		},
		RunE: func(*cobra.Command, []string) error { return nil },
	}
	cmd.AddCommand(
		a.colLsCommand(), a.colNewCommand(), a.colAppendCommand(), a.colShowCommand(), a.colStatsCommand(), a.colDescribeCommand(),
		a.colExportCommand(), a.colRenameCommand(), a.colNullableCommand(), a.colMigrateCommand(), a.colDropCommand(),
	)
	return cmd
}

// colExitHelp is exitHelp for commands that name columns.
func colExitHelp() string {
	return strings.Replace(exitHelp(exitNotFound), exitMeaning[exitNotFound], "no such column", 1)
}

// completeColumns completes the first n arguments (all if n is below 0) with the names of columns.
func (a *app) completeColumns(n int) completer {
	return func(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
		directive := cobra.ShellCompDirectiveNoFileComp
		if n >= 0 && len(args) >= n || a.applyEnv(cmd) != nil {
			return nil, directive
		}
		a.flags.busyTimeout = min(a.flags.busyTimeout, completionTimeout/4)
		ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
		defer cancel()
		var found []cobra.Completion
		err := a.withVault(ctx, reading, func(v *kvault.Vault) error {
			list, err := column.List(ctx, v)
			for _, line := range completions(list, start) {
				if plain(line.name) && len(found) < completionLimit {
					found = append(found, cobra.CompletionWithDesc(line.name, line.typ))
				}
			}
			return err
		})
		if err != nil {
			cobra.CompDebugln(path.Base(cmd.CommandPath())+": "+err.Error(), false)
		}
		return found, directive
	}
}

// completions are the columns and tables whose names begin with start, and the columns of a table
// only if start names it.
func completions(list []column.Info, start string) (lines []columnLine) {
	if !strings.Contains(start, "/") {
		lines = folded(list)
	} else {
		for _, info := range list {
			lines = append(lines, lineOf(info))
		}
	}
	return slices.DeleteFunc(lines, func(line columnLine) bool { return !strings.HasPrefix(line.name, start) })
}

// formatFlag registers --format.
func formatFlag(cmd *cobra.Command, format *choice) {
	for _, f := range exchange.Formats {
		format.allowed = append(format.allowed, string(f))
	}
	cmd.Flags().Var(format, "format", "how the table is written")
	registerChoice(cmd, "format", format.allowed)
}
