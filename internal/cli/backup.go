package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
)

func (a *app) backupCommand() *cobra.Command {
	var unchecked bool
	cmd := &cobra.Command{
		Use:     "backup FILE|-",
		GroupID: groupVault,
		Short:   "Copy the vault, while it is in use",
		Long: `Write a copy of the whole vault, as of one moment, to the new file FILE. Others
may read and write meanwhile. A FILE that exists is left alone, and a failed
backup leaves none behind. FILE has the mode of the vault and, where it may be
given, its owner. 'kvault restore' puts it back.

"-" writes the copy to standard output. All of it is in the folder for temporary
files first, which TMPDIR names.

Everything is read again afterwards and checked, in FILE or, for "-", in the
vault. Damage is told on standard error, and the exit code is 12; the copy is
made all the same. --no-check leaves that out.

` + exitHelp(),
		Example: `  kvault -f media.kv backup media-$(date +%F).kv
  kvault -f media.kv backup - | restic backup --stdin --stdin-filename media.kv`,
		Args: takes(1, 1, 0),
		RunE: a.action(func(ctx context.Context, args []string) error {
			if err := a.needsFile("backup", copyInstead); err != nil {
				return err
			}
			return a.withVault(ctx, reading, func(v *kvault.Vault) error {
				if args[0] == "-" {
					return a.backupToOutput(ctx, v, unchecked)
				}
				return a.backup(ctx, v, args[0], unchecked)
			})
		}),
	}
	cmd.Flags().BoolVar(&unchecked, "no-check", false, "do not look for damage")
	return cmd
}

func (a *app) backup(ctx context.Context, v *kvault.Vault, to string, unchecked bool) (err error) {
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, fmt.Errorf("%s exists already; name a new file", to))
	}
	b := a.startProgress("backup", inBytes, 0)
	defer b.finish()
	if err := v.Backup(ctx, to, b.set); err != nil {
		return err
	}
	b.finish()
	info, err := os.Stat(to)
	if err != nil {
		return err
	}
	if err := a.emitBackup(to, info.Size()); err != nil || unchecked {
		return err
	}
	c, err := a.open(ctx, to, a.options(reading))
	if err != nil {
		return err
	}
	return errors.Join(a.checkBackup(ctx, c), c.Close())
}

func (a *app) backupToOutput(ctx context.Context, v *kvault.Vault, unchecked bool) error {
	if a.terminal(a.sys.Out) {
		return usagef("backup: standard output is a terminal; name a file, or pipe it to a program")
	}
	b := a.startProgress("backup", inBytes, 0)
	defer b.finish()
	if err := v.BackupTo(ctx, a.sys.Out, b.set); err != nil {
		return err
	}
	b.finish()
	if unchecked {
		return nil
	}
	return a.checkBackup(ctx, v)
}

func (a *app) emitBackup(file string, bytes int64) error {
	if a.flags.json {
		return a.emit(struct {
			File  string `json:"file"`
			Bytes int64  `json:"bytes"`
		}{file, bytes})
	}
	a.note("Wrote %s to %s.", humanize.IBytes(uint64(bytes)), file)
	return nil
}

// checkBackup tells damage on standard error: standard output may be the copy itself.
func (a *app) checkBackup(ctx context.Context, v *kvault.Vault) error {
	b := a.startProgress("check", inKeys, 0)
	defer b.finish()
	report, err := v.Check(ctx, &kvault.CheckOptions{
		Progress: b.set,
		OnProblem: func(p kvault.Problem) {
			name := "(the vault)"
			switch {
			case p.Key != "":
				name = strconv.Quote(p.Key)
			case p.Column != "":
				name = fmt.Sprintf("(column %q)", p.Column)
			}
			a.complain(fmt.Errorf("%s: %w", name, p.Err), exitCorrupt)
		},
	})
	b.finish()
	switch {
	case !report.Complete:
		return fmt.Errorf("the copy was made, but not all of it was checked: %w", err)
	case err != nil:
		return fmt.Errorf("the copy was made, but has %s: %w",
			countInWords(report.Problems, "problem"), kvault.ErrCorrupt)
	}
	return nil
}
