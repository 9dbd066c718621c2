//go:build fuse && (linux || darwin)

package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/mount"
)

func (a *app) mountCommands() []*cobra.Command { return []*cobra.Command{a.mountCommand()} }

func (a *app) mountCommand() *cobra.Command {
	var allowOther bool
	cmd := &cobra.Command{
		Use:     "mount DIR",
		GroupID: groupVault,
		Short:   "Show the vault as a read-only directory, by FUSE",
		Long: `Show the values of the vault as files below DIR, an empty directory, until an
interrupt or 'umount DIR' ends it. Slashes in keys separate folders. A key that
is no valid path ("a//b"), is not UTF-8, has a name of more than 255 bytes or is
the name of a folder too is not shown.

All files can only be read. They follow the vault: what another program stores
is there within a second. A file that was open while its value was replaced
fails with "Stale file handle"; it never gives parts of two values.

Linux needs the program fusermount3 (package fuse3), macOS needs macFUSE.

` + exitHelp(),
		Example: `  mkdir photos
  kvault -f media.kv mount photos &
  ls -l photos
  umount photos`,
		Args: takes(1, 1, 0),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return a.withVault(ctx, reading, func(v *kvault.Vault) error {
				return mount.Serve(ctx, v, args[0], mount.Options{
					AllowOther: allowOther,
					Ready:      func() { a.note("Mounted on %s. An interrupt or 'umount' ends it.", args[0]) },
					Failed:     func(err error) { a.complain(err, exitFailure) },
				})
			})
		}),
	}
	cmd.Flags().BoolVar(&allowOther, "allow-other", false,
		"let other users read the files too (see user_allow_other in fuse.conf(5))")
	return cmd
}
