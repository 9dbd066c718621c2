package exchange

import (
	"context"
	"iter"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// source is a column that is being exported: a window of elements that moves on.
type source interface {
	name() string
	typ() string
	// ready returns how many elements are in memory. If there are none, it reads some, as many as
	// that if they are short.
	ready(most int) (int, error)
	// bytes is about how much memory those take.
	bytes() int
	skip(n int)
	// pick moves on to the elements of those numbers, which are to stay as they are while they are
	// read.
	pick(numbers []int64)

	// appendText and appendJSON append element i of the window to dst.
	appendText(dst []byte, i int) []byte
	appendJSON(dst []byte, i int) []byte
	// nullable says that elements may be nulls, and null whether element i of the window is one.
	nullable() bool
	null(i int) bool
	// quoted says that the text form has to be quoted in CSV.
	quoted() bool
	arrowType() arrow.DataType
	// build appends the first n elements of the window.
	build(b array.Builder, n int)
}

// bytesOfAColumn bounds what is read of a column at a time.
const bytesOfAColumn = 1 << 20

// window holds some elements of a column.
type window[T any] struct {
	ctx      context.Context // of the export
	c        columnOf[T]
	form     *form[T]
	from, to int64 // what has not been read
	picking  bool  // elements are read by their numbers
	picked   []int64
	page     []T
	average  int // bytes of an element, of those that were read last
}

func newWindow[T any](ctx context.Context, c columnOf[T], from, to int64, f *form[T]) *window[T] {
	return &window[T]{ctx: ctx, c: c, form: f, from: from, to: to}
}

func (w *window[T]) name() string { return w.c.Name() }
func (w *window[T]) typ() string  { return w.c.Type() }
func (w *window[T]) skip(n int)   { w.page = w.page[n:] }
func (w *window[T]) bytes() int   { return w.average * len(w.page) }

func (w *window[T]) pick(numbers []int64) { w.page, w.picked, w.picking = nil, numbers, true }

func (w *window[T]) ready(most int) (int, error) {
	if len(w.page) > 0 || w.left() == 0 {
		return len(w.page), nil
	}
	if w.average > 0 {
		most = max(1, min(most, bytesOfAColumn/w.average))
	}
	for page, err := range w.blocks(most) {
		if err != nil {
			return 0, err
		}
		w.page = page
		break
	}
	if w.picking {
		w.picked = w.picked[len(w.page):]
	} else {
		w.from += int64(len(w.page))
	}
	w.average = w.sizeOfAll()/max(1, len(w.page)) + 1
	return len(w.page), w.refuse()
}

// left is how many elements have not been read.
func (w *window[T]) left() int64 {
	if w.picking {
		return int64(len(w.picked))
	}
	return max(w.to-w.from, 0)
}

// blocks are the next elements, most of them or fewer.
func (w *window[T]) blocks(most int) iter.Seq2[[]T, error] {
	n := min(int64(most), w.left())
	if w.picking {
		return w.c.BlocksAt(w.ctx, w.picked[:n])
	}
	return w.c.BlocksOf(w.ctx, w.from, w.from+n)
}

func (w *window[T]) sizeOfAll() (n int) {
	for _, x := range w.page {
		n += int(unsafe.Sizeof(x)) + w.form.size(x)
	}
	return n
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
