package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column/exchange"
	"github.com/kohakuvault/kvault/internal/process"
)

// withColumns runs fn, which imports the input, on the vault that the flags name. If that is not
// there yet, it is made only when fn has gone well: nothing of a failed import is left.
func (a *app) withColumns(ctx context.Context, in *input, o *exchange.ImportOptions, fn func(*kvault.Vault) error) error {
	if a.flags.file == "" || a.flags.file == ":memory:" || !a.missing() {
		return a.withVault(ctx, changing, fn)
	}
	made, err := a.makeVault(ctx, fn)
	switch {
	case made || ctx.Err() != nil:
		return err
	case errors.Is(err, kvault.ErrNotFound) && len(o.Types) == 0: // nothing asks for a new vault
		return a.withVault(ctx, changing, fn)
	case err != nil && !errors.Is(err, errNotMade):
		return err
	}
	if err := in.rewind(); err != nil {
		return err
	}
	return a.withVault(ctx, creating, fn)
}

// errNotMade says that a vault could not be made out of sight, or that another process was faster.
var errNotMade = errors.New("no vault was made")

// makeVault makes the vault under another name beside it, runs fn on that, and copies it to where it
// belongs. What a killed process leaves behind is removed by the next one.
func (a *app) makeVault(ctx context.Context, fn func(*kvault.Vault) error) (made bool, err error) {
	dir, base := filepath.Split(a.flags.file)
	root, err := os.OpenRoot(filepath.Join(dir, "."))
	if err != nil {
		return false, errNotMade
	}
	defer root.Close()
	sweepPartials(root, ".")
	name := process.PartialName(base)
	v, err := a.open(ctx, filepath.Join(dir, name), a.options(creating))
	if err != nil {
		return false, errNotMade
	}
	defer func() {
		for _, suffix := range []string{"", "-wal", "-shm"} {
			_ = root.Remove(name + suffix) // the log and its memory are gone if closing went well
		}
	}()
	defer func() { err = errors.Join(err, v.Close()) }()
	if err := fn(v); err != nil {
		return false, err
	}
	if err := v.Backup(ctx, a.flags.file, nil); err != nil {
		return false, errNotMade
	}
	return true, nil
}
