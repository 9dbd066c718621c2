package cli

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
)

func (a *app) treeCommand() *cobra.Command {
	var depth int
	cmd := &cobra.Command{
		Use:     "tree [PREFIX]",
		GroupID: groupValues,
		Short:   "Draw the folders and keys as a tree",
		Long: `Draw the folders and keys in the folder PREFIX, or of the whole vault, as a tree
with their number and the sum of the sizes below it. --depth leaves out what
lies deeper, also from the sum.

` + exitHelp(exitNotFound),
		Example: `  kvault -f media.kv tree photos
  kvault -f media.kv tree --depth 2`,
		Args:              takes(0, 1, 0),
		ValidArgsFunction: a.completeInTurn(a.completeFolder),
		RunE: a.action(func(ctx context.Context, args []string) error {
			if depth < 0 {
				return usagef("--depth is negative; 0 shows all")
			}
			prefix := optionalPrefix(args)
			return a.withVault(ctx, reading, func(v *kvault.Vault) error {
				return a.tree(ctx, v, prefix, depth)
			})
		}),
	}
	cmd.Flags().IntVar(&depth, "depth", 0, "draw `N` levels; 0 draws all")
	return cmd
}

// treeDrawer draws one folder after the other and adds up what it draws.
type treeDrawer struct {
	*app
	vault *kvault.Vault
	depth int
	sum   totalsJSON
}

func (a *app) tree(ctx context.Context, v *kvault.Vault, prefix string, depth int) error {
	d := &treeDrawer{app: a, vault: v, depth: depth}
	name := "."
	if prefix != "" {
		name = a.shown(prefix)
		if n, err := v.Count(ctx, &kvault.ListOptions{Prefix: prefix}); err != nil || n == 0 {
			return cmp.Or(err, selection{prefix: prefix}.none(selectFlags{}))
		}
	}
	if !a.flags.json {
		if err := a.printRaw("%s\n", name); err != nil {
			return err
		}
	}
	if err := d.draw(ctx, prefix, "", 1); err != nil {
		return err
	}
	if a.flags.json {
		return a.emit(d.sum)
	}
	return a.printRaw("\n%s\n", d.sum)
}

// draw draws what the folder holds. Each line begins with margin.
func (d *treeDrawer) draw(ctx context.Context, folder, margin string, level int) error {
	var held *kvault.Entry // drawn once it is known whether it is the last one
	o := &kvault.ListOptions{Prefix: folder, Delimiter: "/", NoMetadata: !d.flags.json}
	for e, err := range d.vault.List(ctx, o) {
		if err != nil {
			return err
		}
		if held != nil {
			if err := d.item(ctx, *held, folder, margin, false, level); err != nil {
				return err
			}
		}
		held = &e
	}
	if held == nil {
		return nil
	}
	return d.item(ctx, *held, folder, margin, true, level)
}

func (d *treeDrawer) item(
	ctx context.Context, e kvault.Entry, folder, margin string, last bool, level int,
) error {
	branch, inner := "├── ", margin+"│   "
	if last {
		branch, inner = "└── ", margin+"    "
	}
	if err := d.line(e, folder, margin+branch); err != nil {
		return err
	}
	d.sum.add(e)
	if !e.Folder || level == d.depth {
		return nil
	}
	return d.draw(ctx, e.Key, inner, level+1)
}

func (d *treeDrawer) line(e kvault.Entry, folder, before string) error {
	if d.flags.json {
		return d.emit(jsonEntry(e))
	}
	name := d.shown(e.Key[len(folder):])
	if e.Folder && d.colour() {
		name = "\x1b[1;34m" + name + "\x1b[0m"
	}
	return d.printRaw("%s%s\n", before, name)
}
