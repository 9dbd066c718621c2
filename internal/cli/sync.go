package cli

import (
	"context"

	"github.com/spf13/cobra"
)

type syncFlags struct {
	importFlags
	back, delete, yes bool
}

func (a *app) syncCommand() *cobra.Command {
	var flags syncFlags
	cmd := &cobra.Command{
		Use:     "sync DIR PREFIX",
		GroupID: groupTrees,
		Short:   "Make a folder of the vault equal to a directory tree, or the other way round",
		Long: `Make the folder PREFIX of the vault equal to DIR, or with --back make DIR equal
to the folder PREFIX. Files whose size, time and permission bits are the same
are left alone; with --checksum their contents must be the same as well. It
stores as import does and writes as export does, with the same rules for names,
links and special files. It goes on when it is run again after an interrupt.

--delete also deletes what the source does not have: keys of the folder, or with
--back files in DIR and the directories that this leaves empty. It first shows
them (the first 100 of many) and asks; where there is no terminal to ask on,
--yes is needed. What changes or appears meanwhile stays. What the patterns
leave out is never deleted, nor are links and special files in DIR. Nothing at
all is deleted if any part of the source could not be read (the exit code is 3
then), or if the source has no files at all: it may be a disk that is not
mounted. With --back, what lies where a file or directory is to be written has
to go first, though; --dry-run reports such a file or directory as failed.

--dry-run shows what would be done, and changes nothing; -v shows what was done
with each file. --links and --folders are as for import, --unsafe-links with
--back as for export, and --owner and --xattrs as for both.

` + filterHelp + `

` + exitHelp(exitSome, exitNotFound),
		Example: `  kvault -f media.kv sync ~/Pictures pictures --delete
  kvault -f media.kv sync ~/Pictures pictures --back --dry-run`,
		Args:              takes(2, 2, 0),
		ValidArgsFunction: a.completeDirThenFolder(),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return a.sync(ctx, args[0], args[1], &flags)
		}),
	}
	fs := cmd.Flags()
	fs.BoolVar(&flags.back, "back", false, "make DIR equal to PREFIX")
	fs.BoolVar(&flags.delete, "delete", false, "delete what the source does not have")
	fs.BoolVarP(&flags.yes, "yes", "y", false, "do not ask before deleting")
	fs.BoolVar(&flags.checksum, "checksum", false, "compare contents too")
	flags.registerSpecial(cmd)
	flags.registerLinks(cmd)
	flags.registerUnsafeLinks(cmd)
	flags.registerKeep(cmd, "keep or restore")
	flags.registerReport(cmd)
	flags.register(cmd)
	a.flags.registerWrite(cmd)
	return cmd
}

// sync carries out the command.
func (a *app) sync(ctx context.Context, dir, folder string, flags *syncFlags) error {
	if dir == "" {
		return usagef("sync: the directory is empty; . is the current one")
	}
	if folder == "" {
		return usagef(`sync: PREFIX is empty; "." is the whole vault`)
	}
	if flags.back && flags.skipSpecial {
		return usagef("sync: --back and --skip-special exclude each other")
	}
	switch {
	case flags.back && (flags.links.value != "" || flags.folders):
		return usagef("sync: --links and --folders say what is stored, and --back stores nothing")
	case !flags.back && flags.unsafeLinks:
		return usagef("sync: --unsafe-links is of --back")
	}
	if flags.delete && !flags.yes && !flags.dryRun {
		if err := a.needTerminal("sync", "delete"); err != nil {
			return err
		}
	}
	if err := flags.load(ctx, a, "sync"); err != nil {
		return err
	}
	if flags.back {
		ex := &exporter{
			app: a, command: "sync", prefix: folderPrefix(folder), treeFlags: &flags.treeFlags,
		}
		ex.summary.verb, ex.summary.report = verb{"write", "written"}, flags.report
		ex.summary.syncs = true
		if flags.delete {
			ex.surplus = &surplus{app: a, flags: flags, summary: &ex.summary, of: "file"}
		}
		return a.exportTree(ctx, dir, ex)
	}
	prefix, err := storePrefix("sync", folder)
	if err != nil {
		return err
	}
	im := &importer{app: a, command: "sync", prefix: prefix, importFlags: &flags.importFlags}
	im.summary.verb, im.summary.report = verb{"store", "stored"}, flags.report
	im.summary.syncs = true
	im.surplus = &surplus{app: a, flags: flags, summary: &im.summary, of: "key"}
	return a.importTree(ctx, dir, im)
}
