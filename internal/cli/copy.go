package cli

import (
	"context"
	"errors"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/replicate"
)

type copyFlags struct {
	report
	prefix, toPrefix   string
	columns, noColumns bool
	delete, yes, force bool
	verify, snapshot   bool
}

func (a *app) copyCommand() *cobra.Command {
	var flags copyFlags
	cmd := &cobra.Command{
		Use:     "copy FROM TO",
		GroupID: groupVault,
		Short:   "Copy a vault into another, or bring a copy up to date",
		Long: `Copy every value and column of the vault FROM into the vault TO, which is made
if it is missing. A vault is named as with -f. What TO has already is left
alone, so copy again to go on after an interrupt, or to bring over what has
changed. A value counts as the same if both have one version tag, or one size,
checksum, type, time and metadata; the time alone never decides.

Each value is read as one version, held against its checksum, and keeps its tag,
time, type and metadata. It replaces what TO had of it at first: what others
write to TO meanwhile is a conflict, which is reported, and stays. The next copy
replaces that, too. A value that is damaged in FROM is reported, and the others
are copied. A column gets the elements that follow those that TO has, or, if
those are not the same, is built anew beside the old one.

Values are copied as they are when their turn comes. --snapshot copies one state
of FROM instead; a file that others write to meanwhile keeps its log until the
copy ends. Columns are always copied in one state.

--prefix copies only the keys, and the columns, in the folder PREFIX, and
--to-prefix gives it another name in TO. --columns copies columns only, and
--no-columns keys only. --table names a table of keys, the same in both files; a
vault in a bucket has one.

--delete also deletes what FROM does not have. It first shows it (the first 100
of many) and asks; where there is no terminal to ask on, --yes is needed. What
changes meanwhile stays. Nothing is deleted if an item failed, or, without
--force, if FROM has nothing to copy: it may be the wrong vault.

--verify then reads all of TO that FROM has too, and compares it with FROM.
--dry-run shows what would be done, and changes nothing; -v shows what was done
with each item. The exit code is 1 if there were conflicts or differences.

` + exitHelp(exitSome),
		Example: `  kvault copy media.kv /mnt/other/media.kv
  kvault copy media.kv copy.kv --prefix photos --delete --verify`,
		Args: takes(2, 2, 0),
	}
	cmd.RunE = a.action(func(ctx context.Context, args []string) error {
		if cmd.Flags().Changed("file") {
			return usagef("copy: -f names no vault here; FROM and TO do")
		}
		return a.copyVault(ctx, args[0], args[1], &flags)
	})
	fs := cmd.Flags()
	fs.StringVar(&flags.prefix, "prefix", "", "copy only what is in the folder PREFIX of FROM")
	fs.StringVar(&flags.toPrefix, "to-prefix", "", "the folder of TO for what is in --prefix")
	fs.BoolVar(&flags.columns, "columns", false, "copy columns only")
	fs.BoolVar(&flags.noColumns, "no-columns", false, "copy keys only")
	fs.BoolVar(&flags.delete, "delete", false, "delete what FROM does not have")
	fs.BoolVarP(&flags.yes, "yes", "y", false, "do not ask before deleting")
	fs.BoolVar(&flags.force, "force", false, "delete even if FROM has nothing to copy")
	fs.BoolVar(&flags.verify, "verify", false, "read TO again and compare it with FROM")
	fs.BoolVar(&flags.snapshot, "snapshot", false, "copy one state of FROM")
	fs.BoolVar(&flags.dryRun, "dry-run", false, "show what would be done, and change nothing")
	fs.BoolVarP(&flags.verbose, "verbose", "v", false, "show what was done with each item")
	a.flags.registerWrite(cmd)
	return cmd
}

