package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
)

func (a *app) metaCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "meta KEY [NAME]",
		GroupID: groupValues,
		Short:   "Show the metadata of a key",
		Long: `Show the metadata that was stored with the value of KEY, as lines NAME=VALUE, or
only the value of NAME. 'kvault put --meta' stores it, and 'kvault stat' shows
size, time and content type.

` + exitHelp(exitNotFound),
		Example: `  kvault -f media.kv meta photos/cat.jpg
  kvault -f media.kv meta photos/cat.jpg camera`,
		Args:              takes(1, 2, 1),
		ValidArgsFunction: a.completeKeys(1),
		RunE: a.action(func(ctx context.Context, args []string) error {
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
		}),
	}
}

type metaJSON struct {
	keyJSON
	Meta map[string]string `json:"meta"`
}

func (a *app) printMeta(e kvault.Entry, name string) error {
	value, found := e.User[name]
	switch {
	case !found:
		err := fmt.Errorf("%s has no metadata %q", asPrinted(e.Key), name)
		return &exitError{code: exitNotFound, err: err}
	case a.flags.json:
		return a.emit(metaJSON{jsonKey(e.Key), map[string]string{name: value}})
	}
	return a.printf("%s\n", value)
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
