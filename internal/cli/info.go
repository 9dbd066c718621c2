package cli

import (
	"context"
	"maps"
	"slices"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
)

func (a *app) infoCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "info",
		GroupID: groupVault,
		Short:   "Show how many keys the vault has, its size and its settings",
		Long: `Show the number of keys, the size of the vault and how it is kept.

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
				if a.flags.json {
					return a.emit(jsonStats(s))
				}
				return a.printStats(s)
			})
		}),
	}
}

type statsJSON struct {
	Location  string            `json:"location"`
	Engine    string            `json:"engine"`
	Keys      int64             `json:"keys"`
	FileBytes int64             `json:"file_bytes"`
	FreeBytes int64             `json:"free_bytes"`
	LogBytes  int64             `json:"log_bytes"`
	PageSize  int64             `json:"page_size"`
	Staged    int64             `json:"staged"`
	Detail    map[string]string `json:"detail,omitempty"`
}

func jsonStats(s kvault.Stats) statsJSON {
	return statsJSON{
		Location: s.Location, Engine: s.Engine, Keys: s.Keys,
		FileBytes: s.FileBytes, FreeBytes: s.FreeBytes, LogBytes: s.LogBytes,
		PageSize: s.PageSize, Staged: s.Staged, Detail: s.Detail,
	}
}

func (a *app) printStats(s kvault.Stats) error {
	facts := [][2]string{
		{"vault", s.Location},
		{"keys", humanize.Comma(s.Keys)},
		{"file", sizeInWords(s.FileBytes)},
		{"unused", sizeInWords(s.FreeBytes)},
		{"log", sizeInWords(s.LogBytes)},
		{"page size", sizeInWords(s.PageSize)},
		{"engine", s.Engine},
	}
	if s.Staged > 0 {
		facts = append(facts, [2]string{"unfinished", humanize.Comma(s.Staged) + " values being written or left behind"})
	}
	for _, name := range slices.Sorted(maps.Keys(s.Detail)) {
		facts = append(facts, [2]string{name, s.Detail[name]})
	}
	return a.printFacts(facts)
}
