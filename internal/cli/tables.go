package cli

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
)

func (a *app) tablesCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "tables",
		GroupID: groupVault,
		Short:   "List the tables of keys in the file",
		Long: `List the tables of keys that the file holds, with the number of keys and the sum
of the sizes of their values. "*" marks the table that commands use: the one
that --table names, or else "kvault", or "kv" in a file of the Python package
that has only that. A table appears with the first key that is put with --table.
Tables of columns are listed by 'kvault col ls'.

` + exitHelp(),
		Example: `  kvault -f media.kv tables
  kvault -f media.kv tables --json | jq -r .table`,
		Args:              takes(0, 0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              a.action(func(ctx context.Context, _ []string) error { return a.tables(ctx) }),
	}
}

// keyTable is a table of keys, as JSON shows it.
type keyTable struct {
	Table   string `json:"table"`
	Keys    int64  `json:"keys"`
	Bytes   *int64 `json:"bytes,omitempty"` // left out if damage keeps it from being known
	Current bool   `json:"current"`
}

func (a *app) tables(ctx context.Context) error {
	err := a.needsFile("tables", "each prefix of a bucket is a vault with one table of keys")
	if err != nil {
		return err
	}
	var stats kvault.Stats
	err = a.withVault(ctx, reading, func(v *kvault.Vault) (err error) {
		stats, err = v.Stats(ctx)
		return err
	})
	if err != nil {
		return err
	}
	var found []keyTable
	// The parts of a name with a space, which no table of keys has, may come twice.
	names := strings.Fields(stats.Detail["tables"])
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		t := keyTable{Table: name, Current: name == stats.Detail["table"]}
		is, err := a.measureTable(ctx, &t)
		if err != nil {
			return err
		}
		if is {
			found = append(found, t)
		}
	}
	return a.printTables(found)
}

// measureTable fills in what a table of keys holds, and reports whether it is one.
func (a *app) measureTable(ctx context.Context, t *keyTable) (is bool, err error) {
	o := a.options(reading)
	o.Table = t.Table
	v, err := a.open(ctx, a.flags.file, o)
	if errors.Is(err, kvault.ErrInvalid) || errors.Is(err, kvault.ErrNoVault) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	if t.Keys, err = v.Len(ctx); err != nil {
		return false, err
	}
	t.Bytes, err = sumOfSizes(ctx, v)
	return true, err
}

func (a *app) printTables(found []keyTable) error {
	width := 0
	for _, t := range found {
		width = max(width, len(countInWords(t.Keys, "key")))
	}
	for _, t := range found {
		if a.flags.json {
			if err := a.emit(t); err != nil {
				return err
			}
			continue
		}
		mark, size := " ", "damaged"
		if t.Current {
			mark = "*"
		}
		if t.Bytes != nil {
			size = humanize.IBytes(uint64(*t.Bytes))
		}
		keys := countInWords(t.Keys, "key")
		if err := a.printf("%s %*s  %9s  %s\n", mark, width, keys, size, a.shown(t.Table)); err != nil {
			return err
		}
	}
	return nil
}
