package column

import (
	"context"
	"slices"

	"github.com/kohakuvault/kvault"
)

// Table sees columns of equal length as the fields of rows. R is the type of a row, a struct as a
// rule.
//
// Like a Column it holds nothing of their state, every call is a transaction of its own unless the
// table comes from In, and all methods are safe for concurrent use. Columns of different lengths
// are ErrInvalid, with the lengths in the error's text.
type Table[R any] struct {
	v      *kvault.Vault
	tx     *kvault.Tx
	fields []Field[R]
}

// Field is a column as one field of the rows of a Table. Bind makes one.
type Field[R any] interface {
	column() (v *kvault.Vault, tx *kvault.Tx, name string)
	// pending encodes the field of rows, for a call.
	pending(op string, rows []R) (*pending, error)
	in(tx *kvault.Tx) boundField[R]
}

// boundField is a field within a transaction.
type boundField[R any] interface {
	name() string
	length(ctx context.Context) (int64, error)
	// read fills the field of rows with the elements from number from on, and returns of how many:
	// at least one.
	read(ctx context.Context, from int64, rows []R) (int, error)
}

// Bind says which field of a row takes the elements of a column: at returns where it is.
//
//	column.Bind(sizes, func(f *File) *int64 { return &f.Size })
func Bind[R, T any](c *Column[T], at func(row *R) *T) Field[R] { return &field[R, T]{c, at} }

type field[R, T any] struct {
	c  *Column[T]
	at func(*R) *T
}

func (f *field[R, T]) column() (*kvault.Vault, *kvault.Tx, string) {
	return f.c.h.v, f.c.h.tx, f.c.h.name
}

func (f *field[R, T]) in(tx *kvault.Tx) boundField[R] { return &field[R, T]{f.c.In(tx), f.at} }

func (f *field[R, T]) name() string { return f.c.h.name }

func (f *field[R, T]) length(ctx context.Context) (int64, error) { return f.c.Len(ctx) }

func (f *field[R, T]) read(ctx context.Context, from int64, rows []R) (n int, err error) {
	r := &run{from: from}
	err = f.c.h.view(ctx, "read", func(l layout) error {
		return l.read(ctx, from, from+int64(len(rows)), r)
	})
	if err != nil {
		return 0, err
	}
	xs, err := decodePage(f.c, nil, r)
	for i := range xs {
		*f.at(&rows[i]) = xs[i]
	}
	return len(xs), fail("read", f.c.h.name, err)
}

func (f *field[R, T]) pending(op string, rows []R) (*pending, error) {
	xs := make([]T, len(rows))
	for i := range rows {
		xs[i] = *f.at(&rows[i])
	}
	r, err := encode(f.c, op, xs...)
	if err != nil {
		return nil, err
	}
	return f.c.h.pending(r), nil
}

// NewTable makes a table of columns of one vault, or of one transaction, of which the table is a
// part then. There must be at least one, and each must be there once.
func NewTable[R any](fields ...Field[R]) (*Table[R], error) {
	if len(fields) == 0 || slices.Contains(fields, nil) {
		return nil, fail("table", "", errNoFields)
	}
	t := &Table[R]{fields: fields}
	var names []string
	for i, f := range fields {
		v, tx, name := f.column()
		if i == 0 {
			t.v, t.tx = v, tx
		}
		if v != t.v || tx != t.tx {
			return nil, fail("table", name, invalid("it is a column of another vault or transaction than %q", names[0]))
		}
		if slices.Contains(names, name) {
			return nil, fail("table", name, invalid("the column is there twice"))
		}
		names = append(names, name)
	}
	return t, nil
}

var errNoFields = invalid("no columns: give at least one, and Bind each to a field")

// In returns the table as a part of a transaction. It ends with the transaction.
func (t *Table[R]) In(tx *kvault.Tx) *Table[R] { return &Table[R]{t.v, tx, t.fields} }

// rowsAtOnce bounds the rows of a block, in addition to the size of a page of each column.
const rowsAtOnce = 4096

// view runs fn on the fields in one transaction, with their common length.
func (t *Table[R]) view(ctx context.Context, op string, fn func(fields []boundField[R], n int64) error) error {
	if len(t.fields) == 0 {
		return fail(op, "", errNoFields)
	}
	var own error
	run := func(tx *kvault.Tx) error {
		own = func() error {
			fields := make([]boundField[R], len(t.fields))
			for i, f := range t.fields {
				fields[i] = f.in(tx)
			}
			n, err := commonLength(ctx, op, fields)
			if err != nil {
				return err
			}
			return fn(fields, n)
		}()
		return own
	}
	if t.tx != nil {
		return run(t.tx)
	}
	if err := View(ctx, t.v, run); err != nil && own == nil {
		_, _, name := t.fields[0].column()
		return fail(op, name, err)
	}
	return own
}

func commonLength[R any](ctx context.Context, op string, fields []boundField[R]) (int64, error) {
	first := int64(0)
	for i, f := range fields {
		n, err := f.length(ctx)
		if err != nil {
			return 0, err
		}
		if i == 0 {
			first = n
		}
		if n != first {
			return 0, fail(op, f.name(), unequal(n, fields[0].name(), first))
		}
	}
	return first, nil
}

func unequal(n int64, other string, length int64) error {
	return invalid("it has %d elements, but %q has %d: columns of a table are of one length", n, other, length)
}

// readRows reads rows from number from on, at least one and as many as a page of each column holds.
func readRows[R any](ctx context.Context, fields []boundField[R], from int64, rows []R) ([]R, error) {
	clear(rows)
	for _, f := range fields {
		n, err := f.read(ctx, from, rows)
		if err != nil {
			return nil, err
		}
		rows = rows[:n]
	}
	return rows, nil
}

// Len returns the number of rows.
func (t *Table[R]) Len(ctx context.Context) (n int64, err error) {
	err = t.view(ctx, "length", func(_ []boundField[R], length int64) error { n = length; return nil })
	return n, err
}

// Get returns row i. Negative numbers count from the end.
func (t *Table[R]) Get(ctx context.Context, i int64) (row R, err error) {
	rows, err := t.Pick(ctx, []int64{i})
	if err != nil {
		return row, err
	}
	return rows[0], nil
}

// Pick returns the rows of those numbers, in that order, from one state of the table. Neighbours
// are read together.
func (t *Table[R]) Pick(ctx context.Context, numbers []int64) ([]R, error) {
	picked := make([]R, len(numbers))
	err := t.view(ctx, "pick", func(fields []boundField[R], length int64) error {
		rest := picked
		return t.named("pick", neighbours(numbers, length, func(from, to int64) error {
			for from < to {
				rows, err := readRows(ctx, fields, from, rest[:min(to-from, rowsAtOnce)])
				if err != nil {
					return err
				}
				from, rest = from+int64(len(rows)), rest[len(rows):]
			}
			return nil
		}))
	})
	if err != nil {
		return nil, err
	}
	return picked, nil
}

// named gives an error of the table itself, such as an index out of range, the name of its first
// column.
func (t *Table[R]) named(op string, err error) error {
	if _, plain := err.(*worded); plain {
		_, _, name := t.fields[0].column()
		return fail(op, name, err)
	}
	return err
}
