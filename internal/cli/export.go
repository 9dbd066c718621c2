package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
)

func (a *app) exportCommand() *cobra.Command {
	var flags treeFlags
	cmd := &cobra.Command{
		Use:     "export PREFIX DIR",
		GroupID: groupTrees,
		Short:   "Write a folder of the vault to a directory",
		Long: `Write the value of every key in the folder PREFIX to a file below DIR, which is
made if there is none. Modification times and, if an import stored them,
permission bits are restored.

An export that was interrupted goes on when it is run again: a file of the same
size and time is left alone, unless --overwrite writes it all the same, or
--checksum reads both and finds that they differ; any other file is replaced, at
once and whole. Nothing is deleted from DIR. Of a damaged vault everything is
exported that can be read; what cannot is reported.

` + replaceHelp + `

A key that cannot be a file there (it has a part that is "..", "." or empty,
holds a NUL byte, or is longer than 4096 bytes) is reported and makes the exit
code 3. Nothing outside DIR is touched, and no symbolic link in DIR is followed.
If both "a" and "a/b" are keys, "a" cannot be a file too and is reported.

` + restoreHelp + `

` + filterHelp + `

` + exitHelp(exitSome, exitNotFound),
		Example: `  kvault -f media.kv export pictures ~/restored
  kvault -f src.kv export . copy`,
		Args:              takes(2, 2, 0),
		ValidArgsFunction: a.completeInTurn(a.completeFolder, fixedDirective(cobra.ShellCompDirectiveFilterDirs)),
		RunE: a.action(func(ctx context.Context, args []string) error {
			if err := flags.load(ctx, a, "export"); err != nil {
				return err
			}
			if args[1] == "" {
				return usagef("export: the directory is empty; . is the current one")
			}
			ex := &exporter{
				app: a, command: "export", prefix: folderPrefix(args[0]), treeFlags: &flags,
			}
			ex.summary.verb, ex.summary.report = verb{"export", "exported"}, flags.report
			return a.exportTree(ctx, args[1], ex)
		}),
	}
	cmd.Flags().BoolVar(&flags.overwrite, "overwrite", false, "write files even if size and time are the same")
	cmd.Flags().BoolVar(&flags.checksum, "checksum", false, "compare contents too, and write what differs")
	flags.register(cmd)
	flags.registerReplace(cmd)
	flags.registerKeep(cmd, "restore")
	flags.registerUnsafeLinks(cmd)
	flags.registerReport(cmd)
	return cmd
}

func (a *app) exportTree(ctx context.Context, dir string, ex *exporter) error {
	err := a.withVault(ctx, reading, func(v *kvault.Vault) error {
		total, err := ex.measure(ctx, v)
		if err != nil {
			return err
		}
		if err := ex.openRoot(dir); err != nil {
			return err
		}
		if ex.root != nil {
			defer ex.root.Close()
		}
		ex.vault, ex.ownFiles = v, a.vaultFiles()
		if ex.surplus != nil {
			if err := ex.makeRoom(ctx); err != nil {
				return err
			}
		}
		ex.progress = a.startProgress(ex.command, inBytes, total)
		defer ex.progress.finish()
		return ex.run(ctx)
	})
	if err != nil {
		return ex.summary.unfinished(err)
	}
	return a.finish(&ex.summary)
}

// openRoot opens the directory to export to, and makes it if there is none. In a dry run that one
// has no root.
func (ex *exporter) openRoot(dir string) (err error) {
	if ex.dryRun {
		ex.root, err = os.OpenRoot(dir)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if ex.root, err = os.OpenRoot(dir); err != nil {
		return err
	}
	sweepPartials(ex.root, ".")
	return nil
}

// exporter carries the values below prefix to files below root, a few at a time.
type exporter struct {
	*app
	*treeFlags
	command  string
	vault    *kvault.Vault
	root     *os.Root // nil in a dry run without a directory
	prefix   string
	ownFiles vaultFiles
	progress *progress
	summary  summary
	surplus  *surplus // nil unless what the folder does not have is to be deleted
	dirs     sync.Map // directories below root that are known to be real ones
	taken    takenNames

	mu      sync.Mutex
	folders []folder // to be restored at the end
}

// measure is how many bytes there are to export, if anyone is going to see it. It fails if there is
// no key at all.
func (ex *exporter) measure(ctx context.Context, v *kvault.Vault) (total int64, err error) {
	o := &kvault.ListOptions{Prefix: ex.prefix}
	if ex.progressForm() == progressNone {
		o.Limit = 1
	}
	keys := 0
	for e, err := range v.List(ctx, o) {
		if errors.Is(err, kvault.ErrCorrupt) {
			return total, nil // list goes on past it
		}
		if err != nil {
			return 0, err
		}
		keys++
		if !ex.leavesOut(e.Key) {
			total += e.Size
		}
	}
	if keys == 0 && ex.prefix != "" {
		return 0, &exitError{code: exitNotFound, err: fmt.Errorf("no key begins with %q", ex.prefix)}
	}
	return total, nil
}

func (ex *exporter) leavesOut(key string) bool { return ex.LeavesOutFile(key[len(ex.prefix):]) }

func (ex *exporter) run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	entries := make(chan listed)
	var workers sync.WaitGroup
	for range ex.workers() {
		workers.Go(func() {
			dirs := &dirCache{root: ex.root}
			defer dirs.close()
			for e := range entries {
				if err := ex.export(ctx, dirs, e); err != nil {
					stop(err)
				}
			}
		})
	}
	err := ex.list(ctx, entries)
	close(entries)
	workers.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err == nil {
		err = ex.deleteRest(ctx)
	}
	ex.restoreFolders()
	return err
}

// listed is an entry to export, with the key that follows it in the list.
type listed struct {
	kvault.Entry
	next string // empty if there is none
}

// list sends all entries to export.
func (ex *exporter) list(ctx context.Context, to chan<- listed) error {
	var held listed
	send := func(e listed) error {
		if e.Key == "" {
			return nil
		}
		select {
		case to <- e:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for e, err := range ex.vault.List(ctx, &kvault.ListOptions{Prefix: ex.prefix}) {
		if ctx.Err() == nil && errors.Is(err, kvault.ErrCorrupt) {
			if err := send(listed{held.Entry, held.Key}); err != nil {
				return err
			}
			return ex.listDamaged(ctx, held.Key, send)
		}
		if err == nil && ex.leavesOut(e.Key) {
			continue
		}
		if err == nil {
			held.next = e.Key
			err = send(held)
		}
		if err != nil {
			return err
		}
		held.Entry = e
	}
	held.next = ""
	return send(held)
}

// export writes one value. Its error is one that ends the whole export.
func (ex *exporter) export(ctx context.Context, dirs *dirCache, e listed) error {
	add, err := ex.writeEntry(ctx, dirs, e)
	switch {
	case err == nil:
		return add(&ex.summary, e.Key, e.Size)
	case ctx.Err() != nil:
		return ctx.Err()
	case isFatal(err):
		return err
	case errors.Is(err, kvault.ErrNotFound): // deleted since it was listed
		return nil
	}
	ex.addFailed(&ex.summary, ex.command, e.Key, err)
	return nil
}
