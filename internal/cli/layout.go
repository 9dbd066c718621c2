package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
)

var layouts = map[string]engine.Layout{"one-row": engine.OneRow, "chunks": engine.Chunks}

func (a *app) layoutCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "layout one-row|chunks",
		GroupID: groupVault,
		Short:   "Make large values readable for the Python package, or undo that",
		Long: `Move values to a layout. one-row puts every value in a row of its own, where the
Python package and other programs read it; values above 64 MiB are otherwise
kept in chunks that only kvault knows. No row holds more than 10^9 bytes less
1 MiB: larger values stay, and are named. chunks undoes it, for values above
64 MiB.

Each value is moved atomically and keeps its tag, time, checksum and metadata.
While one is copied other writers wait, and the log beside the vault grows by
twice its size. What was interrupted is taken up by the next call. To keep new
values in one row as well, pass --one-row to the commands that write.

` + exitHelp(exitSome),
		Example: `  kvault -f media.kv layout one-row
  kvault -f media.kv put movie.mp4 movie.mp4 --one-row`,
		Args:      takes(1, 1, 0),
		ValidArgs: []string{"one-row", "chunks"},
		RunE: a.action(func(ctx context.Context, args []string) error {
			if err := a.needsFile("layout", "its values have no rows to be moved to"); err != nil {
				return err
			}
			to, ok := layouts[args[0]]
			if !ok {
				return usagef("layout %q is neither one-row nor chunks", args[0])
			}
			return a.withVault(ctx, changing, func(v *kvault.Vault) error { return a.layout(ctx, v, to) })
		}),
	}
	return cmd
}

type relayoutJSON struct {
	keyJSON
	Size  int64 `json:"size"`
	Moved bool  `json:"moved"`
}

func (a *app) layout(ctx context.Context, v *kvault.Vault, to engine.Layout) error {
	moved, stayed := 0, 0
	var failed error
	err := v.Relayout(ctx, to, func(r engine.Relayout) {
		if r.Err != nil {
			stayed++
			a.complain(&kvault.Error{Op: "layout", Key: r.Key, Err: r.Err}, exitSome)
		} else {
			moved++
		}
		if a.flags.json && failed == nil {
			failed = a.emit(relayoutJSON{jsonKey(r.Key), r.Size, r.Err == nil})
		}
	})
	if err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	a.note("%d values moved, %d stay as they are.", moved, stayed)
	if stayed > 0 {
		return &exitError{code: exitSome, err: fmt.Errorf("%d values stay as they are", stayed), told: true}
	}
	return nil
}
