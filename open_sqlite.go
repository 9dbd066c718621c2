package kvault

import (
	"context"

	"github.com/kohakuvault/kvault/engine/sqlite"
)

// Open opens the vault in the SQLite file at path, or creates it. The path ":memory:" is a vault in memory, gone when it
// is closed. ctx bounds the opening only. Files that the Python package wrote are vaults too.
//
// Errors: ErrInvalid for options that cannot work, ErrNoVault if there is no vault and none may be created, ErrCorrupt if the
// file is damaged or no SQLite database, ErrBusy if another process holds it locked.
func Open(ctx context.Context, path string, o *Options) (*Vault, error) {
	if err := o.check(); err != nil {
		return nil, fail("open", path, err)
	}
	opt := o.resolved()
	var store *sqlite.Store
	err := retry(ctx, &opt, func() (err error) {
		store, err = sqlite.Open(ctx, path, &sqlite.Options{
			Table:       opt.Table,
			PageSize:    opt.PageSize,
			MmapSize:    opt.MmapSize,
			CacheKB:     opt.CacheKB,
			BusyTimeout: opt.BusyTimeout,
			OneRowLimit: opt.OneRowLimit,
			ReadOnly:    opt.ReadOnly,
			MustExist:   opt.MustExist,
			DisableWAL:  opt.DisableWAL,
			Full:        opt.Durability == Full,
		})
		return err
	})
	if err != nil {
		return nil, fail("open", path, err)
	}
	return newVault(store, opt), nil
}
