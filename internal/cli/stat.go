package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
)

func (a *app) statCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "stat KEY",
		GroupID: groupValues,
		Short:   "Show what is known about a key",
		Long: `Show size, time, content type, version tag, checksum and metadata of KEY. The
value is not read, unless another program wrote it: such a value has no time,
type or checksum, and its content makes its tag. What a typed value of the
Python package is encoded in shows in its first ten bytes, which are read.

` + exitHelp(exitNotFound),
		Example: `  kvault -f media.kv stat photos/cat.jpg
  kvault -f media.kv stat photos/cat.jpg --json | jq .size`,
		Args:              takes(1, 1, 1),
		ValidArgsFunction: a.completeKeys(1),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return a.withVault(ctx, reading, func(v *kvault.Vault) error {
				e, err := v.Stat(ctx, args[0])
				if err == nil && e.Tag == "" {
					e.Tag, err = v.Tag(ctx, args[0])
				}
				if err != nil {
					return err
				}
				encoding, err := encodingOf(ctx, v, args[0])
				if err != nil {
					return err
				}
				if a.flags.json {
					return a.emit(statJSON{jsonEntry(e), encoding})
				}
				return a.printStat(e, encoding)
			})
		}),
	}
}

type statJSON struct {
	entryJSON
	Encoding string `json:"encoding,omitempty"`
}

func (a *app) printStat(e kvault.Entry, encoding string) error {
	facts := [][2]string{
		{"key", a.shown(e.Key)},
		{"size", sizeInWords(e.Size)},
		{"modified", timeInWords(e.ModTime)},
		{"type", a.shown(cmp.Or(e.ContentType, kvault.NoContentType))},
		{"encoding", encoding},
		{"tag", e.Tag},
	}
	if e.HasChecksum {
		facts = append(facts, [2]string{"crc32c", fmt.Sprintf("%08x", e.Checksum)})
	}
	for _, name := range slices.Sorted(maps.Keys(e.User)) {
		facts = append(facts, [2]string{"meta", a.shown(name + "=" + e.User[name])})
	}
	return a.printFacts(facts)
}

// printFacts prints names and values in two columns, leaving out values that are empty.
func (a *app) printFacts(facts [][2]string) error {
	width := 0
	for _, f := range facts {
		width = max(width, len(f[0]))
	}
	for _, f := range facts {
		if f[1] == "" {
			continue
		}
		if err := a.printf("%-*s  %s\n", width, f[0], f[1]); err != nil {
			return err
		}
	}
	return nil
}

func sizeInWords(n int64) string {
	exact := humanize.Comma(n) + " bytes"
	if n < 1024 {
		return exact
	}
	return humanize.IBytes(uint64(n)) + " (" + exact + ")"
}

func timeInWords(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(time.RFC3339) + " (" + humanize.Time(t) + ")"
}
