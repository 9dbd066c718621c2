package query

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

// verdict is what a condition says about a row. As in SQL, a comparison with null is unknown, and
// so is what depends on it; rows are chosen of which it is known that they meet the condition.
type verdict int8

const (
	no verdict = iota
	yes
	unknown
)

func verdictOf(b bool) verdict {
	if b {
		return yes
	}
	return no
}

// test gives its verdict on the next rows of the sources, one for each place in out.
type test func(out []verdict)

// binder opens the columns that a condition names.
type binder struct {
	*Expr
	ctx     context.Context
	tx      *kvault.Tx
	prefix  string
	length  int64
	columns map[string]*bound
	sources []source
}

// bound is a column of a condition. Of the values of each type one is there, or none.
type bound struct {
	name   string
	d      column.Dynamic
	source source
	ints   *values[int64]
	floats *values[float64]
	texts  *values[string]
	truths *values[bool]
	times  *values[time.Time]
}

// openColumn finds a column, and looks below the prefix first.
func openColumn(ctx context.Context, tx *kvault.Tx, prefix, name string, length int64) (column.Dynamic, error) {
	d, err := column.OpenAny(ctx, tx, prefix+name)
	if prefix != "" && errors.Is(err, kvault.ErrNotFound) {
		if other, failed := column.OpenAny(ctx, tx, name); failed == nil {
			d, err = other, nil
		}
	}
	if errors.Is(err, kvault.ErrNotFound) {
		return nil, withColumns(ctx, tx, prefix, err)
	}
	if err != nil {
		return nil, err
	}
	n, err := d.Len(ctx)
	if err == nil && n != length {
		err = &kvault.Error{Op: "choose rows", Key: d.Name(), Err: fmt.Errorf("it has %d elements, but there are %d rows: %w", n, length, kvault.ErrInvalid)}
	}
	return d, err
}

// withColumns adds to an error about a column that is not there which columns the table has.
func withColumns(ctx context.Context, tx *kvault.Tx, prefix string, err error) error {
	const most = 8
	list, failed := column.List(ctx, tx)
	if failed != nil || prefix == "" {
		return err
	}
	var names []string
	for _, info := range list {
		if name, ok := strings.CutPrefix(info.Name, prefix); ok {
			names = append(names, name)
		}
	}
	more := ""
	if len(names) > most {
		more, names = fmt.Sprintf(" and %d more", len(names)-most), names[:most]
	}
	return fmt.Errorf("%w; the table %s has %s%s", err, prefix, strings.Join(names, ", "), more)
}

func (b *binder) column(t token) (*bound, error) {
	if c := b.columns[t.text]; c != nil {
		return c, nil
	}
	d, err := openColumn(b.ctx, b.tx, b.prefix, t.text, b.length)
	if err != nil {
		return nil, err
	}
	c := &bound{name: t.text, d: d}
	c.bind(b.ctx)
	if c.source != nil {
		b.sources = append(b.sources, c.source)
	}
	b.columns[t.text] = c
	return c, nil
}

func (c *bound) bind(ctx context.Context) {
	if c.ints = wholeColumn[int64](ctx, c.d); c.ints != nil {
		c.source = c.ints
	} else if c.floats = wholeColumn[float64](ctx, c.d); c.floats != nil {
		c.source = c.floats
	} else if c.texts = wholeColumn[string](ctx, c.d); c.texts != nil {
		c.source = c.texts
	} else if c.truths = wholeColumn[bool](ctx, c.d); c.truths != nil {
		c.source = c.truths
	} else if c.times = wholeColumn[time.Time](ctx, c.d); c.times != nil {
		c.source = c.times
	} else if v := wholeColumn[any](ctx, c.d); v != nil { // only whether they are null can be asked
		c.source = v
	} else if v := wholeColumn[[]byte](ctx, c.d); v != nil {
		c.source = v
	}
}

func wholeColumn[T any](ctx context.Context, d column.Dynamic) *values[T] {
	return valuesOf(d, whole[T](ctx), whole[column.Null[T]](ctx))
}

func (b *binder) bind(n node) (test, error) {
	switch n := n.(type) {
	case *binary:
		return b.binary(n)
	case *negation:
		of, err := b.bind(n.of)
		return func(out []verdict) {
			of(out)
			for i, v := range out {
				if v != unknown {
					out[i] = 1 - v
				}
			}
		}, err
	case *nullTest:
		c, err := b.column(n.column)
		if err != nil {
			return nil, err
		}
		if c.source == nil {
			return nil, b.cannot(n.column, c)
		}
		return func(out []verdict) {
			for i := range out {
				out[i] = verdictOf(c.source.null(i) != n.not)
			}
		}, nil
	case *truth:
		c, err := b.column(n.column)
		if err != nil {
			return nil, err
		}
		if c.truths == nil {
			return nil, b.fail(n.column.at, "column %q holds %s: compare it with something, as in %v = …", c.name, c.d.Type(), n.column)
		}
		return testOf(c.truths, [4]bool{2: true}, func(x bool) order { return orderTruths(x, false) }), nil
	case *comparison:
		return b.comparison(n)
	}
	return nil, errors.ErrUnsupported
}

