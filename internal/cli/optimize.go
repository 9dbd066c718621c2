package cli

import (
	"context"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
)

func (a *app) optimizeCommand() *cobra.Command {
	var budget time.Duration
	cmd := &cobra.Command{
		Use:     "optimize",
		GroupID: groupVault,
		Short:   "Make the vault's file as small as it can be",
		Long: `Rebuild the vault in its smallest form. That can take minutes for a large one,
stops writers meanwhile and needs room for a second copy. With --budget, give
back unused space in small steps instead, between which others can write, until
there is none left or the time is up.

A vault of layout version 1 is brought to version 2 first, and that is told.
Others can write meanwhile; it needs room for a second copy of the values. If
it is interrupted, the next call goes on from there.

In a bucket it removes the objects that no value and no column needs any more,
such as those of replaced values and of uploads that broke off. Others can write
meanwhile. Run it now and then, such as once a day.

` + exitHelp(),
		Example: `  kvault -f media.kv optimize
  kvault -f media.kv optimize --budget 5s`,
		Args:              takes(0, 0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().DurationVar(&budget, "budget", 0, "spend at most this `time` on it, in small steps")
	cmd.RunE = a.action(func(ctx context.Context, _ []string) error {
		if cmd.Flags().Changed("budget") && budget <= 0 {
			return usagef("--budget must be more than 0, such as 5s")
		}
		if budget > 0 {
			if err := a.needsFile("optimize --budget", "without --budget it removes what no value needs"); err != nil {
				return err
			}
		}
		return a.withVault(ctx, changing, func(v *kvault.Vault) error { return a.optimize(ctx, v, budget) })
	})
	return cmd
}

func (a *app) optimize(ctx context.Context, v *kvault.Vault, budget time.Duration) error {
	before, err := v.Stats(ctx)
	if err != nil {
		return err
	}
	upgraded := int64(0)
	if budget > 0 {
		_, err = v.Shrink(ctx, budget)
	} else {
		b := a.startProgress("copy", inKeys, 0)
		defer b.finish()
		err = v.Optimize(ctx, func(done, total int64) {
			b.set(done, total)
			upgraded = total
		})
		b.finish()
	}
	if err != nil {
		return err
	}
	after, err := v.Stats(ctx)
	if err != nil {
		return err
	}
	if version := "layout version"; before.Detail[version] == after.Detail[version] {
		upgraded = 0 // the copy was given up
	}
	if a.flags.json {
		return a.emit(struct {
			Before   int64 `json:"bytes_before"`
			After    int64 `json:"bytes_after"`
			Upgraded int64 `json:"values_upgraded,omitempty"`
		}{before.FileBytes, after.FileBytes, upgraded})
	}
	if upgraded > 0 {
		a.note("%s brought to layout version 2.", countInWords(upgraded, "value"))
	}
	if a.inBucket() && after.FileBytes == 0 {
		a.note("Removed what nothing needs.")
		return nil
	}
	a.note("%s before, %s now.", humanize.IBytes(uint64(before.FileBytes)), humanize.IBytes(uint64(after.FileBytes)))
	return nil
}
