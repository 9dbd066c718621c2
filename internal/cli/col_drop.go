package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

func (a *app) colDropCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "drop NAME...",
		Short: "Delete columns with all their elements",
		Long: `Delete the columns, all of them or, if one does not exist, none. It asks first;
where there is no terminal to ask on, --yes is needed.

` + colExitHelp(),
		Example:           `  kvault -f media.kv col drop size --yes`,
		Args:              columnNames,
		ValidArgsFunction: a.completeColumns(-1),
		RunE: a.action(func(ctx context.Context, names []string) error {
			return a.withVault(ctx, changing, func(v *kvault.Vault) error { return a.colDrop(ctx, v, names, yes) })
		}),
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	a.flags.registerWrite(cmd)
	return cmd
}

func (a *app) colDrop(ctx context.Context, v *kvault.Vault, names []string, yes bool) error {
	list, err := column.List(ctx, v)
	if err != nil {
		return err
	}
	what := make([]string, len(names))
	for i, name := range names {
		at := slices.IndexFunc(list, func(info column.Info) bool { return info.Name == name })
		if at < 0 {
			return &kvault.Error{Op: "column drop", Key: name, Err: fmt.Errorf("there is no such column: %w", kvault.ErrNotFound)}
		}
		what[i] = fmt.Sprintf("%q with %s", name, countInWords(list[at].Len, "element"))
	}
	if !yes {
		if err := a.confirm(ctx, "drop", fmt.Sprintf("Delete %s?", strings.Join(what, " and "))); err != nil {
			return err
		}
	}
	err = v.Update(ctx, func(tx *kvault.Tx) error {
		for _, name := range names {
			if err := column.Drop(ctx, tx, name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || !a.flags.json {
		return err
	}
	for _, name := range names {
		if err := a.emit(struct {
			Name    string `json:"name"`
			Dropped bool   `json:"dropped"`
		}{name, true}); err != nil {
			return err
		}
	}
	return nil
}
