package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
)

// sink is a column that rows are appended to.
type sink interface {
	// addText does not keep text. null says that it stands for null; where the column holds none,
	// an empty text is taken as it is.
	addText(text string, null bool) error
	addJSON(v any) error
	// addArrows adds n elements of an array, from number from on, and returns how many went well.
	addArrows(a arrow.Array, from, n int) (int, error)
	// nullable says whether addNull is possible.
	nullable() bool
	addNull() error
	// turn sets aside what has gathered, for write. It is called while no write runs.
	turn()
	// write writes what turn has set aside. It may run beside calls that add more.
	write(ctx context.Context) error
}

// gathered is what all columns of a table have gathered together. That is bounded, not what each of
// them has: a table may have any number of columns. Within the transaction, some may be ahead of
// the others.
//
// A goroutine writes what has gathered while the next rows are decoded: the two take about as long.
type gathered struct {
	ctx     context.Context // of the import
	sinks   []sink
	bytes   int
	writing chan error // of the write that runs, or nil
}

// bytesGathered is how much gathers before it is written. The same again is being written then.
const bytesGathered = bytesAtOnce / 2

// write begins to write, if much has gathered or all is to be written. It waits for the write
// before, and returns its error; if all is to be written, it waits for that too.
func (g *gathered) write(all bool) error {
	if !all && g.bytes < bytesGathered {
		return nil
	}
	g.bytes = 0
	if err := g.wait(); err != nil {
		return err
	}
	for _, s := range g.sinks {
		s.turn()
	}
	done := make(chan error, 1)
	g.writing = done
	go func() { done <- g.writeSinks() }()
	if all {
		return g.wait()
	}
	return nil
}

func (g *gathered) writeSinks() error {
	for _, s := range g.sinks {
		if err := s.write(g.ctx); err != nil {
			return err
		}
	}
	return nil
}

// wait waits for the write that runs, if one does. Whoever called write must call it in the end:
// the transaction is the writer's until then.
func (g *gathered) wait() error {
	if g.writing == nil {
		return nil
	}
	err := <-g.writing
	g.writing = nil
	return err
}

// gathering gathers elements, so that they are written many at a time.
type gathering[T any] struct {
	c    columnOf[T]
	form *form[T]
	all  *gathered
	xs   []T
	full []T // which write writes
	buf  []byte
}

// misfit is an error about what the table has for one column.
type misfit struct {
	column string
	line   int64 // of the table, or 0 if it has no lines
	err    error
}

func (m *misfit) Error() string { return m.err.Error() }
func (m *misfit) Unwrap() error { return m.err }

// onLine adds to an error the line that it is about.
func onLine(line int64, err error) error {
	if m := (*misfit)(nil); errors.As(err, &m) {
		m.line = line
		return err
	}
	return fmt.Errorf("line %d: %w", line, err)
}

// inRow makes an error of one about a row of the table, from 1, that names the row, its line and
// its column.
func inRow(op string, row int64, err error) error {
	m := (*misfit)(nil)
	switch {
	case !errors.As(err, &m):
		return failed(op, "", fmt.Errorf("row %d: %w", row, err))
	case m.line > 0:
		return failed(op, m.column, fmt.Errorf("row %d, line %d: %w", row, m.line, m.err))
	}
	return failed(op, m.column, fmt.Errorf("row %d: %w", row, m.err))
}

func (g *gathering[T]) add(x T, err error) error {
	if err == nil && g.form.picky {
		g.buf, err = g.c.Codec().Append(g.buf[:0], x) // so that an error can name the row
	}
	if err != nil {
		return &misfit{column: g.c.Name(), err: err}
	}
	g.xs = append(g.xs, x)
	if g.all.bytes += int(unsafe.Sizeof(x)) + g.form.size(x); g.all.bytes < bytesGathered {
		return nil
	}
	return g.all.write(false)
}

func (g *gathering[T]) addText(text string, null bool) error {
	switch {
	case null && g.nullable():
		return g.addNull()
	case null && text != "": // the text that was chosen for null
		return &misfit{column: g.c.Name(), err: fmt.Errorf("%q stands for %w", text, wrongType(nil, "a value"))}
	}
	x, err := g.form.parse(text)
	if err != nil && null {
		err = fmt.Errorf("%w; a field that is empty is null in a column whose type has :null behind", err)
	}
	return g.add(x, err)
}

func (g *gathering[T]) addJSON(v any) error { return g.add(g.form.fromJSON(v)) }

func (g *gathering[T]) nullable() bool { return g.form.null != nil }

func (g *gathering[T]) addNull() error {
	var null T
	if !g.nullable() {
		return &misfit{column: g.c.Name(), err: wrongType(nil, "a value")}
	}
	return g.add(null, nil)
}

func (g *gathering[T]) addArrows(a arrow.Array, from, n int) (int, error) {
	if cap(g.xs)-len(g.xs) < n {
		g.xs = slices.Grow(g.xs, max(n, len(g.xs))) // append would move large slices more often
	}
	if g.form.take != nil {
		if xs, bytes, ok := g.form.take(g.xs, a, from, n); ok {
			g.xs = xs
			g.all.bytes += n*int(unsafe.Sizeof(xs[0])) + bytes
			return n, g.all.write(false)
		}
	}
	for i := range n {
		if err := g.addArrow(a, from+i); err != nil {
			return i, err
		}
	}
	return n, nil
}

func (g *gathering[T]) addArrow(a arrow.Array, i int) error {
	if isNull(a, i) && !g.form.nulls {
		return g.addNull()
	}
	a, i = plainArray(a, i)
	return g.add(g.form.fromArrow(a, i))
}

func (g *gathering[T]) turn() { g.xs, g.full = g.full[:0], g.xs }

func (g *gathering[T]) write(ctx context.Context) error {
	if len(g.full) == 0 {
		return nil
	}
	err := g.c.Extend(ctx, g.full)
	if share := bytesGathered / len(g.all.sinks); cap(g.full)*int(unsafe.Sizeof(g.full[0])) > 2*share {
		g.full = nil
		return err
	}
	clear(g.full)
	return err
}