// check refuses flags that do not go together.
func (f *copyFlags) check(a *app, from, to string) error {
	switch {
	case from == "" || to == "":
		return usagef("copy: a vault is named by nothing; a variable may not be set")
	case from == ":memory:" || to == ":memory:":
		return usagef("copy: a vault in memory is empty and does not last; name files")
	case f.columns && f.noColumns:
		return usagef("copy: --columns and --no-columns exclude each other")
	case f.toPrefix != "" && f.prefix == "":
		return usagef(`copy: --to-prefix needs a --prefix; "." is the whole vault`)
	case (f.yes || f.force) && !f.delete:
		return usagef("copy: --yes and --force are of --delete")
	case f.verify && f.dryRun:
		return usagef("copy: --verify and --dry-run exclude each other")
	}
	if err := a.checkCopied(from, to); err != nil {
		return err
	}
	if f.snapshot && isBucket(from) {
		return usagef("copy: --snapshot is for files; in a bucket, each value is read as one version")
	}
	if f.delete && !f.yes && !f.dryRun {
		return a.needTerminal("copy", "delete")
	}
	return nil
}

// checkCopied refuses locations that are no two vaults, and flags that only files have.
func (a *app) checkCopied(from, to string) error {
	for _, location := range []string{from, to} {
		if err := checkLocation("copy", location); err != nil {
			return err
		}
	}
	switch {
	case isSame(from, to):
		return usagef("copy: %s and %s are the same vault; cp copies keys within one",
			locationName(from), locationName(to))
	case a.flags.oneRow && isBucket(to):
		return errOneRow
	case a.flags.table != "" && isBucket(from) && isBucket(to):
		return usagef("--table: a vault in a bucket has one table of keys")
	}
	return nil
}

// isSame reports whether two locations are surely of one vault. A bucket of one name on another
// server is another one.
func isSame(x, y string) bool {
	if isBucket(x) && isBucket(y) {
		return bucketOf(x) == bucketOf(y)
	}
	is, err := os.Stat(x)
	if err != nil {
		return false
	}
	other, err := os.Stat(y)
	return err == nil && os.SameFile(is, other)
}

// bucketOf is what an address says of where its vault is.
func bucketOf(address string) [2]string {
	u, err := url.Parse(address)
	if err != nil {
		return [2]string{address}
	}
	return [2]string{u.Host + "/" + strings.Trim(u.Path, "/"), u.Query().Get("endpoint")}
}

func (f *copyFlags) options() replicate.Options {
	o := replicate.Options{
		NoKeys: f.columns, NoColumns: f.noColumns, Snapshot: f.snapshot, DryRun: f.dryRun,
	}
	if f.prefix != "" {
		o.Prefix = folderPrefix(f.prefix)
		o.ToPrefix = o.Prefix
	}
	if f.toPrefix != "" {
		o.ToPrefix = folderPrefix(f.toPrefix)
	}
	return o
}

func (a *app) copyVault(ctx context.Context, from, to string, flags *copyFlags) error {
	if err := flags.check(a, from, to); err != nil {
		return err
	}
	r := &replication{app: a, flags: flags}
	err := a.withVaultAt(ctx, from, reading, func(source *kvault.Vault) error {
		return a.withCopy(ctx, to, flags.dryRun, func(target *kvault.Vault) error {
			return r.run(ctx, source, target)
		})
	})
	if err != nil {
		return r.unfinished(err)
	}
	return r.finish()
}

// withCopy runs fn on the vault that is to become a copy. A dry run gets it read-only, or an empty
// one if there is none.
func (a *app) withCopy(
	ctx context.Context, location string, dryRun bool, fn func(*kvault.Vault) error,
) error {
	if !dryRun {
		return a.withVaultAt(ctx, location, creating, fn)
	}
	begun := false
	err := a.withVaultAt(ctx, location, reading, func(v *kvault.Vault) error {
		begun = true
		return fn(v)
	})
	if !begun && errors.Is(err, kvault.ErrNoVault) {
		return a.tryInMemory(ctx, fn)
	}
	return err
}
