package cli

import (
	"context"
	"errors"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column/exchange"
)

// withColumns runs fn, which imports the input, on the vault that the flags name. If that is not
// there yet, it is made only when fn has gone well: nothing of a failed import is left.
func (a *app) withColumns(ctx context.Context, in *input, o *exchange.ImportOptions, fn func(*kvault.Vault) error) error {
	if a.flags.file == "" || a.flags.file == ":memory:" || !a.missing() {
		return a.withVault(ctx, changing, fn)
	}
	var failed error
	err := kvault.Create(ctx, a.flags.file, a.options(creating), func(v *kvault.Vault) error {
		failed = fn(v)
		return failed
	})
	switch {
	case errors.Is(failed, kvault.ErrNotFound) && len(o.Types) == 0: // nothing asks for a new vault
		return a.withVault(ctx, changing, fn)
	case failed != nil || !errors.Is(err, kvault.ErrExists):
		return err
	}
	if err := in.rewind(); err != nil { // another process was faster
		return err
	}
	return a.withVault(ctx, creating, fn)
}
