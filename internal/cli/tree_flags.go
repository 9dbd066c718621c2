package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
)

// treeFlags are the flags of the commands that carry a tree of files into the vault or out of it.
type treeFlags struct {
	filter
	report
	keepFlags
	overwrite, checksum, update, noClobber bool
	unsafeLinks                            bool // of an export
}

const replaceHelp = `--update replaces only what is older than its source, and --no-clobber replaces
nothing; both count what they leave as skipped. --dry-run shows what would be
done, and changes nothing; -v shows what was done with each file.`

// registerReport adds the flags that say what is shown.
func (f *treeFlags) registerReport(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "show what would be done, and change nothing")
	cmd.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "show what was done with each file")
}

// registerReplace adds the flags that say which of the files there are to be replaced.
func (f *treeFlags) registerReplace(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.update, "update", false, "replace only what is older than its source")
	cmd.Flags().BoolVar(&f.noClobber, "no-clobber", false, "never replace what is there")
}

func (f *treeFlags) registerUnsafeLinks(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.unsafeLinks, "unsafe-links", false,
		"restore links that may lead out of DIR too")
}

// load checks the flags of a command and reads the patterns.
func (f *treeFlags) load(ctx context.Context, a *app, command string) error {
	chosen := ""
	for _, flag := range []struct {
		name string
		set  bool
	}{
		{"overwrite", f.overwrite}, {"checksum", f.checksum},
		{"update", f.update}, {"no-clobber", f.noClobber},
	} {
		switch {
		case flag.set && chosen != "":
			return usagef("%s: --%s and --%s exclude each other", command, chosen, flag.name)
		case flag.set:
			chosen = flag.name
		}
	}
	if err := f.keepFlags.check(command); err != nil {
		return err
	}
	return f.filter.load(ctx, a, command)
}

// workers is how many files are worked on at once. A dry run keeps their order.
func (f *treeFlags) workers() int {
	if f.dryRun {
		return 1
	}
	return treeWorkers
}

// withTarget runs fn on the vault that a tree is stored in. A dry run gets it read-only, or an
// empty one if there is none, or no such table in it.
func (a *app) withTarget(ctx context.Context, dryRun bool, fn func(*kvault.Vault) error) error {
	switch {
	case !dryRun:
		return a.withVault(ctx, creating, fn)
	case a.flags.file != "" && a.missing():
		return a.tryInMemory(ctx, fn)
	}
	err := a.withVault(ctx, reading, fn)
	if opening := (*openError)(nil); errors.As(err, &opening) && errors.Is(err, kvault.ErrNoVault) {
		return a.tryInMemory(ctx, fn) // which has begun nothing yet
	}
	return err
}
