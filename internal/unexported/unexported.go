// Package unexported gives package column what package kvault does not export: the arrays of a
// transaction, and the cache's room for elements. Package kvault sets the functions when it is
// initialized. Their parameters are any because this package cannot import that one.
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
