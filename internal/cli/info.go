package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/vaultjson"
)

func (a *app) infoCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "info",
		GroupID: groupVault,
		Short:   "Show how many keys the vault has, its size and its settings",
		Long: `Show the number of keys, the sum of the sizes of their values, the size of the
vault and how it is kept. Tables of the
Python package for searches in text and vectors are listed; kvault leaves them
alone.

` + exitHelp(),
		Example: `  kvault -f media.kv info
  kvault -f media.kv info --json | jq .keys`,
		Args:              takes(0, 0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: a.action(func(ctx context.Context, _ []string) error {
			return a.withVault(ctx, reading, func(v *kvault.Vault) error {
				s, err := v.Stats(ctx)
				if err != nil {
					return err
				}
				size, err := sumOfSizes(ctx, v)
				if err != nil {
					return err
				}
				if a.flags.json {
					return a.emit(vaultjson.StatsOf(s, size))
				}
				return a.printStats(s, size)
			})
		}),
	}
}

// sumOfSizes adds up the sizes of all values. It is nil if the listing meets damage: the rest of
// what info tells is still of use then.
func sumOfSizes(ctx context.Context, v *kvault.Vault) (*int64, error) {
	sum := int64(0)
	for e, err := range v.List(ctx, &kvault.ListOptions{NoMetadata: true}) {
		if ctx.Err() == nil && errors.Is(err, kvault.ErrCorrupt) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		sum += e.Size
	}
	return &sum, nil
}

func (a *app) printStats(s kvault.Stats, size *int64) error {
	values := "damaged, so that not all can be added up; 'kvault check' tells more"
	if size != nil {
		values = sizeInWords(*size)
	}
	facts := [][2]string{
		{"vault", a.shown(s.Location)},
		{"keys", humanize.Comma(s.Keys)},
		{"values", values},
	}
	if !a.inBucket() {
		facts = append(facts, [][2]string{
			{"file", sizeInWords(s.FileBytes)},
			{"unused", sizeInWords(s.FreeBytes)},
			{"log", sizeInWords(s.LogBytes)},
			{"page size", sizeInWords(s.PageSize)},
		}...)
	}
	facts = append(facts, [2]string{"engine", s.Engine})
	if s.Staged > 0 {
		facts = append(facts, [2]string{"unfinished", fmt.Sprintf("%s being written or left behind, %s", countInWords(s.Staged, "value"), sizeInWords(s.StagedBytes))})
	}
	if s.OddKeys > 0 {
		facts = append(facts, [2]string{"odd keys", countInWords(s.OddKeys, "row") + " whose key is not a BLOB, which no command finds; 'kvault check' names them"})
	}
	for _, t := range s.Search {
		facts = append(facts, [2]string{map[string]string{"fts5": "text table", "vec0": "vector table"}[t.Module], a.searchInWords(t)})
	}
	for _, name := range slices.Sorted(maps.Keys(s.Detail)) {
		facts = append(facts, [2]string{name, a.shown(s.Detail[name])})
	}
	return a.printFacts(facts)
}

func (a *app) searchInWords(t engine.SearchTable) string {
	rows := "rows that cannot be counted"
	if t.Rows >= 0 {
		rows = humanize.Comma(t.Rows) + " rows"
	}
	words := a.shown(t.Name) + ": " + rows
	if len(t.Columns) > 0 {
		words += ", columns " + a.shown(strings.Join(t.Columns, " "))
	}
	if t.Dimension > 0 {
		words += ", " + strings.TrimSpace(fmt.Sprintf("%d dimensions of %s %s", t.Dimension, t.Element, t.Metric))
	}
	return words
}
