package column

import (
	"cmp"
	"context"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/unexported"
)

// Append adds rows at the end of all columns, or, on an error, of none. With the vault's cache on
// and outside a transaction they go there, as with Column.Append. A flush writes all rows that wait
// or none: it is refused, and everything kept, if another program has changed the columns meanwhile
// so that the rows would come apart, or has dropped or renamed one. The error, a
// *kvault.FlushError, names the column.
func (t *Table[R]) Append(ctx context.Context, rows ...R) error {
	list, err := t.encode("append", rows)
	if err != nil {
		return err
	}
	if t.tx == nil && len(rows) > 0 && t.v.CacheStats().Enabled {
		if cached, err := t.cache(ctx, list); cached || err != nil {
			return err
		}
	}
	return t.change(ctx, "append", list, func(l layout, r *run) error {
		if r.len() == 0 {
			return nil
		}
		return l.append(ctx, r)
	})
}

// Set replaces row i in all columns, or, on an error, in none. Negative numbers count from the end.
func (t *Table[R]) Set(ctx context.Context, i int64, row R) error {
	list, err := t.encode("set", []R{row})
	if err != nil {
		return err
	}
	return t.change(ctx, "set", list, func(l layout, r *run) error {
		at, err := index(i, l.length(), false)
		if err != nil {
			return err
		}
		return l.set(ctx, at, r.at(0))
	})
}

// Insert puts a row before row i, or at the end if i is the number of rows, in all columns or, on
// an error, in none. All rows behind it are moved.
func (t *Table[R]) Insert(ctx context.Context, i int64, row R) error {
	list, err := t.encode("insert", []R{row})
	if err != nil {
		return err
	}
	return t.change(ctx, "insert", list, func(l layout, r *run) error { return insertAt(ctx, l, i, r) })
}

// Delete removes row i from all columns, or, on an error, from none. All rows behind it are moved.
func (t *Table[R]) Delete(ctx context.Context, i int64) error {
	list, err := t.encode("delete", nil)
	if err != nil {
		return err
	}
	return t.change(ctx, "delete", list, func(l layout, _ *run) error {
		at, err := index(i, l.length(), false)
		if err != nil {
			return err
		}
		return l.remove(ctx, at)
	})
}

// encode makes of rows what each column takes.
func (t *Table[R]) encode(op string, rows []R) ([]*pending, error) {
	if len(t.fields) == 0 {
		return nil, fail(op, "", errNoFields)
	}
	list := make([]*pending, len(t.fields))
	for i, f := range t.fields {
		var err error
		if list[i], err = f.pending(op, rows); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// cache hands elements for each column to the vault's cache. If it does not report cached, they
// belong in the file itself.
func (t *Table[R]) cache(ctx context.Context, list []*pending) (cached bool, err error) {
	appends := make([]engine.Append, len(list))
	for i, p := range list {
		if p = p.kept(); len(list) > 1 {
			p.rows = []identity{list[0].identity}
		}
		appends[i] = p
	}
	cached, err = unexported.CacheAppends(ctx, t.v, appends...)
	return cached, once("append", list[0].name, err)
}

// change runs do on each of the columns, which are of one length, with what was encoded for it, in
// one transaction.
func (t *Table[R]) change(ctx context.Context, op string, list []*pending, do func(l layout, r *run) error) error {
	var own error
	err := within(ctx, t.v, t.tx, Update, func(a engine.Arrays) error {
		own = changeAll(ctx, a, op, list, do)
		return own
	})
	return cmp.Or(own, fail(op, list[0].name, err))
}

func changeAll(ctx context.Context, a engine.Arrays, op string, list []*pending, do func(l layout, r *run) error) error {
	layouts := make([]layout, len(list))
	for i, p := range list {
		l, err := open(ctx, a, p.name, p.typ, p.size)
		if err != nil {
			return fail(op, p.name, err)
		}
		if layouts[i] = l; l.length() != layouts[0].length() {
			return fail(op, p.name, unequal(l.length(), list[0].name, layouts[0].length()))
		}
	}
	for i, p := range list {
		if err := do(layouts[i], p.run); err != nil {
			return fail(op, p.name, err)
		}
	}
	return nil
}
