package cli

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/filetree"
	"github.com/kohakuvault/kvault/internal/transact"
)

// batchLimits bound what an import writes in one transaction.
type batchLimits struct {
	items int
	bytes int64
}

func (a *app) importCommand() *cobra.Command {
	var flags importFlags
	cmd := &cobra.Command{
		Use:     "import DIR [PREFIX]",
		GroupID: groupTrees,
		Short:   "Store a directory tree",
		Long: `Store every file below DIR under its path in DIR, with "/" between its parts.
PREFIX is the folder of the vault to put them in. One that no export could bring
back, such as "/a", "../a" and "a//b", is refused.
Modification time and permission bits (as the metadata "mode") are kept.

An import that was interrupted goes on when it is run again: files whose size,
time and permission bits are in the vault already are left out. --checksum reads
them and what the vault has of them too, so that a damaged value is mended, and
--overwrite stores them all. Nothing is deleted from the vault.

` + replaceHelp + `

A file that grows while it is read is stored as long as it was at first; one
that becomes shorter or is written over then fails. A time that does not fit,
before 1678 or after 2261, is kept as near as it can be. Symbolic links, unless
--links says otherwise, and special files are not stored; each of them is
reported and makes the exit code 3, unless --skip-special expects them.

` + keepHelp + `

` + filterHelp + `

` + exitHelp(exitSome),
		Example: `  kvault -f media.kv import ~/Pictures pictures
  kvault -f src.kv import . --skip-special
  kvault -f src.kv import . --exclude-from .gitignore --exclude .git/`,
		Args:              takes(1, 2, 0),
		ValidArgsFunction: a.completeDirThenFolder(),
		RunE: a.action(func(ctx context.Context, args []string) error {
			if err := flags.load(ctx, a, "import"); err != nil {
				return err
			}
			prefix := ""
			if len(args) == 2 {
				var err error
				if prefix, err = storePrefix("import", args[1]); err != nil {
					return err
				}
			}
			im := &importer{app: a, command: "import", prefix: prefix, importFlags: &flags}
			im.summary.verb, im.summary.report = verb{"import", "imported"}, flags.report
			return a.importTree(ctx, args[0], im)
		}),
	}
	cmd.Flags().BoolVar(&flags.overwrite, "overwrite", false, "store files even if size, time and permission bits are the same")
	cmd.Flags().BoolVar(&flags.checksum, "checksum", false, "compare contents too, and store what differs or is damaged in the vault")
	flags.registerSpecial(cmd)
	flags.register(cmd)
	flags.registerReplace(cmd)
	flags.registerLinks(cmd)
	flags.registerKeep(cmd, "keep")
	flags.registerReport(cmd)
	a.flags.registerWrite(cmd)
	return cmd
}

type importFlags struct {
	treeFlags
	linkFlags
	skipSpecial bool
}

func (f *importFlags) registerSpecial(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.skipSpecial, "skip-special", false,
		"leave out symbolic links and special files without a word")
}

func (a *app) importTree(ctx context.Context, dir string, im *importer) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	var deleting error
	err = a.withTarget(ctx, im.dryRun, func(v *kvault.Vault) error {
		im.vault, im.root, im.dir = v, root, dir
		// Only now the vault's files are sure to be there and can be told from the others.
		im.ownFiles = a.vaultFiles()
		deletes := im.surplus != nil && im.surplus.flags.delete
		if deletes {
			if err := im.findSurplus(ctx); err != nil {
				return err
			}
		}
		if err := im.run(ctx); err != nil || !deletes {
			return err
		}
		deleting = im.deleteSurplus(ctx)
		return nil
	})
	if err != nil {
		return im.summary.unfinished(err)
	}
	return cmp.Or(deleting, a.finish(&im.summary))
}

// importer carries the files below root into a vault: a walk finds them, a few readers fetch the
// small ones, and one writer stores them in batches and streams the large ones.
type importer struct {
	*app
	*importFlags
	command  string
	vault    *kvault.Vault
	dir      string
	root     *os.Root // is dir
	prefix   string
	ownFiles vaultFiles
	progress *progress
	summary  summary
	surplus  *surplus // nil unless the folder is to become equal to dir
}

