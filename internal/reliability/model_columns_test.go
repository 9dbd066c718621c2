package reliability

import (
	"context"
	"fmt"
	"slices"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

type (
	intColumn   = *column.Column[int64]
	textColumn  = *column.Column[string]
	fixedColumn = *column.Column[[]byte]
)

const fixedSize = 7

func (m *model) openColumns(h *handle) {
	o := &column.Options{MinChunk: 16, MaxChunk: int64(m.config.chunk)}
	var err error
	if h.ints, err = column.Ensure(m.ctx, h.v, "ints", column.Int64, o); err == nil {
		if h.texts, err = column.Ensure(m.ctx, h.v, "texts", column.String, o); err == nil {
			h.fixed, err = column.Ensure(m.ctx, h.v, "fixed", column.FixedBytes(fixedSize), o)
		}
	}
	m.wantNil("ensure columns", err)
}

// changeColumns changes one of the columns.
func (m *model) changeColumns(h *handle, t *tape) {
	switch t.next(3) {
	case 0:
		changeColumn(m, h, t, h.ints, func(s *state) *[]int64 { return &s.ints }, func() int64 { return int64(t.next(256)) << 40 })
	case 1:
		changeColumn(m, h, t, h.texts, func(s *state) *[]string { return &s.texts }, func() string {
			return fmt.Sprintf("%x", m.value(t))
		})
	case 2:
		changeColumn(m, h, t, bytesAsText{h.fixed}, func(s *state) *[]string { return &s.fixed }, func() string {
			return fmt.Sprintf("%07d", t.next(256))
		})
	}
}

// anyColumn is what changes a column.
type anyColumn[T any] interface {
	Extend(ctx context.Context, xs []T) error
	Append(ctx context.Context, x T) error
	Set(ctx context.Context, i int64, x T) error
	Insert(ctx context.Context, i int64, x T) error
	Delete(ctx context.Context, i int64) error
	Clear(ctx context.Context) error
	Compact(ctx context.Context) error
}

// bytesAsText is a column of bytes whose elements can be compared.
type bytesAsText struct{ fixedColumn }

func (c bytesAsText) Append(ctx context.Context, x string) error {
	return c.fixedColumn.Append(ctx, []byte(x))
}

func (c bytesAsText) Set(ctx context.Context, i int64, x string) error {
	return c.fixedColumn.Set(ctx, i, []byte(x))
}

func (c bytesAsText) Insert(ctx context.Context, i int64, x string) error {
	return c.fixedColumn.Insert(ctx, i, []byte(x))
}

func (c bytesAsText) Extend(ctx context.Context, xs []string) error {
	var all [][]byte
	for _, x := range xs {
		all = append(all, []byte(x))
	}
	return c.fixedColumn.Extend(ctx, all)
}

// changeColumn makes one call on a column; in finds what the model has for it, and some makes an
// element.
func changeColumn[T any](m *model, h *handle, t *tape, c anyColumn[T], in func(*state) *[]T, some func() T) {
	n := int64(len(*in(m.seen(h))))
	change := func(do func(all []T) []T) func(*state) {
		return func(s *state) { *in(s) = do(*in(s)) }
	}
	i := int64(t.next(256))
	if n > 0 {
		i %= n + 1
	}
	var past error
	if i >= n {
		past = column.ErrRange
	}
	switch t.next(9) {
	case 0, 1:
		x := some()
		m.cached(h, "append", c.Append(m.ctx, x), change(func(all []T) []T { return append(all, x) }))
	case 2, 3:
		var xs []T
		for range t.next(40) {
			xs = append(xs, some())
		}
		err := c.Extend(m.ctx, xs)
		if err != nil || len(xs) > 0 {
			m.cached(h, "extend", err, change(func(all []T) []T { return append(all, xs...) }))
		}
	case 4:
		x := some()
		m.direct(h, "set", c.Set(m.ctx, i, x), past, change(func(all []T) []T { all[i] = x; return all }))
	case 5:
		x := some()
		err := c.Insert(m.ctx, i, x)
		past = nil
		if i > n {
			past = column.ErrRange
		}
		m.direct(h, "insert", err, past, change(func(all []T) []T { return slices.Insert(all, int(i), x) }))
	case 6, 7:
		m.direct(h, "delete", c.Delete(m.ctx, i), past, change(func(all []T) []T { return slices.Delete(all, int(i), int(i)+1) }))
	case 8:
		if i%2 == 0 {
			m.direct(h, "compact", c.Compact(m.ctx), nil, func(*state) {})
		} else {
			m.direct(h, "clear", c.Clear(m.ctx), nil, change(func([]T) []T { return nil }))
		}
	}
}

// compareColumns reads all columns in one snapshot.
func (m *model) compareColumns(h *handle, tx *kvault.Tx, want *state) error {
	ints, err := readAll(m.ctx, h.ints.In(tx))
	if err != nil {
		return err
	}
	texts, err := readAll(m.ctx, h.texts.In(tx))
	if err != nil {
		return err
	}
	raw, err := readAll(m.ctx, h.fixed.In(tx))
	if err != nil {
		return err
	}
	var fixed []string
	for _, p := range raw {
		fixed = append(fixed, string(p))
	}
	if !slices.Equal(ints, want.ints) || !slices.Equal(texts, want.texts) || !slices.Equal(fixed, want.fixed) {
		m.failf("the columns have %d, %d and %d elements, want %d, %d and %d, or others", len(ints), len(texts), len(fixed),
			len(want.ints), len(want.texts), len(want.fixed))
	}
	return nil
}

func readAll[T any](ctx context.Context, c *column.Column[T]) (all []T, err error) {
	for x, err := range c.All(ctx) {
		if err != nil {
			return nil, err
		}
		all = append(all, x)
	}
	return all, nil
}
