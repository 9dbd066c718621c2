// Package unexported gives packages column and internal/replicate what package kvault does not
// export: the arrays of a transaction, the cache's room for elements, and puts with a given tag.
// Package kvault sets the functions when it is initialized. Their parameters are any because this
// package cannot import that one.
package unexported

import (
	"context"

	"github.com/kohakuvault/kvault/engine"
)

// Arrays returns the arrays of tx, a *kvault.Tx. They are part of the transaction, end with it, and
// are as safe for concurrent use as the Tx. Their errors are not *kvault.Error. ErrUnsupported if
// the engine has no arrays.
var Arrays func(tx any) (engine.Arrays, error)

// CacheAppends caches elements in v, a *kvault.Vault, that are to be appended to columns: all of
// them, or none. It does nothing and reports false if they belong in the store itself, because the
// cache is off or too small for them.
//
// Cached elements are read through the arrays of a View, and reach the store with the next flush.
// An error with cached set means that a flush failed: the elements are still cached.
var CacheAppends func(ctx context.Context, v any, list ...engine.Append) (cached bool, err error)

// ViewArrays and UpdateArrays run fn in a transaction of v, a *kvault.Vault, that fn uses for arrays
// alone: fn gets a *kvault.Tx. They are View and Update, and work on engines whose transactions hold
// nothing but arrays, too. There UpdateArrays runs fn again if another writer has changed the same.
var ViewArrays, UpdateArrays func(ctx context.Context, v any, fn func(tx any) error) error

// SetTag has the puts that get o, a *kvault.PutOptions, store a version with this tag in place of a
// new one: that of a value copied from another vault, so that both name the same version. A tag
// must never stand for two different values or metadata of one key.
var SetTag func(o any, tag string)

// RunsAgain reports whether UpdateArrays may run fn more than once on v, a *kvault.Vault.
var RunsAgain func(v any) bool
