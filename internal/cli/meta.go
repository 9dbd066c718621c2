package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
)

func (a *app) metaCommand() *cobra.Command {
	var flags metaFlags
	cmd := &cobra.Command{
		Use:     "meta KEY [NAME]",
		GroupID: groupValues,
		Short:   "Show or change the metadata of a key",
		Long: `Show the metadata that was stored with the value of KEY, as lines NAME=VALUE, or
only the value of NAME. 'kvault stat' shows size, time and content type.

--type, --time, --set, --unset and --clear change the metadata instead, all of
it in one step. What they do not name stays, and so does the value. KEY gets a
new version tag. --time takes a time such as 2026-11-30 or 2026-11-30T14:05:00Z,
or an age such as 90m, 36h, 7d or 2w. A NAME to unset that is not there is an
error, and nothing changes.

` + exitHelp(exitNotFound),
		Example: `  kvault -f media.kv meta photos/cat.jpg
  kvault -f media.kv meta photos/cat.jpg camera
  kvault -f media.kv meta photos/cat.jpg --set camera=X100 --unset draft
  kvault -f media.kv meta notes/a --type text/markdown --time 2026-11-30`,
		Args:              takes(1, 2, 1),
		ValidArgsFunction: a.completeKeys(1),
		RunE: a.action(func(ctx context.Context, args []string) error {
			change, err := flags.change(time.Now())
			if err != nil {
				return err
			}
			if change != nil && len(args) == 2 {
				return usagef("meta: NAME %q shows a value, and excludes flags that change one", args[1])
			}
			if change != nil {
				return a.changeMeta(ctx, args[0], change)
			}
			return a.showMeta(ctx, args)
		}),
	}
	fs := cmd.Flags()
	fs.StringVar(&flags.typing, "type", "", "set the content `TYPE`; none removes it")
	fs.StringVar(&flags.when, "time", "", "set the modification `TIME`")
	fs.StringArrayVar(&flags.set, "set", nil, "set metadata `NAME=VALUE`; may be repeated")
	fs.StringArrayVar(&flags.unset, "unset", nil, "remove the metadata `NAME`; may be repeated")
	fs.BoolVar(&flags.clear, "clear", false, "remove all metadata but what --set sets")
	fs.StringVar(&flags.ifTag, "if-tag", "", "fail unless KEY has this version `tag`")
	a.flags.registerWrite(cmd)
	return cmd
}

func (a *app) showMeta(ctx context.Context, args []string) error {
	return a.withVault(ctx, reading, func(v *kvault.Vault) error {
		e, err := v.Stat(ctx, args[0])
		if err != nil {
			return named("meta", args[0], err)
		}
		if len(args) == 2 {
			return a.printMeta(e, args[1])
		}
		return a.printMetas(e)
	})
}

type metaJSON struct {
	keyJSON
	Meta map[string]string `json:"meta"`
}

func (a *app) printMeta(e kvault.Entry, name string) error {
	value, found := e.User[name]
	switch {
	case !found:
		return noMeta(e, name)
	case a.flags.json:
		return a.emit(metaJSON{jsonKey(e.Key), map[string]string{name: value}})
	}
	return a.printf("%s\n", value)
}

func noMeta(e kvault.Entry, name string) error {
	err := fmt.Errorf("%s has no metadata %q", asPrinted(e.Key), name)
	return &exitError{code: exitNotFound, err: err}
}

func (a *app) printMetas(e kvault.Entry) error {
	if a.flags.json {
		all := e.User
		if all == nil {
			all = map[string]string{}
		}
		return a.emit(metaJSON{jsonKey(e.Key), all})
	}
	for _, name := range slices.Sorted(maps.Keys(e.User)) {
		if err := a.printRaw("%s\n", a.shown(name+"="+e.User[name])); err != nil {
			return err
		}
	}
	return nil
}
