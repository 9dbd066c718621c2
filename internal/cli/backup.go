package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
)

func (a *app) backupCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "backup FILE",
		GroupID: groupVault,
		Short:   "Copy the vault, while it is in use",
		Long: `Write a copy of the whole vault, as of one moment, to the new file FILE. Others
may read and write meanwhile. A FILE that exists is left alone, and a failed
backup leaves none behind.

` + exitHelp(),
		Example: `  kvault -f media.kv backup media-$(date +%F).kv`,
		Args:    takes(1, 1, 0),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return a.withVault(ctx, reading, func(v *kvault.Vault) error { return a.backup(ctx, v, args[0]) })
		}),
	}
}

func (a *app) backup(ctx context.Context, v *kvault.Vault, to string) error {
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, fmt.Errorf("%s exists already; name a new file", to))
	}
	b := a.startBar("backup", inBytes, 0)
	defer b.finish()
	if err := v.Backup(ctx, to, b.set); err != nil {
		return err
	}
	b.finish()
	info, err := os.Stat(to)
	if err != nil {
		return err
	}
	if a.flags.json {
		return a.emit(struct {
			File  string `json:"file"`
			Bytes int64  `json:"bytes"`
		}{to, info.Size()})
	}
	a.note("Wrote %s to %s.", humanize.IBytes(uint64(info.Size())), to)
	return nil
}
