package cli

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/transact"
)

type rmFlags struct {
	selectFlags
	all, yes, dryRun bool
}

func (a *app) rmCommand() *cobra.Command {
	var flags rmFlags
	cmd := &cobra.Command{
		Use:     "rm KEY... | rm --prefix PREFIX | rm --glob GLOB | rm --all",
		GroupID: groupValues,
		Short:   "Delete keys",
		Long: `Delete the KEYs, every key in the folder PREFIX, every key that matches GLOB, or
with --all every key of the table. All of them are deleted in one transaction.
` + eachHelp + `

--prefix, --glob and --all first show the keys (the first 100 of many) and their
number, and ask. If the keys change before the answer, nothing is deleted. Where
there is no terminal to ask on, --yes is needed. --dry-run lists what would be
deleted. An empty PREFIX is refused: a variable that is not set deletes nothing.
The exit code is 4 if none of the keys existed and 3 if some did not.

` + globHelp + `

The vault's file keeps its size, and uses the space again; 'kvault optimize'
gives it back.

` + exitHelp(exitSome, exitNotFound),
		Example: `  kvault -f media.kv rm photos/cat.jpg photos/dog.jpg
  kvault -f media.kv rm --prefix tmp --yes
  kvault -f media.kv rm --glob 'photos/**/*.tmp' --dry-run`,
		ValidArgsFunction: a.completeKeys(-1),
	}
	fs := cmd.Flags()
	flags.register(a, cmd, "delete")
	fs.BoolVar(&flags.all, "all", false, "delete every key")
	fs.BoolVarP(&flags.yes, "yes", "y", false, "do not ask")
	fs.BoolVar(&flags.dryRun, "dry-run", false, "list what would be deleted, and delete nothing")
	a.flags.registerWrite(cmd)
	cmd.RunE = a.action(func(ctx context.Context, keys []string) error {
		many := flags.given()
		if many && flags.all || (many || flags.all) == (len(keys) > 0) {
			return usagef("rm: name either keys, a --prefix, a --glob or --all")
		}
		s, err := flags.selection("rm")
		if err != nil {
			return err
		}
		if many && s == (selection{}) {
			return usagef("rm: --prefix . is the whole vault; --all deletes every key")
		}
		acc := changing
		if flags.dryRun {
			acc = reading
		}
		return a.withVault(ctx, acc, func(v *kvault.Vault) error {
			switch {
			case many || flags.all:
				return a.rmSelected(ctx, v, s, flags)
			case flags.dryRun:
				return a.rmKeysDry(ctx, v, keys)
			}
			return a.rmKeys(ctx, v, keys)
		})
	})
	cmd.Args = takes(0, -1, 1<<30)
	return cmd
}

// rmKeys deletes keys: in one transaction all that are there, or on a failure none.
func (a *app) rmKeys(ctx context.Context, v *kvault.Vault, keys []string) error {
	found := make([]bool, len(keys))
	err := transact.Update(ctx, v, func(in transact.Store) error {
		var done atomic.Int64
		err := transact.Each(ctx, in, len(keys), func(ctx context.Context, i int) (err error) {
			if found[i], err = in.Delete(ctx, keys[i]); err != nil {
				return named("rm", keys[i], err)
			}
			done.Add(1)
			return nil
		})
		return doneBefore(in, err, done.Load(), len(keys))
	})
	if err != nil {
		return err
	}
	return a.reportKeys(keys, found, a.emitDeleted)
}

// rmKeysDry lists the keys that rmKeys would delete.
func (a *app) rmKeysDry(ctx context.Context, v *kvault.Vault, keys []string) error {
	found := make([]bool, len(keys))
	for i, key := range keys {
		var err error
		if found[i], err = v.Exists(ctx, key); err != nil {
			return named("rm", key, err)
		}
	}
	return a.reportKeys(keys, found, a.wouldDelete)
}

