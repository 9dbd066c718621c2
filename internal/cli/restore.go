package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
)

func (a *app) restoreCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:     "restore BACKUP|-",
		GroupID: groupVault,
		Short:   "Put a backup in the place of the vault",
		Long: `Make the vault what the file BACKUP is, or what comes from standard input. All
that the vault holds now is replaced, so it asks first; where there is no
terminal to ask on, --yes is needed.

The copy is checked first: a damaged BACKUP leaves the vault as it is. No
process may have the vault open. The log and the journal of the old vault are
removed; after a 'cp' over the vault, SQLite would play them into the copy. A
crash leaves the old vault or the new one. The file keeps its mode and owner.

` + exitHelp(),
		Example: `  kvault -f media.kv restore media-2026-11-28.kv
  restic dump latest media.kv | kvault -f media.kv restore - --yes`,
		Args: takes(1, 1, 0),
		RunE: a.action(func(ctx context.Context, args []string) error { return a.restore(ctx, args[0], yes) }),
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func (a *app) restore(ctx context.Context, from string, yes bool) error {
	if a.flags.file == "" {
		return usagef("no vault named: pass -f FILE or set %s", envName("file"))
	}
	if err := a.needsFile("restore", copyInstead); err != nil {
		return err
	}
	if from == "-" && a.terminal(a.sys.In) {
		return usagef("restore: standard input is a terminal, not a backup")
	}
	if err := a.confirmReplacing(ctx, from, yes); err != nil {
		return err
	}
	o := &kvault.RestoreOptions{Table: a.flags.table, BusyTimeout: a.flags.busyTimeout}
	if o.BusyTimeout == 0 {
		o.BusyTimeout = -1
	}
	b := a.startProgress("restore", inBytes, 0)
	defer b.finish()
	o.Progress = b.set
	var err error
	if from == "-" {
		from = "standard input"
		in := a.stdin(ctx)
		defer in.Close()
		err = kvault.RestoreFrom(ctx, a.flags.file, in, o)
	} else {
		err = kvault.Restore(ctx, a.flags.file, from, o)
	}
	b.finish()
	if keyed := (*kvault.Error)(nil); errors.As(err, &keyed) {
		return &openError{keyed.Err}
	}
	if err != nil {
		return err
	}
	info, err := os.Stat(a.flags.file)
	if err != nil {
		return err
	}
	if a.flags.json {
		return a.emit(struct {
			File  string `json:"file"`
			Bytes int64  `json:"bytes"`
		}{a.flags.file, info.Size()})
	}
	a.note("Restored %s (%s) from %s.", a.flags.file, humanize.IBytes(uint64(info.Size())), from)
	return nil
}

// confirmReplacing asks whether the vault may be replaced, if there is one.
func (a *app) confirmReplacing(ctx context.Context, from string, yes bool) error {
	info, err := os.Stat(a.flags.file)
	if yes || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	question := fmt.Sprintf("Replace %s (%s, changed %s)?", a.flags.file, humanize.IBytes(uint64(info.Size())), info.ModTime().Format(time.DateTime))
	if from == "-" {
		return usagef("restore: standard input is the backup; pass --yes to replace %s", a.flags.file)
	}
	return a.confirm(ctx, "restore", question, "replace it", "nothing was replaced")
}
