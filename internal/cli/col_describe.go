package cli

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/describe"
)

func (a *app) colDescribeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "describe NAME...|TABLE/...",
		Short: "Show a line of statistics for each column",
		Long: `Show a line for each column, or a paragraph on a terminal that is too narrow for
lines: how many elements and nulls it has, and how many distinct values; for
numbers also the mean, the standard deviation of a sample, the extremes and the
quartiles.

Nulls count in the first two figures only. NaN and infinities are left out of
the figures for numbers; --json counts them. Mean, deviation, extremes and
quartiles are exact, and rounded once; a quartile between two numbers is
interpolated, as numpy and pandas do. Floating-point numbers are shown with six
digits; --json has all of them. Up to 4,096 distinct values are counted exactly;
above that the number is an estimate, marked "~", with a standard error of 0.8
%.

Dates and timestamps have extremes and quartiles, texts have extremes in the
order of their bytes, and the mean of truth values is the share that are true.
With --json texts and bytes have the lengths of the shortest and the longest.

All figures of a column are of one state of it. A column is read two to seven
times, mostly three, and not held in memory: describing takes some megabytes.

` + colExitHelp(),
		Example: `  kvault -f media.kv col describe name size
  kvault -f media.kv col describe flights/
  kvault -f media.kv col describe size --json | jq .p50`,
		Args:              columnNames,
		ValidArgsFunction: a.completeColumns(-1),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return a.withVault(ctx, reading, func(v *kvault.Vault) error { return a.colDescribe(ctx, v, args) })
		}),
	}
}

func (a *app) colDescribe(ctx context.Context, v *kvault.Vault, args []string) error {
	names, err := a.allColumns(ctx, v, args)
	if err != nil {
		return err
	}
	rows := [][]string{{"column", "elements", "nulls", "distinct", "mean", "deviation", "min", "25%", "50%", "75%", "max"}}
	for _, name := range names {
		d, err := describe.Describe(ctx, v, name)
		if err != nil {
			return err
		}
		if a.flags.json {
			if err := a.emit(d); err != nil {
				return err
			}
			continue
		}
		distinct := humanize.Comma(d.Distinct)
		if d.Estimated {
			distinct = "~" + distinct
		}
		row := []string{a.shown(d.Name), humanize.Comma(d.Count), humanize.Comma(d.Nulls), distinct}
		for _, x := range []any{d.Mean, d.Deviation, d.Min, d.P25, d.P50, d.P75, d.Max} {
			row = append(row, a.cell(x))
		}
		rows = append(rows, row)
	}
	if a.flags.json {
		return nil
	}
	table := alignRight(rows)
	if header, _, _ := strings.Cut(table, "\n"); len(header) > a.outColumns() {
		return a.printDescribed(rows)
	}
	return a.printf("%s", table)
}

// printDescribed prints the figures of each column below one another, for a terminal that is too
// narrow.
func (a *app) printDescribed(rows [][]string) error {
	for i, row := range rows[1:] {
		if i > 0 {
			if err := a.printf("\n"); err != nil {
				return err
			}
		}
		facts := make([][2]string, len(row))
		for j, text := range row {
			facts[j] = [2]string{rows[0][j], text}
		}
		if err := a.printFacts(facts); err != nil {
			return err
		}
	}
	return nil
}

// cell is a value in a table: nothing, a number, or the beginning of a text.
func (a *app) cell(x any) string {
	const most = len("2006-01-02T15:04:05.999999999Z")
	text, ok := x.(string)
	switch {
	case x == nil:
		return ""
	case !ok:
		return numberInWords(x)
	}
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most-1]) + "…"
	}
	return a.shown(text)
}

// alignRight lays rows out as a table, with all but the first column at the right.
func alignRight(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, text := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(text))
		}
	}
	var table strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, text := range row {
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text))
			if i == 0 {
				line.WriteString(text + space)
			} else {
				line.WriteString("  " + space + text)
			}
		}
		table.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return table.String()
}
