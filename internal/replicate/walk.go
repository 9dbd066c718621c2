package replicate

import (
	"context"
	"iter"
	"maps"
	"strings"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

// source is what values are read from: the vault, or with tx a snapshot of it.
type source struct {
	v  *kvault.Vault
	tx *kvault.Tx
}

func (s source) list(ctx context.Context, o *kvault.ListOptions) iter.Seq2[kvault.Entry, error] {
	if s.tx != nil {
		return s.tx.List(ctx, o)
	}
	return s.v.List(ctx, o)
}

func (s source) open(ctx context.Context, key string) (*kvault.Reader, error) {
	if s.tx != nil {
		return s.tx.NewReader(ctx, key)
	}
	return s.v.NewReader(ctx, key)
}

// tag returns the tag that the copy of a value gets: the value's own, or where another program wrote
// it without one, as many digits as a tag has of the one that is made from the contents.
func (s source) tag(ctx context.Context, key string) (tag string, err error) {
	if s.tx != nil {
		tag, err = s.tx.Tag(ctx, key)
	} else {
		tag, err = s.v.Tag(ctx, key)
	}
	if digits, made := strings.CutPrefix(tag, "content-"); made {
		tag = digits[:min(len(digits), tagDigits)]
	}
	return tag, err
}

// tagDigits is how many hexadecimal digits a stored tag has.
const tagDigits = 16

// viewColumns runs fn on one state of the source's columns, if it can keep any.
func (s source) viewColumns(ctx context.Context, fn func(source) error) error {
	if s.tx != nil {
		return fn(s)
	}
	begun := false
	err := column.View(ctx, s.v, func(tx *kvault.Tx) error {
		begun = true
		return fn(source{s.v, tx})
	})
	if !begun && matches(err, kvault.ErrUnsupported) {
		return nil
	}
	return err
}

// pair is what both vaults have under one key. The source's key is that of from, if found.
type pair struct {
	from, to kvault.Entry
	// inFrom and inTo say which of them exist.
	inFrom, inTo bool
}

// walk visits the keys of both vaults in order, in step: those of the source under the prefix, and
// those of the target under its own.
func (c *Copier) walk(ctx context.Context, visit func(pair) error) error {
	next, stop := iter.Pull2(c.to.List(ctx, &kvault.ListOptions{Prefix: c.o.ToPrefix}))
	defer stop()
	to, err, more := next()
	if err != nil {
		return err
	}
	for from, err := range c.src.list(ctx, &kvault.ListOptions{Prefix: c.o.Prefix}) {
		if err != nil {
			return err
		}
		for more && to.Key[len(c.o.ToPrefix):] < from.Key[len(c.o.Prefix):] {
			if err := visit(pair{to: to, inTo: true}); err != nil {
				return err
			}
			if to, err, more = next(); err != nil {
				return err
			}
		}
		p := pair{from: from, inFrom: true}
		if more && to.Key[len(c.o.ToPrefix):] == from.Key[len(c.o.Prefix):] {
			p.to, p.inTo = to, true
			if to, err, more = next(); err != nil {
				return err
			}
		}
		if err := visit(p); err != nil {
			return err
		}
	}
	for more {
		if err := visit(pair{to: to, inTo: true}); err != nil {
			return err
		}
		if to, err, more = next(); err != nil {
			return err
		}
	}
	return nil
}

// target is the key, or the name of a column, in the target for one of the source.
func (c *Copier) target(name string) string {
	return c.o.ToPrefix + strings.TrimPrefix(name, c.o.Prefix)
}

// same reports whether two entries are of the same value with the same metadata: both have one tag,
// or one size, checksum and metadata.
func same(a, b kvault.Entry) bool {
	switch {
	case a.Size != b.Size, a.HasChecksum && b.HasChecksum && a.Checksum != b.Checksum:
		return false
	case a.Tag != "" && a.Tag == b.Tag:
		return true
	}
	return a.HasChecksum && b.HasChecksum && a.ContentType == b.ContentType &&
		a.ModTime.Equal(b.ModTime) && maps.Equal(a.User, b.User)
}
