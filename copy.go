package kvault

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/batches"
)

// CopyOptions restrict Copy. With nil and the zero value it always copies.
type CopyOptions struct {
	// NoReplace fails with ErrExists if the new key exists.
	NoReplace bool
	// IfTag, if not empty, copies only the version with that Tag, and otherwise fails with
	// ErrTagMismatch.
	IfTag string
}

// Copy stores the value of from, with its metadata, under the key to as well, and replaces a value
// there. It returns the entry of the copy, which has a Tag of its own. A missing from is
// ErrNotFound. If from and to are equal, nothing changes.
//
// Copy holds at most a few MiB in memory. In a file it writes a value in one row again. A value in
// chunk rows (see Options.OneRowLimit) it does not: both keys use the same rows, so the copy takes
// neither time nor room, whatever becomes of the other key. Versions of this package that do not
// know such copies refuse the file from the first one on.
func (v *Vault) Copy(ctx context.Context, from, to string, o *CopyOptions) (Entry, error) {
	return copyKey(ctx, v, from, to, o)
}

// Copy is Vault.Copy in the transaction.
func (t *Tx) Copy(ctx context.Context, from, to string, o *CopyOptions) (Entry, error) {
	return copyKey(ctx, t, from, to, o)
}

// PrefixOptions restrict RenamePrefix and CopyPrefix. With nil and the zero value they replace
// whatever is there.
type PrefixOptions struct {
	// NoReplace fails with ErrExists if any of the new keys exists.
	NoReplace bool
}

// RenamePrefix renames all keys that begin with from: to takes the place of from in them. It
// returns the number of keys renamed. Values keep their metadata and tags, and replace those that
// have the new keys. All of this is one transaction, of whose keys a thousand at a time are in
// memory: it succeeds for all keys, or changes nothing and names the first key that it failed for.
//
// ErrInvalid if from is empty, or if from and to overlap, that is, if either begins with the other:
// rename to a third prefix first. An empty to is possible unless one of the new keys begins with
// from. ErrTooLarge if a new key exceeds MaxKey. ErrUnsupported if the engine has no transactions.
func (v *Vault) RenamePrefix(
	ctx context.Context, from, to string, o *PrefixOptions,
) (int64, error) {
	return v.movePrefix(ctx, prefixMove{engine.Rename, "rename prefix", from, to, o})
}

// CopyPrefix copies all keys that begin with from, as Copy does, to keys that begin with to
// instead, and returns the number of keys copied. All else is as for RenamePrefix.
func (v *Vault) CopyPrefix(ctx context.Context, from, to string, o *PrefixOptions) (int64, error) {
	return v.movePrefix(ctx, prefixMove{engine.Copy, "copy prefix", from, to, o})
}

// RenamePrefix is Vault.RenamePrefix in the transaction. If it fails after it renamed some keys,
// the transaction ends.
func (t *Tx) RenamePrefix(ctx context.Context, from, to string, o *PrefixOptions) (int64, error) {
	return t.movePrefix(ctx, prefixMove{engine.Rename, "rename prefix", from, to, o})
}

// CopyPrefix is Vault.CopyPrefix in the transaction. If it fails after it copied some keys, the
// transaction ends.
func (t *Tx) CopyPrefix(ctx context.Context, from, to string, o *PrefixOptions) (int64, error) {
	return t.movePrefix(ctx, prefixMove{engine.Copy, "copy prefix", from, to, o})
}

func copyKey(ctx context.Context, s executor, from, to string, o *CopyOptions) (Entry, error) {
	if o == nil {
		o = &CopyOptions{}
	}
	if err := checkKey(from); err != nil {
		return Entry{}, fail("copy", from, err)
	}
	if err := checkNewKey(to); err != nil {
		return Entry{}, fail("copy", to, err)
	}
	res, err := s.apply(ctx, engine.Op{
		Kind: engine.Copy, Key: from, To: to, Meta: engine.Meta{Tag: newTag()},
		ToAbsent: o.NoReplace, If: engine.Condition{Tag: o.IfTag},
	})
	if err != nil {
		return Entry{}, fail("copy", from, err)
	}
	return entryOf(res.Entry), nil
}

// prefixMove is a call of RenamePrefix or CopyPrefix.
type prefixMove struct {
	kind     engine.OpKind
	call     string // as an Error names it
	from, to string
	o        *PrefixOptions
}

// movedKeys is how many keys are renamed or copied at a time.
const movedKeys = 1000

func (v *Vault) movePrefix(ctx context.Context, m prefixMove) (n int64, err error) {
	if _, ok := v.store.(engine.Transactor); !ok {
		return 0, fail(m.call, "", v.during(func() error { return m.unsupported() }))
	}
	err = v.update(ctx, func(t *Tx) error {
		n, err = t.movePrefix(ctx, m)
		return err
	})
	if err != nil {
		n = 0
	}
	return n, failOwn(m.call, err)
}

func (m prefixMove) unsupported() error {
	one := "Rename"
	if m.kind == engine.Copy {
		one = "Copy"
	}
	return fmt.Errorf("%w, which makes one change at a time: list the keys, and call %s for each", ErrUnsupported, one)
}

func (t *Tx) movePrefix(ctx context.Context, m prefixMove) (n int64, err error) {
	err = m.check()
	if err == nil {
		err = t.writable(ctx)
	}
	if err == nil {
		err = t.atomically(func(changed *bool) error {
			found := keys(ctx, t, &ListOptions{Prefix: m.from})
			for some, err := range batches.Of(found, movedKeys) {
				if err != nil {
					return err
				}
				if err := m.move(ctx, t, some); err != nil {
					return err
				}
				*changed = true
				n += int64(len(some))
			}
			return nil
		})
	}
	if err != nil {
		return 0, fail(m.call, m.from, err)
	}
	return n, nil
}

func (m *prefixMove) check() error {
	switch {
	case m.from == "":
		return invalid("the prefix is empty: name the keys to take")
	case m.from == m.to:
		return invalid("both prefixes are the same")
	case strings.HasPrefix(m.to, m.from), m.to != "" && strings.HasPrefix(m.from, m.to):
		return invalid("the prefixes overlap with %s: go by way of a third prefix", quoteKey(m.to))
	}
	return nil
}

// move renames or copies some keys.
func (m *prefixMove) move(ctx context.Context, t *Tx, some []string) error {
	ops := make([]engine.Op, len(some))
	for i, key := range some {
		to := m.to + key[len(m.from):]
		err := checkNewKey(to)
		if err == nil && strings.HasPrefix(to, m.from) {
			err = invalid("its new key %s begins with the old prefix: go by way of a third prefix",
				quoteKey(to))
		}
		if err != nil {
			return fail(m.call, key, err)
		}
		ops[i] = engine.Op{Kind: m.kind, Key: key, To: to, ToAbsent: m.o != nil && m.o.NoReplace}
		if m.kind == engine.Copy {
			ops[i].Meta.Tag = newTag()
		}
	}
	_, err := t.applyAll(ctx, ops)
	if oe, ok := err.(*engine.OpError); ok {
		if err = oe.Err; errors.Is(err, ErrExists) {
			err = fmt.Errorf("%w: %s", err, quoteKey(ops[oe.Index].To))
		}
		err = fail(m.call, oe.Key, err)
	}
	return err
}
