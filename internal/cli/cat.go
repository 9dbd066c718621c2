package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
)

func (a *app) catCommand() *cobra.Command {
	var forceBinary bool
	cmd := &cobra.Command{
		Use:     "cat KEY...",
		GroupID: groupValues,
		Short:   "Write values to standard output, one after the other",
		Long: `Write the values of the KEYs to standard output, one after the other. If one of
the keys does not exist, nothing is written. A binary value is not written to a
terminal unless --force-binary asks for it.

` + exitHelp(exitNotFound),
		Example: `  kvault -f media.kv cat notes/monday.txt notes/tuesday.txt
  kvault -f media.kv cat parts/1 parts/2 > whole`,
		Args:              takes(1, -1, 1<<30),
		ValidArgsFunction: a.completeKeys(-1),
		RunE: a.action(func(ctx context.Context, keys []string) error {
			return a.withVault(ctx, reading, func(v *kvault.Vault) error {
				return a.cat(ctx, v, keys, forceBinary)
			})
		}),
	}
	cmd.Flags().BoolVar(&forceBinary, "force-binary", false, "write binary values even to a terminal")
	return cmd
}

func (a *app) cat(ctx context.Context, v *kvault.Vault, keys []string, forceBinary bool) error {
	for _, key := range keys {
		if found, err := v.Exists(ctx, key); err != nil || !found {
			if err == nil {
				err = kvault.ErrNotFound
			}
			return named("cat", key, err)
		}
	}
	for _, key := range keys {
		if err := a.catOne(ctx, v, key, forceBinary); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) catOne(ctx context.Context, v *kvault.Vault, key string, forceBinary bool) error {
	r, err := v.NewReader(ctx, key)
	if err != nil {
		return named("cat", key, err)
	}
	defer r.Close()
	if !forceBinary {
		if err := a.refuseBinary(r, 0, r.Size()); err != nil {
			return named("cat", key, err)
		}
	}
	return a.copyOut(a.out, r, r.Size())
}