func (im *importer) key(s source) string { return im.prefix + s.key() }

func (im *importer) run(ctx context.Context) error {
	im.progress = im.startProgress(im.command, inBytes, im.measure(ctx))
	defer im.progress.finish()
	// What was read before an interrupt is still stored, so that the next run need not read it again.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	items := im.read(ctx, im.find(ctx))
	defer func() {
		cancel()
		for it := range items {
			it.close()
		}
	}()
	if im.dryRun {
		return (&batchWriter{importer: im}).storeAll(ctx, items)
	}
	lasting := context.WithoutCancel(ctx)
	batches, err := transact.Supported(ctx, im.vault)
	if err != nil {
		return err
	}
	store := func() error {
		w := batchWriter{importer: im, each: im.noClobber || !batches}
		err := w.storeAll(ctx, items)
		if flushed := w.flush(lasting); err == nil {
			err = flushed
		}
		return err
	}
	if !batches {
		return store()
	}
	o := &kvault.CacheOptions{Capacity: 4 * im.batch.bytes, Threshold: 4 * im.batch.bytes}
	return im.vault.WithCache(lasting, o, store)
}

// measure is how many bytes there are to import, if anyone is going to see it.
func (im *importer) measure(ctx context.Context) (total int64) {
	if im.progressForm() == progressNone {
		return 0
	}
	w := im.walk(func(s source) error {
		total += s.size()
		return ctx.Err()
	})
	// What this walk cannot read is for the real one to report.
	_ = w.dir(".")
	return total
}

// walk is one through the tree to import.
func (im *importer) walk(file func(source) error) *walk {
	return &walk{
		root: im.root, ownFiles: im.ownFiles, filter: &im.filter, file: file,
		links: im.links.value, folders: im.folders,
	}
}

// find sends the files to import, in the order of their keys.
func (im *importer) find(ctx context.Context) <-chan source {
	found := make(chan source)
	send := func(s source) error {
		select {
		case found <- s:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	w := im.walk(send)
	w.failed = func(name string, err error) { im.addFailed(&im.summary, im.command, im.prefix+name, err) }
	w.special = func(name string, mode fs.FileMode) {
		err := fmt.Errorf("%s is %s, not a file", name, kindInWords(mode))
		switch {
		case im.skipSpecial:
			return
		case mode&fs.ModeSymlink != 0:
			err = fmt.Errorf("%w; --links says what to do with it", err)
		}
		im.addFailed(&im.summary, im.command, im.prefix+name, err)
	}
	go func() {
		defer close(found)
		// It only ends early if ctx does, and then nobody waits for the rest.
		_ = im.walkBeside(ctx, w)
	}()
	return found
}

// walkBeside walks the tree beside the keys of the folder, which is quicker than to look up each
// of them. An import does so only where there are none: the folder may have many that are not of
// the tree.
func (im *importer) walkBeside(ctx context.Context, w *walk) error {
	keys := newFolderCursor(ctx, im.vault, im.prefix)
	defer keys.close()
	listing := keys.advance()
	if im.surplus == nil && !keys.done {
		keys.close()
		return w.dir(".")
	}
	passed := func(kvault.Entry) error { return ctx.Err() }
	send := w.file
	w.file = func(s source) error {
		if im.surplus != nil && s.kind != filetree.Folder {
			im.surplus.source++
		}
		if listing == nil {
			s.entry, s.found, listing = keys.at(im.key(s), passed)
			s.looked = listing == nil
		}
		return send(s)
	}
	err := w.dir(".")
	if listing == nil && err == nil {
		listing = keys.rest(passed)
	}
	if listing != nil && ctx.Err() == nil {
		// The files behind it were looked up by themselves.
		im.addFailed(&im.summary, im.command, im.prefix, listing)
	}
	return err
}
