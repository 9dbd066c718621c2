package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
)

type duFlags struct {
	depth int
	bytes bool
}

func (a *app) duCommand() *cobra.Command {
	var flags duFlags
	cmd := &cobra.Command{
		Use:     "du [PREFIX]",
		GroupID: groupValues,
		Short:   "Show how much the values of each folder come to",
		Long: `Show the sum of the sizes and the number of the keys in each folder below PREFIX
and in PREFIX itself, or in the whole vault. What a folder has deeper than
--depth counts in that folder. These are the sizes of the values; 'kvault info'
shows the size of the file.

` + exitHelp(exitNotFound),
		Example: `  kvault -f media.kv du
  kvault -f media.kv du photos --depth 2 --bytes`,
		Args:              takes(0, 1, 0),
		ValidArgsFunction: a.completeInTurn(a.completeFolder),
		RunE: a.action(func(ctx context.Context, args []string) error {
			if flags.depth < 0 {
				return usagef("--depth is negative; 0 shows the sum only")
			}
			prefix := optionalPrefix(args)
			return a.withVault(ctx, reading, func(v *kvault.Vault) error {
				return a.du(ctx, v, prefix, flags)
			})
		}),
	}
	cmd.Flags().IntVar(&flags.depth, "depth", 1, "show folders down to `N` levels below PREFIX")
	cmd.Flags().BoolVar(&flags.bytes, "bytes", false, "show sizes in bytes")
	return cmd
}

// usage is what the keys of a folder come to.
type usage struct {
	folder     string
	keys, size int64
}

func (u *usage) add(other usage) {
	u.keys += other.keys
	u.size += other.size
}

type usageJSON struct {
	Prefix       string `json:"prefix"`
	PrefixBase64 []byte `json:"prefix_base64,omitempty"`
	Keys         int64  `json:"keys"`
	Size         int64  `json:"size"`
}

// du adds up the entries in the order of their keys, in which those of a folder are together. Of
// the folders it holds only those that the last key lies in.
func (a *app) du(ctx context.Context, v *kvault.Vault, prefix string, flags duFlags) error {
	open := []usage{{folder: prefix}}
	end := func(levels int) error { // shows the folders below the first levels, and adds them up
		for len(open) > levels {
			last := open[len(open)-1]
			if err := a.printUsage(last, flags); err != nil {
				return err
			}
			open = open[:len(open)-1]
			open[len(open)-1].add(last)
		}
		return nil
	}
	for e, err := range v.List(ctx, &kvault.ListOptions{Prefix: prefix, NoMetadata: true}) {
		if err != nil {
			return err
		}
		for !strings.HasPrefix(e.Key, open[len(open)-1].folder) {
			if err := end(len(open) - 1); err != nil {
				return err
			}
		}
		for len(open) <= flags.depth {
			at := len(open[len(open)-1].folder)
			slash := strings.IndexByte(e.Key[at:], '/')
			if slash < 0 {
				break
			}
			open = append(open, usage{folder: e.Key[:at+slash+1]})
		}
		open[len(open)-1].add(usage{keys: 1, size: e.Size})
	}
	if err := end(1); err != nil {
		return err
	}
	if open[0].keys == 0 && prefix != "" {
		return selection{prefix: prefix}.none(selectFlags{})
	}
	return a.printUsage(open[0], flags)
}

func (a *app) printUsage(u usage, flags duFlags) error {
	if a.flags.json {
		key := jsonKey(u.folder)
		return a.emit(usageJSON{key.Key, key.Base64, u.keys, u.size})
	}
	name := "."
	if u.folder != "" {
		name = a.shown(u.folder)
	}
	size, width := humanize.IBytes(uint64(u.size)), 8
	if flags.bytes {
		size, width = strconv.FormatInt(u.size, 10), 13
	}
	return a.printRaw("%*s  %12s  %s\n", width, size, countInWords(u.keys, "key"), name)
}

// totalsJSON counts entries and adds up their sizes.
type totalsJSON struct {
	Keys    int64 `json:"keys"`
	Folders int64 `json:"folders"`
	Size    int64 `json:"size"`
}

func (t *totalsJSON) add(e kvault.Entry) {
	if e.Folder {
		t.Folders++
		return
	}
	t.Keys++
	t.Size += e.Size
}

// String returns the totals in words.
func (t totalsJSON) String() string {
	return fmt.Sprintf("%s, %s, %s", countInWords(t.Keys, "key"), countInWords(t.Folders, "folder"),
		humanize.IBytes(uint64(t.Size)))
}