func (b *binder) binary(n *binary) (test, error) {
	left, err := b.bind(n.left)
	if err != nil {
		return nil, err
	}
	right, err := b.bind(n.right)
	if err != nil {
		return nil, err
	}
	decisive := verdictOf(!n.and)
	var other []verdict
	return func(out []verdict) {
		left(out)
		other = append(other[:0], out...)
		right(other)
		for i, v := range other {
			switch {
			case out[i] == decisive || v == decisive:
				out[i] = decisive
			case v == unknown:
				out[i] = unknown
			}
		}
	}, nil
}

// accepted says for each order, from less to incomparable, whether an operator accepts it.
var accepted = map[string][4]bool{
	"=": {1: true}, "!=": {0: true, 2: true, 3: true}, "<": {0: true}, "<=": {0: true, 1: true}, ">": {2: true}, ">=": {1: true, 2: true},
}

// mirrored is an operator with its sides exchanged.
var mirrored = map[string]string{"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

func (b *binder) comparison(n *comparison) (test, error) {
	left, right, op := n.left, n.right, n.op.text
	if !isColumn(left) {
		left, right, op = right, left, mirrored[op]
	}
	if !isColumn(left) {
		return nil, b.fail(n.left.at, "neither side of %s is a column; text is 'quoted', and names of columns are not, or \"so\"", n.op.text)
	}
	c, err := b.column(left)
	if err != nil {
		return nil, err
	}
	if isColumn(right) {
		other, err := b.column(right)
		if errors.Is(err, kvault.ErrNotFound) && c.texts != nil {
			return nil, fmt.Errorf("%w; a text is written in single quotes: '%s'", err, right.text)
		}
		if err != nil {
			return nil, err
		}
		if t := between(c, other, accepted[op], accepted[mirrored[op]]); t != nil {
			return t, nil
		}
		return nil, b.fail(n.op.at, "column %q holds %s and column %q holds %s: they cannot be compared", c.name, c.d.Type(), other.name, other.d.Type())
	}
	return b.with(c, left, right, accepted[op])
}

// between compares two columns.
func between(a, b *bound, accept, turned [4]bool) test {
	switch {
	case a.ints != nil && b.ints != nil:
		return testOfTwo(a.ints, b.ints, accept, orderOf[int64])
	case a.floats != nil && b.floats != nil:
		return testOfTwo(a.floats, b.floats, accept, orderOf[float64])
	case a.ints != nil && b.floats != nil:
		return testOfTwo(a.ints, b.floats, accept, orderMixed)
	case a.floats != nil && b.ints != nil:
		return testOfTwo(b.ints, a.floats, turned, orderMixed)
	case a.texts != nil && b.texts != nil:
		return testOfTwo(a.texts, b.texts, accept, orderOf[string])
	case a.truths != nil && b.truths != nil:
		return testOfTwo(a.truths, b.truths, accept, orderTruths)
	case a.times != nil && b.times != nil:
		return testOfTwo(a.times, b.times, accept, orderTimes)
	}
	return nil
}

// with compares a column with a value.
func (b *binder) with(c *bound, left, right token, accept [4]bool) (test, error) {
	want := ""
	switch {
	case c.ints != nil:
		if want = "a number"; right.kind == number {
			return testOf(c.ints, accept, intOrder(right.text)), nil
		}
	case c.floats != nil:
		if want = "a number"; right.kind == number {
			return testOf(c.floats, accept, floatOrder(right.text)), nil
		}
	case c.texts != nil:
		if want = "a text in quotes, such as 'abc'"; right.kind == text {
			return testOf(c.texts, accept, func(e string) order { return orderOf(e, right.text) }), nil
		}
	case c.truths != nil:
		if want = "true or false"; right.is("true") || right.is("false") {
			x := right.is("true")
			return testOf(c.truths, accept, func(e bool) order { return orderTruths(e, x) }), nil
		}
	case c.times != nil:
		t := timeTypeOf(c.d.Type())
		if want = t.String(); right.kind == text {
			if x, ok := t.parse(right.text); ok {
				return testOf(c.times, accept, func(e time.Time) order { return orderTimes(e, x) }), nil
			}
		}
	default:
		return nil, b.cannot(left, c)
	}
	return nil, b.fail(right.at, "column %q holds %s: compare it with %s, not with %v", c.name, c.d.Type(), want, right)
}

func (b *binder) cannot(t token, c *bound) error {
	return b.fail(t.at, "column %q holds %s, which conditions cannot compare", c.name, c.d.Type())
}

// testOf compares elements with a value.
func testOf[T any](v *values[T], accept [4]bool, with func(T) order) test {
	return func(out []verdict) {
		for i, x := range v.page[:len(out)] {
			out[i] = verdictOf(accept[with(x)+1])
			if v.null(i) {
				out[i] = unknown
			}
		}
	}
}

// testOfTwo compares elements of two columns.
func testOfTwo[A, B any](a *values[A], b *values[B], accept [4]bool, compare func(A, B) order) test {
	return func(out []verdict) {
		for i := range out {
			out[i] = verdictOf(accept[compare(a.page[i], b.page[i])+1])
			if a.null(i) || b.null(i) {
				out[i] = unknown
			}
		}
	}
}
