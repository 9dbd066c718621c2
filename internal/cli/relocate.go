package cli

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/transact"
)

// relocateFlags are the flags of mv and cp.
type relocateFlags struct {
	selectFlags
	kvault.RenameOptions
	replace, dryRun bool
}

func (f *relocateFlags) register(a *app, cmd *cobra.Command, verb string) {
	f.selectFlags.register(a, cmd, verb)
	fs := cmd.Flags()
	fs.BoolVar(&f.NoReplace, "if-absent", false, "fail if TO exists")
	fs.StringVar(&f.IfTag, "if-tag", "", "fail unless FROM has this version `tag`")
	fs.BoolVar(&f.replace, "replace", false, "with several keys, replace those that exist")
	fs.BoolVar(&f.dryRun, "dry-run", false, "list what would be done, and change nothing")
	a.flags.registerWrite(cmd)
}

const relocateHelp = `Several keys go into the folder TO, which ends with "/" then, under the last
part of their names. With --prefix every key in that folder goes into the folder
TO, under the rest of its name; so does with --glob every key that matches,
under the rest behind the folders that GLOB names before its first wildcard.
Several keys are one transaction. If one of the new keys exists, nothing
changes, unless --replace asks for it. ` + eachHelp + `

` + globHelp

// relocation is one key and the key that its value is to get.
type relocation struct{ from, to string }

type relocationJSON struct {
	keyJSON           // the new key
	From       string `json:"from"`
	FromBase64 []byte `json:"from_base64,omitempty"`
	DryRun     bool   `json:"dry_run,omitempty"`
}

// relocator does with one key what the command is for.
type relocator func(ctx context.Context, s transact.Store, r relocation, o *kvault.RenameOptions) error

// relocate carries out mv or cp.
func (a *app) relocate(
	ctx context.Context, command string, args []string, flags relocateFlags, do relocator,
) error {
	if err := flags.check(command, args); err != nil {
		return err
	}
	s, err := flags.selection(command)
	if err != nil {
		return err
	}
	if !flags.given() && len(args) == 2 && !strings.HasSuffix(args[1], "/") {
		return a.relocateOne(ctx, command, relocation{args[0], args[1]}, flags, do)
	}
	acc, run := changing, transact.Update
	if flags.dryRun {
		acc, run = reading, transact.View
	}
	return a.withVault(ctx, acc, func(v *kvault.Vault) error {
		var list []relocation
		err := run(ctx, v, func(in transact.Store) (err error) {
			if list, err = relocations(ctx, in, s, args, flags); err != nil {
				return err
			}
			return relocateAll(ctx, in, command, list, flags, do)
		})
		if err != nil {
			return err
		}
		return a.reportRelocated(command, list, flags.dryRun)
	})
}

// check refuses arguments and flags that contradict each other.
func (f *relocateFlags) check(command string, args []string) error {
	to := args[len(args)-1]
	switch several := len(args) > 2 || strings.HasSuffix(to, "/"); {
	case f.given() && len(args) != 1:
		return usagef("%s: with --prefix and --glob TO is the only argument", command)
	case !f.given() && len(args) == 1:
		return usagef("%s: too few arguments: name FROM and TO", command)
	case f.replace && f.NoReplace:
		return usagef("%s: --replace and --if-absent exclude each other", command)
	case f.IfTag != "" && (f.given() || len(args) > 2):
		return usagef("%s: --if-tag is of one key", command)
	case !f.given() && several && !strings.HasSuffix(to, "/"):
		return usagef("%s: several keys go into a folder: end TO with a slash, %q", command, to+"/")
	}
	return nil
}

func (a *app) relocateOne(
	ctx context.Context, command string, r relocation, flags relocateFlags, do relocator,
) error {
	if flags.dryRun {
		return a.withVault(ctx, reading, func(v *kvault.Vault) error {
			err := transact.View(ctx, v, func(in transact.Store) error {
				return wouldRelocate(ctx, in, command, r, flags.NoReplace)
			})
			if err != nil {
				return err
			}
			return a.reportRelocated(command, []relocation{r}, true)
		})
	}
	return a.withVault(ctx, changing, func(v *kvault.Vault) error {
		var e kvault.Entry
		err := transact.Update(ctx, v, func(in transact.Store) (err error) {
			if err := do(ctx, in, r, &flags.RenameOptions); err != nil {
				return err
			}
			if a.flags.json {
				e, err = in.Stat(ctx, r.to)
			}
			return err
		})
		if err != nil || !a.flags.json {
			return err
		}
		return a.emit(jsonEntry(e))
	})
}

