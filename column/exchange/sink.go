package exchange

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

// sink is a column that rows are appended to.
type sink interface {
	name() string
	// addText does not keep text. null says that text stands for null, where the column holds nulls.
	addText(text string, null bool) error
	addJSON(v any) error
	addArrow(a arrow.Array, i int) error
	// nullable says whether addNull is possible.
	nullable() bool
	addNull() error
	// flush writes what has gathered, if it is much or all is to be written.
	flush(ctx context.Context, all bool) error
}

// gathering gathers elements, so that they are written many at a time.
type gathering[T any] struct {
	c     *column.Column[T]
	form  *form[T]
	xs    []T
	bytes int
	buf   []byte
}

// elementBytes is about what an element takes in memory beside its bytes.
const elementBytes = 24

func (g *gathering[T]) name() string { return g.c.Name() }

func (g *gathering[T]) add(x T, err error) error {
	if err == nil && g.form.picky {
		g.buf, err = g.c.Codec().Append(g.buf[:0], x) // so that an error can name the row
	}
	if err != nil {
		return failed("import", g.c.Name(), err)
	}
	g.xs = append(g.xs, x)
	g.bytes += elementBytes + g.form.size(x)
	return nil
}

func (g *gathering[T]) addText(text string, null bool) error {
	switch x, err := *new(T), error(nil); {
	case null && g.form.null != nil:
		return g.add(x, nil)
	case null && text != "": // the text that was chosen for null
		return g.add(x, fmt.Errorf("%q stands for null, and the column holds no nulls: %w", text, kvault.ErrInvalid))
	default:
		if x, err = g.form.parse(text); err != nil && null {
			err = fmt.Errorf("%w; an empty field is null in a column whose type ends in :null", err)
		}
		return g.add(x, err)
	}
}

func (g *gathering[T]) addJSON(v any) error { return g.add(g.form.fromJSON(v)) }

func (g *gathering[T]) addArrow(a arrow.Array, i int) error {
	if a.IsNull(i) && !g.form.nulls {
		return g.addNull()
	}
	return g.add(g.form.fromArrow(a, i))
}

func (g *gathering[T]) nullable() bool { return g.form.null != nil }

func (g *gathering[T]) addNull() error {
	var null T
	if !g.nullable() {
		return failed("import", g.c.Name(), wrongType(nil, "a value"))
	}
	return g.add(null, nil)
}

func (g *gathering[T]) flush(ctx context.Context, all bool) error {
	if len(g.xs) == 0 || !all && g.bytes < bytesAtOnce {
		return nil
	}
	err := g.c.Extend(ctx, g.xs)
	clear(g.xs)
	g.xs, g.bytes = g.xs[:0], 0
	return err
}
