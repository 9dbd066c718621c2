package cli

import (
	"context"
	"errors"
	"math"
	"strconv"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

func (a *app) colStatsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "stats NAME...",
		Short: "Show count, sum, extremes and a histogram",
		Long: `Show count, sum, smallest, largest and mean of columns of numbers, and how they
are spread over ten equal ranges. Of vectors it is the numbers in them that are
counted, as floating-point numbers; of the other types the lengths of the
elements in bytes, as they are stored. What is shown of a column is of one
state; the column is read twice, and not held in memory.

` + colExitHelp(),
		Example: `  kvault -f media.kv col stats size
  kvault -f media.kv col stats size --json | jq .sum`,
		Args:              columnNames,
		ValidArgsFunction: a.completeColumns(-1),
		RunE: a.action(func(ctx context.Context, names []string) error {
			return a.withVault(ctx, reading, func(v *kvault.Vault) error {
				for i, name := range names {
					if i > 0 && !a.flags.json {
						if err := a.printf("\n"); err != nil {
							return err
						}
					}
					s, err := columnStats(ctx, v, name)
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

// statsOfColumn is what col stats shows of one column, in JSON too. Sum is missing if it does not fit into 64 bits, or is no
// number, as are the others where there is no element.
type statsOfColumn struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Of    string `json:"of"`
	Count int64  `json:"count"`
	// Numbers is how many numbers there are in the vectors of the column.
	Numbers   int64 `json:"numbers,omitempty"`
	Sum       any   `json:"sum,omitempty"`
	Min       any   `json:"min,omitempty"`
	Max       any   `json:"max,omitempty"`
	Mean      any   `json:"mean,omitempty"`
	Histogram []bin `json:"histogram,omitempty"`
	// NotFinite are elements that are in no range of the histogram.
	NotFinite int64 `json:"not_finite,omitempty"`
}

// columnStats looks at a column in one snapshot.
func columnStats(ctx context.Context, v *kvault.Vault, name string) (s *statsOfColumn, err error) {
	err = v.View(ctx, func(tx *kvault.Tx) error {
		d, err := column.OpenAny(ctx, tx, name)
		if err != nil {
			return err
		}
		s = &statsOfColumn{Name: d.Name(), Type: d.Type(), Of: "values"}
		for _, of := range statsByType {
			if did, err := of(ctx, s, d); did {
				return err
			}
		}
		s.Of = "elements"
		s.Count, err = d.Len(ctx)
		return err
	})
	return s, err
}

func statsOfNumbers[N number](ctx context.Context, s *statsOfColumn, c *column.Column[N]) error {
	total, err := column.Summarize(ctx, c, nil)
	if err != nil && !errors.Is(err, kvault.ErrTooLarge) {
		return err
	}
	if s.Count = total.Count; s.Count == 0 {
		return nil
	}
	if err == nil {
		s.Sum = finite(total.Sum)
	}
	s.Min, s.Max, s.Mean = finite(total.Min), finite(total.Max), finite(total.Mean)
	s.Histogram, s.NotFinite, err = histogramOf(ctx, c, func(x N, count func(N)) { count(x) })
	return err
}

func statsOfLengths[T any](ctx context.Context, s *statsOfColumn, c *column.Column[T]) error {
	var buf []byte
	length := func(x T) int64 {
		encoded, err := c.Codec().Append(buf[:0], x)
		if err != nil {
			return 0 // it has been decoded, so it can be encoded
		}
		buf = encoded
		return int64(len(encoded))
	}
	s.Of = "lengths"
	sum, least, most := int64(0), int64(math.MaxInt64), int64(0)
	err := each(ctx, c, func(x T) {
		n := length(x)
		sum, least, most = sum+n, min(least, n), max(most, n)
		s.Count++
	})
	if err != nil || s.Count == 0 {
		return err
	}
	s.Sum, s.Min, s.Max, s.Mean = sum, least, most, float64(sum)/float64(s.Count)
	s.Histogram, _, err = histogramOf(ctx, c, func(x T, count func(int64)) { count(length(x)) })
	return err
}

// each runs fn on all elements.
func each[T any](ctx context.Context, c *column.Column[T], fn func(T)) error {
	for block, err := range c.Blocks(ctx) {
		if err != nil {
			return err
		}
		for _, x := range block {
			fn(x)
		}
	}
	return nil
}

// finite is x for JSON, which has no infinities.
func finite[N number](x N) any {
	if f := float64(x); math.IsNaN(f) || math.IsInf(f, 0) {
		return nil
	}
	return x
}

func (a *app) printColumnStats(s *statsOfColumn) error {
	if a.flags.json {
		return a.emit(s)
	}
	facts := [][2]string{{"column", a.shown(s.Name)}, {"type", s.Type}, {"elements", humanize.Comma(s.Count)}}
	of := ""
	switch s.Of {
	case "lengths":
		of = " length"
	case "numbers":
		facts = append(facts, [2]string{"numbers", humanize.Comma(s.Numbers)})
	}
	for _, f := range []struct {
		name  string
		value any
	}{{"sum", s.Sum}, {"smallest", s.Min}, {"largest", s.Max}, {"mean", s.Mean}} {
		if s.Of != "elements" && s.Count > 0 && (s.Of != "numbers" || s.Numbers > 0) {
			facts = append(facts, [2]string{f.name + of, numberInWords(f.value)})
		}
	}
	if s.NotFinite > 0 {
		facts = append(facts, [2]string{"not finite", countInWords(s.NotFinite, "element")})
	}
	if err := a.printFacts(facts); err != nil || len(s.Histogram) == 0 {
		return err
	}
	return a.printf("\n%s", drawBins(s.Histogram))
}

func numberInWords(x any) string {
	switch x := x.(type) {
	case int64:
		return humanize.Comma(x)
	case float64:
		return strconv.FormatFloat(x, 'g', 6, 64)
	}
	return "no finite 64-bit number"
}