// relocations is what is to be done, in the order of the keys. It fails if a new key is that of two
// values, or of one that is to be moved or copied itself.
func relocations(
	ctx context.Context, in transact.Store, s selection, args []string, flags relocateFlags,
) ([]relocation, error) {
	var list []relocation
	to := folderPrefix(args[len(args)-1])
	if flags.given() {
		from := s.prefix
		if s.glob != nil {
			from = s.glob.folder()
		}
		for key, err := range s.keys(ctx, in) {
			if err != nil {
				return nil, err
			}
			list = append(list, relocation{key, to + key[len(from):]})
		}
		if len(list) == 0 {
			return nil, s.none(flags.selectFlags)
		}
	}
	for _, key := range args[:len(args)-1] {
		list = append(list, relocation{key, to + lastPart(key)})
	}
	sources, targets := make(map[string]bool, len(list)), make(map[string]string, len(list))
	for _, r := range list {
		sources[r.from] = true
	}
	for _, r := range list {
		if other, twice := targets[r.to]; twice {
			return nil, usagef("%s and %s would both become %s",
				asPrinted(other), asPrinted(r.from), asPrinted(r.to))
		}
		if sources[r.to] {
			return nil, usagef("%s would become %s, which is one of the keys named",
				asPrinted(r.from), asPrinted(r.to))
		}
		targets[r.to] = r.from
	}
	return list, nil
}

// relocateAll carries out the list. Where it is no transaction, it looks first whether all of it
// can be done, so that what is refused beforehand changes nothing there either.
func relocateAll(
	ctx context.Context, in transact.Store, command string, list []relocation,
	flags relocateFlags, do relocator,
) error {
	o := &kvault.RenameOptions{NoReplace: !flags.replace, IfTag: flags.IfTag}
	if flags.dryRun || !transact.Atomic(in) {
		err := transact.Each(ctx, in, len(list), func(ctx context.Context, i int) error {
			return wouldRelocate(ctx, in, command, list[i], o.NoReplace)
		})
		if err != nil || flags.dryRun {
			return err
		}
	}
	var done atomic.Int64
	err := transact.Each(ctx, in, len(list), func(ctx context.Context, i int) error {
		err := do(ctx, in, list[i], o)
		if err == nil {
			done.Add(1)
		}
		return err
	})
	return doneBefore(in, err, done.Load(), len(list))
}

// wouldRelocate fails where the command would.
func wouldRelocate(
	ctx context.Context, in transact.Store, command string, r relocation, noReplace bool,
) error {
	if found, err := in.Exists(ctx, r.from); err != nil || !found {
		if err == nil {
			err = kvault.ErrNotFound
		}
		return named(command, r.from, err)
	}
	if !noReplace {
		return nil
	}
	if found, err := in.Exists(ctx, r.to); err != nil || found {
		if err == nil {
			err = kvault.ErrExists
		}
		return named(command, r.to, err)
	}
	return nil
}

func (a *app) reportRelocated(command string, list []relocation, dryRun bool) error {
	for _, r := range list {
		var err error
		switch {
		case a.flags.json:
			from := jsonKey(r.from)
			err = a.emit(relocationJSON{jsonKey(r.to), from.Key, from.Base64, dryRun})
		case dryRun:
			err = a.printRaw("%s -> %s\n", a.shown(r.from), a.shown(r.to))
		}
		if err != nil {
			return err
		}
	}
	done := map[string]string{"mv": "renamed", "cp": "copied"}[command]
	if dryRun {
		done = "would be " + done
	}
	if len(list) > 1 || dryRun {
		a.note("%s %s.", countInWords(int64(len(list)), "key"), done)
	}
	return nil
}

// copyKey stores the value of one key, with its time, type and metadata, under another one.
func copyKey(ctx context.Context, in transact.Store, r relocation, o *kvault.RenameOptions) error {
	if r.from == r.to {
		return usagef("cp: %s cannot be copied to itself", asPrinted(r.from))
	}
	_, err := in.Copy(ctx, r.from, r.to, (*kvault.CopyOptions)(o))
	if errors.Is(err, kvault.ErrExists) {
		err = named("cp", r.to, err)
	}
	return err
}
