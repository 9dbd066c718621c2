package transact

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/kohakuvault/kvault"
)

// RenamePrefix is that of s. Where s is a vault without transactions the keys are renamed one by one,
// many at once, once it was looked whether all can be: if it fails then, some are renamed.
func RenamePrefix(
	ctx context.Context, s Store, from, to string, o *kvault.PrefixOptions,
) (int64, error) {
	n, err := s.RenamePrefix(ctx, from, to, o)
	if Atomic(s) || !errors.Is(err, kvault.ErrUnsupported) {
		return n, err
	}
	return move(ctx, s, "rename prefix", from, to, o, func(ctx context.Context, key, to string) error {
		return s.Rename(ctx, key, to, &kvault.RenameOptions{NoReplace: noReplace(o)})
	})
}

// CopyPrefix is RenamePrefix for copies.
func CopyPrefix(
	ctx context.Context, s Store, from, to string, o *kvault.PrefixOptions,
) (int64, error) {
	n, err := s.CopyPrefix(ctx, from, to, o)
	if Atomic(s) || !errors.Is(err, kvault.ErrUnsupported) {
		return n, err
	}
	return move(ctx, s, "copy prefix", from, to, o, func(ctx context.Context, key, to string) error {
		_, err := s.Copy(ctx, key, to, &kvault.CopyOptions{NoReplace: noReplace(o)})
		return err
	})
}

func noReplace(o *kvault.PrefixOptions) bool { return o != nil && o.NoReplace }

// move calls do with each key that begins with from and with what it is to become.
func move(
	ctx context.Context, s Store, op, from, to string, o *kvault.PrefixOptions,
	do func(ctx context.Context, key, to string) error,
) (int64, error) {
	invalid := &kvault.Error{Op: op, Key: from, Err: kvault.ErrInvalid}
	if from == "" || strings.HasPrefix(from, to) && to != "" || strings.HasPrefix(to, from) {
		return 0, invalid
	}
	err := eachKey(ctx, s, from, func(ctx context.Context, key string) error {
		next := to + key[len(from):]
		switch {
		case next == "", strings.HasPrefix(next, from):
			return invalid
		case len(next) > kvault.MaxKey:
			return &kvault.Error{Op: op, Key: next, Err: kvault.ErrTooLarge}
		case !noReplace(o):
			return nil
		}
		exists, err := s.Exists(ctx, next)
		if err == nil && exists {
			err = &kvault.Error{Op: op, Key: next, Err: kvault.ErrExists}
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	var moved atomic.Int64
	err = eachKey(ctx, s, from, func(ctx context.Context, key string) error {
		err := do(ctx, key, to+key[len(from):])
		if err == nil {
			moved.Add(1)
		}
		return err
	})
	return moved.Load(), err
}

// page is how many keys of a prefix are in memory.
const page = 1000

// eachKey calls fn with the keys that begin with prefix, many at once.
func eachKey(
	ctx context.Context, s Store, prefix string, fn func(context.Context, string) error,
) error {
	keys := make([]string, 0, page)
	flush := func() error {
		err := Each(ctx, s, len(keys), func(ctx context.Context, i int) error {
			return fn(ctx, keys[i])
		})
		keys = keys[:0]
		return err
	}
	for key, err := range s.Keys(ctx, &kvault.ListOptions{Prefix: prefix}) {
		if err != nil {
			return err
		}
		if keys = append(keys, key); len(keys) == page {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}