// reportKeys calls report with each key that was found, and complains of the others.
func (a *app) reportKeys(keys []string, found []bool, report func(key string) error) error {
	missing := 0
	for i, key := range keys {
		if !found[i] {
			missing++
			a.complain(&kvault.Error{Op: "rm", Key: key, Err: kvault.ErrNotFound}, exitNotFound)
		} else if err := report(key); err != nil {
			return err
		}
	}
	switch missing {
	case 0:
		return nil
	case len(keys):
		return &exitError{code: exitNotFound, err: kvault.ErrNotFound, told: true}
	}
	err := fmt.Errorf("%d of %d keys did not exist", missing, len(keys))
	return &exitError{code: exitSome, err: err, told: true}
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

func (a *app) wouldDelete(key string) error {
	if !a.flags.json {
		return a.printRaw("%s\n", a.shown(key))
	}
	return a.emit(struct {
		keyJSON
		WouldDelete bool `json:"would_delete"`
	}{jsonKey(key), true})
}

func (a *app) rmSelected(ctx context.Context, v *kvault.Vault, s selection, flags rmFlags) error {
	n, err := int64(0), error(nil)
	switch {
	case flags.dryRun:
		return a.rmSelectedDry(ctx, v, s, flags)
	case flags.yes:
		n, err = deleteSelected(ctx, v, s, nil)
	default:
		if err := a.needTerminal("rm", "delete"); err != nil {
			return err
		}
		shown, err := a.show(ctx, v, s)
		if err != nil {
			return err
		}
		if shown.keys == 0 {
			return s.none(flags.selectFlags)
		}
		question := fmt.Sprintf("Delete %s?", s.inWords(shown.keys, flags.selectFlags))
		if err := a.confirmDelete(ctx, "rm", question); err != nil {
			return err
		}
		if n, err = deleteSelected(ctx, v, s, &shown); err != nil {
			return err
		}
	}
	switch {
	case err != nil:
		return err
	case n == 0:
		return s.none(flags.selectFlags)
	case a.flags.json:
		return a.emit(struct {
			Deleted int64 `json:"deleted"`
		}{n})
	}
	a.note("Deleted %s.", s.inWords(n, flags.selectFlags))
	return nil
}

func (a *app) rmSelectedDry(
	ctx context.Context, v *kvault.Vault, s selection, flags rmFlags,
) error {
	n := int64(0)
	for key, err := range s.keys(ctx, v) {
		if err != nil {
			return err
		}
		if err := a.wouldDelete(key); err != nil {
			return err
		}
		n++
	}
	if n == 0 {
		return s.none(flags.selectFlags)
	}
	a.note("Would delete %s.", s.inWords(n, flags.selectFlags))
	return nil
}

// deleteSelected deletes what is selected, in one transaction where there are any. It fails if that
// is no longer what was shown.
func deleteSelected(
	ctx context.Context, v *kvault.Vault, s selection, shown *digest,
) (n int64, err error) {
	err = transact.Update(ctx, v, func(in transact.Store) (err error) {
		var versions []kvault.Entry
		if shown != nil {
			now, err := s.digest(ctx, in, func(e kvault.Entry) {
				if !transact.Atomic(in) {
					versions = append(versions, kvault.Entry{Key: e.Key, Tag: e.Tag})
				}
			})
			if err != nil {
				return err
			}
			if now != *shown {
				return errors.New("the keys changed after they were shown: nothing was deleted; run it again")
			}
		}
		switch {
		case versions != nil:
			n, err = deleteVersions(ctx, in, versions)
		case s.glob != nil:
			n, err = deleteEach(ctx, in, s)
		case s.prefix == "":
			n, err = in.Clear(ctx)
		default:
			n, err = in.DeletePrefix(ctx, s.prefix)
		}
		return err
	})
	return n, err
}

// deleteVersions deletes what was shown where no transaction keeps it from being changed: a key
// that has another value by now stays.
func deleteVersions(
	ctx context.Context, in transact.Store, list []kvault.Entry,
) (int64, error) {
	var done, changed atomic.Int64
	err := transact.Each(ctx, in, len(list), func(ctx context.Context, i int) error {
		err := transact.Delete(ctx, in, list[i])
		switch {
		case err == nil:
			done.Add(1)
		case errors.Is(err, kvault.ErrTagMismatch), errors.Is(err, kvault.ErrNotFound):
			changed.Add(1)
		default:
			return named("rm", list[i].Key, err)
		}
		return nil
	})
	if kept := changed.Load(); err == nil && kept > 0 {
		err = fmt.Errorf("%s changed after they were shown, and were not deleted; run it again",
			countInWords(kept, "key"))
	}
	return done.Load(), doneBefore(in, err, done.Load(), len(list))
}

func deleteEach(ctx context.Context, in transact.Store, s selection) (int64, error) {
	var keys []string
	for key, err := range s.keys(ctx, in) {
		if err != nil {
			return 0, err
		}
		keys = append(keys, key)
	}
	var done atomic.Int64
	err := transact.Each(ctx, in, len(keys), func(ctx context.Context, i int) error {
		if _, err := in.Delete(ctx, keys[i]); err != nil {
			return named("rm", keys[i], err)
		}
		done.Add(1)
		return nil
	})
	return done.Load(), doneBefore(in, err, done.Load(), len(keys))
}

// confirmDelete asks whether to delete.
func (a *app) confirmDelete(ctx context.Context, command, question string) error {
	return a.confirm(ctx, command, question, "delete", "nothing was deleted")
}
