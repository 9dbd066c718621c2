package kvault

import (
	"context"
	"errors"

	"github.com/kohakuvault/kvault/engine"
)

// Delete removes key and reports whether it was there.
func (v *Vault) Delete(ctx context.Context, key string) (bool, error) { return remove(ctx, v, key) }

// DeleteIf removes key if its version is tag, and otherwise fails with ErrNotFound or
// ErrTagMismatch.
func (v *Vault) DeleteIf(ctx context.Context, key, tag string) error {
	return removeIf(ctx, v, key, tag)
}

// Pop removes key and returns its value, atomically. A missing key is ErrNotFound.
func (v *Vault) Pop(ctx context.Context, key string) ([]byte, error) { return pop(ctx, v, key) }

// SetDefault returns the value of key and true. If there is none it stores value, and returns it
// with false. It is atomic.
func (v *Vault) SetDefault(ctx context.Context, key string, value []byte) (stored []byte, existed bool, err error) {
	return setDefault(ctx, v, key, value)
}

// RenameOptions restrict Rename. With nil and the zero value it always renames.
type RenameOptions struct {
	// NoReplace fails with ErrExists if the new key exists.
	NoReplace bool
	// IfTag, if not empty, renames only the version with that Tag, and otherwise fails with
	// ErrTagMismatch.
	IfTag string
}

// Rename moves the value of from, with its metadata and tag, to the key to, and replaces a value
// there. A missing from is ErrNotFound. If from and to are equal, nothing changes. On an engine
// that makes one change at a time it is not atomic: see New. There both keys have the value for a
// moment, and a Pop of each may return it.
func (v *Vault) Rename(ctx context.Context, from, to string, o *RenameOptions) error {
	return rename(ctx, v, from, to, o)
}

// Clear removes all keys in one transaction, and returns the number of keys removed. On
// an engine that makes one change at a time it is not atomic: see New.
func (v *Vault) Clear(ctx context.Context) (int64, error) {
	return removeRange(ctx, v, "clear", engine.Range{})
}

// DeletePrefix removes all keys that begin with prefix in one transaction, and returns the number
// of keys removed. An empty prefix is ErrInvalid, because it would remove everything: use Clear for
// that. On an engine that makes one change at a time it is not atomic: see New.
func (v *Vault) DeletePrefix(ctx context.Context, prefix string) (int64, error) {
	return removePrefix(ctx, v, prefix)
}

func remove(ctx context.Context, s executor, key string) (bool, error) {
	if err := checkKey(key); err != nil {
		return false, fail("delete", key, err)
	}
	res, err := s.apply(ctx, engine.Op{Kind: engine.Delete, Key: key})
	return res.Found, fail("delete", key, err)
}

func removeIf(ctx context.Context, s executor, key, tag string) error {
	err := checkKey(key)
	if err == nil && tag == "" {
		err = invalid("tag is empty: Delete removes whatever version there is")
	}
	if err == nil {
		_, err = s.apply(ctx, engine.Op{Kind: engine.Delete, Key: key, If: engine.Condition{Tag: tag}})
	}
	return fail("delete", key, err)
}

func pop(ctx context.Context, s executor, key string) ([]byte, error) {
	if err := checkKey(key); err != nil {
		return nil, fail("pop", key, err)
	}
	res, err := s.apply(ctx, engine.Op{Kind: engine.Delete, Key: key, Take: true})
	if err == nil && !res.Found {
		err = ErrNotFound
	}
	return res.Value, fail("pop", key, err)
}

func setDefault(ctx context.Context, s executor, key string, value []byte) ([]byte, bool, error) {
	for {
		stored, err := get(ctx, s, key)
		if err == nil {
			return stored, true, nil
		}
		if errors.Is(err, ErrNotFound) {
			_, err = put(ctx, s, key, value, &PutOptions{IfAbsent: true})
		}
		switch {
		case err == nil:
			return append([]byte{}, value...), false, nil
		case !errors.Is(err, ErrExists): // otherwise another writer was faster: look again
			return nil, false, fail("set default", key, errors.Unwrap(err))
		}
	}
}

func rename(ctx context.Context, s executor, from, to string, o *RenameOptions) error {
	if o == nil {
		o = &RenameOptions{}
	}
	err := checkKey(from)
	if err == nil {
		if err = checkNewKey(to); err != nil {
			return fail("rename", to, err)
		}
		op := engine.Op{Kind: engine.Rename, Key: from, To: to, ToAbsent: o.NoReplace, If: engine.Condition{Tag: o.IfTag}}
		_, err = s.apply(ctx, op)
	}
	return fail("rename", from, err)
}

func removePrefix(ctx context.Context, s executor, prefix string) (int64, error) {
	if prefix == "" {
		return 0, fail("delete prefix", "", invalid("prefix is empty: Clear removes all keys"))
	}
	return removeRange(ctx, s, "delete prefix", engine.PrefixRange(prefix))
}

func removeRange(ctx context.Context, s executor, op string, r engine.Range) (int64, error) {
	res, err := s.apply(ctx, engine.Op{Kind: engine.DeleteRange, Range: r})
	return res.Removed, fail(op, r.Start, err)
}
