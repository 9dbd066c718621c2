package cli

import (
	"context"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/describe"
)

func (a *app) colStatsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "stats NAME...|TABLE/...",
		Short: "Show count, sum, extremes and a histogram",
		Long: `Show the count, sum, smallest, largest and mean of columns of numbers, and a
histogram of ten equal ranges. NaN and infinities are counted, and left out of
everything else, as nulls are. Dates and timestamps have the earliest, the
latest and the histogram; truth values have the number that are true. Vectors
are summed up over all numbers in them, and other types over the lengths of
their elements in bytes, as stored.

Sums and means are exact, and rounded once. Floating-point numbers are shown
with six digits; --json has all of them. A range of floating-point numbers does
not include its end, except the last range.

All figures of a column are of one state of it. The column is read twice, and
not held in memory. 'kvault col describe' has a line for each column.

` + colExitHelp(),
		Example: `  kvault -f media.kv col stats size
  kvault -f media.kv col stats size --json | jq .sum`,
		Args:              columnNames,
		ValidArgsFunction: a.completeColumns(-1),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return a.withVault(ctx, reading, func(v *kvault.Vault) error {
				names, err := a.allColumns(ctx, v, args)
				if err != nil {
					return err
				}
				for i, name := range names {
					if i > 0 && !a.flags.json {
						if err := a.printf("\n"); err != nil {
							return err
						}
					}
					s, err := describe.StatsOf(ctx, v, name, describe.Bins)
					if err != nil {
						return err
					}
					if err := a.printColumnStats(s); err != nil {
						return err
					}
				}
				return nil
			})
		}),
	}
}

func (a *app) printColumnStats(s *describe.Stats) error {
	if a.flags.json {
		return a.emit(s)
	}
	facts := [][2]string{{"column", a.shown(s.Name)}, {"type", s.Type}, {"elements", humanize.Comma(s.Count)}}
	if s.Nulls > 0 {
		facts = append(facts, [2]string{"nulls", humanize.Comma(s.Nulls)})
	}
	if err := a.printFacts(append(facts, factsOfNumbers(s)...)); err != nil || len(s.Histogram) == 0 {
		return err
	}
	return a.printf("\n%s", drawBins(s.Histogram, a.outColumns()))
}

func factsOfNumbers(s *describe.Stats) (facts [][2]string) {
	add := func(name, value string) { facts = append(facts, [2]string{name, value}) }
	of := ""
	switch s.Of {
	case "truths":
		add("true", humanize.Comma(*s.True))
		return facts
	case "times":
		if s.Min != nil {
			add("earliest", numberInWords(s.Min))
			add("latest", numberInWords(s.Max))
		}
		return facts
	case "numbers":
		add("numbers", humanize.Comma(s.Numbers))
	case "lengths":
		of = " length"
	}
	if s.Min != nil {
		sum := "beyond the largest number of 64 bits"
		if s.Sum != nil {
			sum = numberInWords(s.Sum)
		}
		add("sum"+of, sum)
		add("smallest"+of, numberInWords(s.Min))
		add("largest"+of, numberInWords(s.Max))
		add("mean"+of, numberInWords(s.Mean))
	}
	if s.NotFinite > 0 {
		var kinds []string
		if s.NaN > 0 {
			kinds = append(kinds, humanize.Comma(s.NaN)+" NaN")
		}
		if s.Infinite > 0 {
			kinds = append(kinds, humanize.Comma(s.Infinite)+" infinite")
		}
		add("not finite", strings.Join(kinds, ", "))
	}
	return facts
}

// numberInWords is a number, or text that stands for one, for people.
func numberInWords(x any) string {
	switch x := x.(type) {
	case int64:
		return humanize.Comma(x)
	case uint64:
		return humanize.BigComma(new(big.Int).SetUint64(x))
	case *big.Int:
		return humanize.BigComma(new(big.Int).Set(x)) // which it changes
	case describe.Real:
		return strconv.FormatFloat(float64(x), 'g', 6, 64)
	}
	return fmt.Sprint(x)
}
