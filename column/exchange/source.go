package exchange

import (
	"context"
	"iter"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/kohakuvault/kvault/column"
)

// source is a column that is being exported: a window of elements that moves on.
type source interface {
	name() string
	typ() string
	// ready returns how many elements are in memory, after reading more if there were none.
	ready() (int, error)
	skip(n int)
	close()

	// appendText and appendJSON append element i of the window to dst.
	appendText(dst []byte, i int) []byte
	appendJSON(dst []byte, i int) []byte
	// nullable says that elements may be null.
	nullable() bool
	// quoted says that the text form has to be quoted in CSV.
	quoted() bool
	// null says that element i of the window is null. It has no text then.
	null(i int) bool
	arrowType() arrow.DataType
	// build appends the first n elements of the window.
	build(b array.Builder, n int)
}

// window holds a page of a column.
type window[T any] struct {
	c    *column.Column[T]
	form *form[T]
	next func() ([]T, error, bool)
	stop func()
	page []T
}

func newWindow[T any](ctx context.Context, c *column.Column[T], from, to int64, f *form[T]) *window[T] {
	w := &window[T]{c: c, form: f}
	w.next, w.stop = iter.Pull2(c.BlocksOf(ctx, from, to))
	return w
}

func (w *window[T]) name() string { return w.c.Name() }
func (w *window[T]) typ() string  { return w.c.Type() }
func (w *window[T]) close()       { w.stop() }
func (w *window[T]) skip(n int)   { w.page = w.page[n:] }

func (w *window[T]) ready() (int, error) {
	if len(w.page) == 0 {
		var err error
		if w.page, err, _ = w.next(); err != nil {
			return 0, err
		}
		if err := w.refuse(); err != nil {
			return 0, err
		}
	}
	return len(w.page), nil
}

func (w *window[T]) refuse() error {
	if w.form.refuse == nil {
		return nil
	}
	for _, x := range w.page {
		if err := w.form.refuse(x); err != nil {
			return failed("export", w.name(), err)
		}
	}
	return nil
}

func (w *window[T]) appendText(dst []byte, i int) []byte { return w.form.text(dst, w.page[i]) }
func (w *window[T]) appendJSON(dst []byte, i int) []byte { return w.form.json(dst, w.page[i]) }
func (w *window[T]) quoted() bool                        { return w.form.quoted }
func (w *window[T]) nullable() bool                      { return w.form.null != nil }
func (w *window[T]) null(i int) bool                     { return w.form.null != nil && w.form.null(w.page[i]) }
func (w *window[T]) arrowType() arrow.DataType           { return w.form.arrow }
func (w *window[T]) build(b array.Builder, n int)        { w.form.build(b, w.page[:n]) }
