package column

import (
	"context"

	"github.com/kohakuvault/kvault/engine"
)

// Migrate rewrites a column of elements of differing sizes that lies as versions 0.2 and 0.3 of the
// Python package lay it, in the layout that this package and the package's later versions write.
// There elements can be replaced and removed without moving those behind; the earlier versions
// cannot read it. It reports whether there was anything to do: a column of elements of one size, or
// in the later layout, stays as it is. It takes one transaction, and holds a page of elements in
// memory.
func Migrate[S Scope](ctx context.Context, s S, name string) (migrated bool, err error) {
	err = update(ctx, s, func(a engine.Arrays) error {
		migrated = false
		p, err := find(ctx, a, name, true)
		if err != nil || p.index == nil {
			return err
		}
		old, earlier := openVariable(a, p).(*joined)
		if !earlier {
			return nil
		}
		migrated = true
		return migrate(ctx, a, name, p, old)
	})
	return migrated && err == nil, fail("migrate", name, err)
}

func migrate(ctx context.Context, a engine.Arrays, name string, p *parts, old *joined) error {
	const suffix = " migrated"
	made, err := (*Options)(nil).arrays(name, p.data.Type, 0)
	if err != nil {
		return err
	}
	for i := range made {
		made[i].Name += suffix
		if made[i], err = a.CreateArray(ctx, made[i]); err != nil {
			return err
		}
	}
	next := &scattered{data: stream{a, made[0]}, index: fixed{stream{a, made[1]}}}
	after := &parts{data: made[0], index: &made[1]}
	if p.valid != nil {
		if after.valid, err = renewed(ctx, a, name+validSuffix+suffix, p.valid); err != nil {
			return err
		}
	}
	r := new(run)
	for from, n := int64(0), old.length(); from < n; {
		if err := old.read(ctx, from, n, r); err != nil {
			return err
		}
		if err := next.append(ctx, r); err != nil {
			return err
		}
		from += int64(r.len())
	}
	if err := p.drop(ctx, a); err != nil {
		return err
	}
	return after.rename(ctx, a, name)
}

// renewed copies the companion of a column whose other arrays have been made anew: see isCompanion.
func renewed(ctx context.Context, a engine.Arrays, name string, valid *engine.Array) (*engine.Array, error) {
	made := companionOf("", valid.MaxChunk)
	made.Name = name
	made, err := a.CreateArray(ctx, made)
	if err != nil {
		return nil, err
	}
	old, next := &fixed{stream{a, *valid}}, &fixed{stream{a, made}}
	r := new(run)
	for from, n := int64(0), old.length(); from < n; from += int64(r.len()) {
		if err := old.read(ctx, from, n, r); err != nil {
			return nil, err
		}
		if err := next.append(ctx, r); err != nil {
			return nil, err
		}
	}
	return &next.arr, nil
}
