// Package transact makes changes of a vault in one transaction, or one by one where its store has
// no transactions, as an object store has none.
//
// The same function runs in both cases, on a [Store]. What a transaction would have kept others
// from changing between a look and a change, the function protects with the version that it saw:
// it changes that version alone, and reports with [Lost] that there is another by now. [Update]
// then runs it again.
package transact

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/kohakuvault/kvault"
)

// Store is what a Vault and a Tx have in common.
type Store interface {
	Stat(ctx context.Context, key string) (kvault.Entry, error)
	Exists(ctx context.Context, key string) (bool, error)
	List(ctx context.Context, o *kvault.ListOptions) iter.Seq2[kvault.Entry, error]
	Keys(ctx context.Context, o *kvault.ListOptions) iter.Seq2[string, error]
	FS(ctx context.Context) fs.FS

	PutWith(
		ctx context.Context, key string, value []byte, o *kvault.PutOptions,
	) (kvault.Entry, error)
	SetMetadata(
		ctx context.Context, key string, o *kvault.MetadataOptions,
	) (kvault.Entry, error)
	Delete(ctx context.Context, key string) (bool, error)
	DeleteIf(ctx context.Context, key, tag string) error
	DeletePrefix(ctx context.Context, prefix string) (int64, error)
	Clear(ctx context.Context) (int64, error)
	Rename(ctx context.Context, from, to string, o *kvault.RenameOptions) error
	Copy(ctx context.Context, from, to string, o *kvault.CopyOptions) (kvault.Entry, error)
	RenamePrefix(ctx context.Context, from, to string, o *kvault.PrefixOptions) (int64, error)
	CopyPrefix(ctx context.Context, from, to string, o *kvault.PrefixOptions) (int64, error)
}

var (
	_ Store = (*kvault.Vault)(nil)
	_ Store = (*kvault.Tx)(nil)
)

// Atomic reports whether s is a transaction, all of whose changes take effect or none.
func Atomic(s Store) bool { _, is := s.(*kvault.Tx); return is }

// Supported reports whether the store of v has transactions.
func Supported(ctx context.Context, v *kvault.Vault) (bool, error) {
	err := v.View(ctx, func(*kvault.Tx) error { return nil })
	if errors.Is(err, kvault.ErrUnsupported) {
		return false, nil
	}
	return err == nil, err
}

// attempts is how often Update runs a function that others are faster than.
const attempts = 10

// Update runs fn in a transaction of v, and returns its error unchanged. On a store without
// transactions it runs fn on v itself: what fn changed before it failed stays changed. There it
// runs fn again, up to ten times in all, when fn fails with an error of Lost.
func Update(ctx context.Context, v *kvault.Vault, fn func(Store) error) error {
	begun := false
	err := v.Update(ctx, func(tx *kvault.Tx) error {
		begun = true
		return fn(tx)
	})
	if begun || !errors.Is(err, kvault.ErrUnsupported) {
		return found(err)
	}
	for i := 1; ; i++ {
		err := fn(v)
		lost := (*lostError)(nil)
		if !errors.As(err, &lost) {
			return err
		}
		if i == attempts {
			return fmt.Errorf("others changed it each time; gave up after %d attempts: %w",
				attempts, lost.err)
		}
		select {
		case <-time.After(time.Duration(rand.Int64N(int64(i) * int64(10*time.Millisecond)))):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// View runs fn on a snapshot of v, or on v itself where its store has none: fn may then see what
// others change meanwhile. It returns the error of fn unchanged.
func View(ctx context.Context, v *kvault.Vault, fn func(Store) error) error {
	begun := false
	err := v.View(ctx, func(tx *kvault.Tx) error {
		begun = true
		return fn(tx)
	})
	if begun || !errors.Is(err, kvault.ErrUnsupported) {
		return err
	}
	return fn(v)
}

// lostError is the error of a change whose version is no longer there.
type lostError struct{ err error }

func (e *lostError) Error() string { return e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

// found is err without what Lost added to it.
func found(err error) error {
	if lost, is := err.(*lostError); is {
		return lost.err
	}
	return err
}

// Lost returns err, the error of a change of a version that the caller saw before, for Update: if
// another writer was faster, the caller is to look again. Any other error it returns as it is. A
// version that the user named is not one for Lost.
func Lost(err error) error {
	if errors.Is(err, kvault.ErrTagMismatch) || errors.Is(err, kvault.ErrNotFound) {
		return &lostError{err}
	}
	return err
}

// Delete removes the version e of a value: if it is another by now, the error is one of Lost. A
// version without a tag is removed whatever it is.
func Delete(ctx context.Context, s Store, e kvault.Entry) error {
	if e.Tag != "" {
		return Lost(s.DeleteIf(ctx, e.Key, e.Tag))
	}
	found, err := s.Delete(ctx, e.Key)
	if err == nil && !found {
		err = Lost(&kvault.Error{Op: "delete", Key: e.Key, Err: kvault.ErrNotFound})
	}
	return err
}

// parallel is how many changes are made at once where no transaction holds them together: more
// bring an object store no further.
const parallel = 16

// Each calls fn for the numbers from 0 up to n: one after another in a transaction, and otherwise
// 16 at once in any order. After an error it begins no further call, waits for those under way, and
// returns the first error.
func Each(ctx context.Context, s Store, n int, fn func(ctx context.Context, i int) error) error {
	if Atomic(s) {
		for i := range n {
			if err := fn(ctx, i); err != nil {
				return err
			}
		}
		return nil
	}
	var (
		workers sync.WaitGroup
		mu      sync.Mutex
		next    int
		failed  error
	)
	take := func() (i int, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		if failed == nil && next < n {
			failed = ctx.Err()
		}
		i, next = next, next+1
		return i, failed == nil && i < n
	}
	for range min(n, parallel) {
		workers.Go(func() {
			for i, ok := take(); ok; i, ok = take() {
				if err := fn(ctx, i); err != nil {
					mu.Lock()
					if failed == nil {
						failed = err
					}
					mu.Unlock()
				}
			}
		})
	}
	workers.Wait()
	return failed
}
