package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/kohakuvault/kvault"
)

// access is what a command is about to do with the vault.
type access int

const (
	reading  access = iota // the vault must exist and is opened read-only
	changing               // the vault must exist
	creating               // the vault is made if it is missing
)

// withVault runs fn on the vault that the flags name, and closes it.
func (a *app) withVault(ctx context.Context, acc access, fn func(*kvault.Vault) error) error {
	if a.flags.file == "" {
		return usagef("no vault named: pass -f FILE or set %s", envName("file"))
	}
	v, err := a.openVault(ctx, a.flags.file, acc)
	if keyed := (*kvault.Error)(nil); errors.As(err, &keyed) {
		return &openError{keyed.Err}
	}
	if err != nil {
		return err
	}
	return closing(v, fn)
}

// withVaultAt runs fn on the vault at a location, which its errors name, and closes it.
func (a *app) withVaultAt(
	ctx context.Context, location string, acc access, fn func(*kvault.Vault) error,
) error {
	v, err := a.openVault(ctx, location, acc)
	if keyed := (*kvault.Error)(nil); errors.As(err, &keyed) {
		err = keyed.Err
	}
	if err != nil {
		if name := locationName(location); !strings.Contains(err.Error(), name) {
			err = fmt.Errorf("%s: %w", name, err)
		}
		return &openError{err}
	}
	return closing(v, fn)
}

// closing runs fn on a vault, and closes it, even if fn panics.
func closing(v *kvault.Vault, fn func(*kvault.Vault) error) (err error) {
	defer func() { err = errors.Join(err, v.Close()) }()
	return fn(v)
}

// openVault opens the vault at a location: a file, or an address of a bucket.
func (a *app) openVault(ctx context.Context, location string, acc access) (*kvault.Vault, error) {
	if isBucket(location) {
		return a.openBucket(ctx, location, acc)
	}
	return a.open(ctx, location, a.options(acc))
}

// missing reports whether the vault is not there yet, so that a command that is refused must not
// make it. In a bucket there is nothing to make.
func (a *app) missing() bool {
	if a.inBucket() {
		return false
	}
	_, err := os.Stat(a.flags.file)
	return errors.Is(err, os.ErrNotExist)
}

// checkTable refuses a --table that no vault can have, before one is made.
func (a *app) checkTable(ctx context.Context) error {
	if a.flags.table == "" {
		return nil
	}
	err := a.tryInMemory(ctx, func(*kvault.Vault) error { return nil })
	if keyed := (*kvault.Error)(nil); errors.As(err, &keyed) && errors.Is(err, kvault.ErrInvalid) {
		return usagef("--table: %w", keyed.Err)
	}
	return err
}

// tryInMemory runs fn on an empty vault in memory, to learn whether a command is refused.
func (a *app) tryInMemory(ctx context.Context, fn func(*kvault.Vault) error) error {
	return a.tryInFile(ctx, ":memory:", fn)
}

func (a *app) tryInFile(ctx context.Context, file string, fn func(*kvault.Vault) error) error {
	v, err := kvault.Open(ctx, file, a.options(creating))
	if err != nil {
		return err
	}
	return errors.Join(fn(v), v.Close())
}

func (a *app) options(acc access) *kvault.Options {
	o := &kvault.Options{
		Table:     a.flags.table,
		ReadOnly:  acc == reading,
		MustExist: acc != creating,
		CacheKB:   a.cacheKB,
	}
	if a.flags.durability.value == "full" {
		o.Durability = kvault.Full
	}
	if a.flags.oneRow {
		o.OneRowLimit = -1 // the most that a row holds
	}
	// One attempt, so that --busy-timeout is all the time that a lock can take.
	o.Attempts, o.BusyTimeout = 1, a.flags.busyTimeout
	if o.BusyTimeout == 0 {
		o.BusyTimeout = -1
	}
	return o
}

// openError is why the vault could not be opened. The error of kvault.Open has the file in place of
// a key; this one has none.
type openError struct{ err error }

func (e *openError) Error() string { return e.err.Error() }
func (e *openError) Unwrap() error { return e.err }
