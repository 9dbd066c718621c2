package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
)

type rmFlags struct {
	prefix   string
	all, yes bool
}

func (a *app) rmCommand() *cobra.Command {
	var flags rmFlags
	cmd := &cobra.Command{
		Use:     "rm KEY... | rm --prefix PREFIX | rm --all",
		GroupID: groupValues,
		Short:   "Delete keys",
		Long: `Delete the KEYs, every key in the folder PREFIX, or with --all every key of the
table. With --prefix and --all it asks first; where there is no terminal to
ask on, --yes is needed. An empty PREFIX is refused: a variable that is not set
deletes nothing. The exit code is 4 if none of the keys existed and 3 if some
did not. Those that exist are deleted in one transaction.

The vault's file keeps its size, and uses the space again; 'kvault optimize'
gives it back.

` + exitHelp(exitSome, exitNotFound),
		Example: `  kvault -f media.kv rm photos/cat.jpg photos/dog.jpg
  kvault -f media.kv rm --prefix tmp --yes`,
		ValidArgsFunction: a.completeKeys(-1),
	}
	fs := cmd.Flags()
	fs.StringVar(&flags.prefix, "prefix", "", "delete every key in the folder `PREFIX`")
	fs.BoolVar(&flags.all, "all", false, "delete every key")
	fs.BoolVarP(&flags.yes, "yes", "y", false, "do not ask")
	a.flags.registerWrite(cmd)
	cmd.RunE = a.action(func(ctx context.Context, keys []string) error {
		byPrefix := flags.prefix != ""
		if byPrefix && flags.all || (byPrefix || flags.all) == (len(keys) > 0) {
			return usagef("rm: name either keys, a --prefix or --all")
		}
		if flags.prefix = folderPrefix(flags.prefix); byPrefix && flags.prefix == "" {
			return usagef("rm: --prefix . is the whole vault; --all deletes every key")
		}
		return a.withVault(ctx, changing, func(v *kvault.Vault) error {
			if byPrefix || flags.all {
				return a.rmPrefix(ctx, v, flags)
			}
			return a.rmKeys(ctx, v, keys)
		})
	})
	cmd.Args = func(cmd *cobra.Command, keys []string) error { return takes(0, -1, len(keys))(cmd, keys) }
	_ = cmd.RegisterFlagCompletionFunc("prefix", a.completeKeyFlag)
	return cmd
}

// rmKeys deletes keys in one transaction: all that are there, or on a failure none.
func (a *app) rmKeys(ctx context.Context, v *kvault.Vault, keys []string) error {
	found := make([]bool, len(keys))
	err := v.Update(ctx, func(tx *kvault.Tx) (err error) {
		for i, key := range keys {
			if found[i], err = tx.Delete(ctx, key); err != nil {
				return named("rm", key, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	missing := 0
	for i, key := range keys {
		if !found[i] {
			missing++
			a.complain(&kvault.Error{Op: "rm", Key: key, Err: kvault.ErrNotFound}, exitNotFound)
		} else if err := a.emitDeleted(key); err != nil {
			return err
		}
	}
	switch missing {
	case 0:
		return nil
	case len(keys):
		return &exitError{code: exitNotFound, err: kvault.ErrNotFound, told: true}
	}
	return &exitError{code: exitSome, err: fmt.Errorf("%d of %d keys did not exist", missing, len(keys)), told: true}
}

func (a *app) emitDeleted(key string) error {
	if !a.flags.json {
		return nil
	}
	return a.emit(struct {
		keyJSON
		Deleted bool `json:"deleted"`
	}{jsonKey(key), true})
}

func (a *app) rmPrefix(ctx context.Context, v *kvault.Vault, flags rmFlags) error {
	if !flags.yes {
		n, err := v.Count(ctx, &kvault.ListOptions{Prefix: flags.prefix})
		if err != nil {
			return err
		}
		if n > 0 {
			if err := a.confirmDelete(ctx, "rm", fmt.Sprintf("Delete %s?", prefixInWords(n, flags.prefix))); err != nil {
				return err
			}
		}
	}
	n, err := deletePrefix(ctx, v, flags.prefix)
	switch {
	case err != nil:
		return err
	case n == 0:
		if flags.all {
			return &exitError{code: exitNotFound, err: errors.New("there are no keys")}
		}
		return &exitError{code: exitNotFound, err: fmt.Errorf("no key begins with %q", flags.prefix)}
	case a.flags.json:
		return a.emit(struct {
			Deleted int64 `json:"deleted"`
		}{n})
	}
	a.note("Deleted %s.", prefixInWords(n, flags.prefix))
	return nil
}

func deletePrefix(ctx context.Context, v *kvault.Vault, prefix string) (int64, error) {
	if prefix == "" {
		return v.Clear(ctx)
	}
	return v.DeletePrefix(ctx, prefix)
}

func prefixInWords(n int64, prefix string) string {
	keys := countInWords(n, "key")
	if prefix == "" {
		return keys + " (all there are)"
	}
	return fmt.Sprintf("%s beginning with %q", keys, prefix)
}

// confirmDelete asks whether to delete.
func (a *app) confirmDelete(ctx context.Context, command, question string) error {
	return a.confirm(ctx, command, question, "delete", "nothing was deleted")
}
