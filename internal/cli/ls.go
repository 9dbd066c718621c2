package cli

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
)

type lsFlags struct {
	recursive, long, bytes, reverse, null, total bool
	sort                                         choice
	limit                                        int
}

func (a *app) lsCommand() *cobra.Command {
	flags := lsFlags{sort: choice{value: "key", allowed: []string{"key", "size", "time"}}}
	cmd := &cobra.Command{
		Use:     "ls [PREFIX]",
		GroupID: groupValues,
		Short:   "List keys",
		Long: `List the keys and folders in the folder PREFIX, or at the top of the vault. With
-r every key below is listed.

Keys come in the order of their bytes. --sort size puts the largest first and
--sort time the newest; both keep what they list in memory (with --limit only
about that many). A key with control characters is quoted, on a terminal also
one that does not print as it is; -0 prints every key as it is.

` + exitHelp(),
		Example: `  kvault -f media.kv ls photos
  kvault -f media.kv ls -r -l --sort size --limit 10
  kvault -f media.kv ls -r -0 tmp/ | xargs -0 kvault -f media.kv rm`,
		Args:              takes(0, 1, 0),
		ValidArgsFunction: a.completeKeys(1),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return a.ls(ctx, optionalPrefix(args), flags)
		}),
	}
	fs := cmd.Flags()
	fs.BoolVarP(&flags.recursive, "recursive", "r", false, "list every key instead of folders")
	fs.BoolVarP(&flags.long, "long", "l", false, "show size and time too")
	fs.BoolVar(&flags.bytes, "bytes", false, "with -l, show sizes in bytes")
	fs.Var(&flags.sort, "sort", "order of the list")
	fs.BoolVar(&flags.reverse, "reverse", false, "turn the order around")
	fs.IntVar(&flags.limit, "limit", 0, "list at most `N`; 0 lists all")
	fs.BoolVar(&flags.total, "total", false, "end with how many keys and folders these are, and their size")
	fs.BoolVarP(&flags.null, "null", "0", false, "end each key with a NUL byte instead of a newline")
	registerChoice(cmd, "sort", flags.sort.allowed)
	return cmd
}

func (a *app) ls(ctx context.Context, prefix string, flags lsFlags) error {
	if flags.limit < 0 {
		return usagef("--limit is negative")
	}
	if flags.total && flags.null {
		return usagef("--total and --null exclude each other")
	}
	show := a.entryPrinter(flags)
	return a.withVault(ctx, reading, func(v *kvault.Vault) error {
		var sum totalsJSON
		for e, err := range a.listing(ctx, v, prefix, flags) {
			if err != nil {
				return err
			}
			if err := show(e); err != nil {
				return err
			}
			sum.add(e)
		}
		return a.printTotals(sum, flags)
	})
}

func (a *app) printTotals(sum totalsJSON, flags lsFlags) error {
	switch {
	case !flags.total:
		return nil
	case a.flags.json:
		return a.emit(sum)
	}
	return a.printRaw("%s\n", sum)
}

// listing is what to list, in the order asked for.
func (a *app) listing(ctx context.Context, v *kvault.Vault, prefix string, flags lsFlags) iter.Seq2[kvault.Entry, error] {
	whole := flags.long || a.flags.json || flags.sort.value == "time"
	o := &kvault.ListOptions{Prefix: prefix, NoMetadata: !whole}
	if !flags.recursive {
		o.Delimiter = "/"
	}
	if flags.sort.value == "key" {
		o.Reverse, o.Limit = flags.reverse, flags.limit
		return v.List(ctx, o)
	}
	order := func(x, y kvault.Entry) int { return cmp.Compare(y.Size, x.Size) }
	if flags.sort.value == "time" {
		order = func(x, y kvault.Entry) int { return y.ModTime.Compare(x.ModTime) }
	}
	if flags.reverse {
		forward := order
		order = func(x, y kvault.Entry) int { return forward(y, x) }
	}
	return sorted(v.List(ctx, o), order, flags.limit)
}

// sorted is the first limit entries of list (all if it is 0) in the given order.
func sorted(list iter.Seq2[kvault.Entry, error], order func(x, y kvault.Entry) int, limit int) iter.Seq2[kvault.Entry, error] {
	return func(yield func(kvault.Entry, error) bool) {
		var best []kvault.Entry
		cut := func() {
			slices.SortStableFunc(best, order)
			if limit > 0 && len(best) > limit {
				best = slices.Delete(best, limit, len(best))
			}
		}
		for e, err := range list {
			if err != nil {
				yield(e, err)
				return
			}
			if best = append(best, e); limit > 0 && len(best) >= 2*limit+1000 {
				cut()
			}
		}
		cut()
		for _, e := range best {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// entryPrinter returns what prints one entry in the form asked for.
func (a *app) entryPrinter(flags lsFlags) func(kvault.Entry) error {
	if a.flags.json {
		return func(e kvault.Entry) error { return a.emit(jsonEntry(e)) }
	}
	end := "\n"
	if flags.null {
		end = "\x00"
	}
	colour := a.colour()
	return func(e kvault.Entry) error {
		name := e.Key
		if !flags.null {
			name = a.shown(e.Key)
		}
		if e.Folder && colour {
			name = "\x1b[1;34m" + name + "\x1b[0m"
		}
		if !flags.long {
			return a.printRaw("%s%s", name, end)
		}
		return a.printRaw("%s  %s%s", longColumns(e, flags.bytes), name, end)
	}
}

// longColumns is what ls -l shows before the key.
func longColumns(e kvault.Entry, exact bool) string {
	size, when := "-", "-"
	if !e.Folder {
		size = humanize.IBytes(uint64(e.Size))
		if exact {
			size = strconv.FormatInt(e.Size, 10)
		}
		if !e.ModTime.IsZero() {
			when = e.ModTime.Local().Format("2006-01-02 15:04")
		}
	}
	width := 8
	if exact {
		width = 13
	}
	return fmt.Sprintf("%*s  %-16s", width, size, when)
}
