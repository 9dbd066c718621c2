package query

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"strings"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

// source is a column that is read along with others.
type source interface {
	// ready returns how many elements are in memory, after reading more if there were none. It is
	// called only while rows are left, so a column without more elements is an error.
	ready() (int, error)
	skip(n int)
	close()
	// null says whether element i of those in memory is null.
	null(i int) bool
}

// values are elements of type T, of a column that may hold nulls.
type values[T any] struct {
	name  string
	next  func() ([]T, []bool, error)
	stop  func()
	page  []T
	nulls []bool // nil if there are none
}

func (v *values[T]) ready() (int, error) {
	if len(v.page) > 0 {
		return len(v.page), nil
	}
	var err error
	if v.page, v.nulls, err = v.next(); err == nil && len(v.page) == 0 {
		err = &kvault.Error{Op: "choose rows", Key: v.name, Err: errShorter}
	}
	return len(v.page), err
}

// errShorter: elements were removed between two blocks.
var errShorter = fmt.Errorf("elements were removed while its rows were read; remove them afterwards: %w", column.ErrRange)

func (v *values[T]) skip(n int) {
	v.page = v.page[n:]
	if v.nulls != nil {
		v.nulls = v.nulls[n:]
	}
}

func (v *values[T]) close()          { v.stop() }
func (v *values[T]) null(i int) bool { return v.nulls != nil && v.nulls[i] }

// columnOf is what the package needs of a *column.Column[T]. With the type itself the compiler
// would make all methods of Column here once more.
type columnOf[T any] = interface {
	Blocks(ctx context.Context) iter.Seq2[[]T, error]
	BlocksAt(ctx context.Context, numbers []int64) iter.Seq2[[]T, error]
}

// blocks are those of a column.
type blocks[T any] func(c columnOf[T]) iter.Seq2[[]T, error]

// whole reads all of a column.
func whole[T any](ctx context.Context) blocks[T] {
	return func(c columnOf[T]) iter.Seq2[[]T, error] { return c.Blocks(ctx) }
}

// valuesOf returns nil if the elements of d are of another type.
func valuesOf[T any](d column.Dynamic, plain blocks[T], nullable blocks[column.Null[T]]) *values[T] {
	switch c := d.(type) {
	case columnOf[T]:
		next, stop := iter.Pull2(plain(c))
		return &values[T]{name: d.Name(), stop: stop, next: func() ([]T, []bool, error) {
			page, err, _ := next()
			return page, nil, err
		}}
	case columnOf[column.Null[T]]:
		next, stop := iter.Pull2(nullable(c))
		var page []T
		var nulls []bool
		return &values[T]{name: d.Name(), stop: stop, next: func() ([]T, []bool, error) {
			block, err, _ := next()
			page, nulls = page[:0], nulls[:0]
			for _, x := range block {
				page, nulls = append(page, x.V), append(nulls, !x.Valid)
			}
			return page, nulls, err
		}}
	}
	return nil
}

// order says how two values compare: -1, 0, 1, or incomparable.
type order int

// incomparable is how NaN compares to any number.
const incomparable order = 2

func orderOf[T cmp.Ordered](a, b T) order {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	case a == b:
		return 0
	}
	return incomparable
}

func orderTimes(a, b time.Time) order { return order(a.Compare(b)) }

func orderTruths(a, b bool) order {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// orderMixed compares without rounding a to a floating-point number.
func orderMixed(a int64, b float64) order {
	switch {
	case b >= 1<<63:
		return -1
	case b < -1<<63:
		return 1
	case b != b:
		return incomparable
	}
	whole := math.Floor(b) // it fits
	if o := orderOf(a, int64(whole)); o != 0 || whole == b {
		return o
	}
	return -1
}

// timeType is what a column of dates or timestamps takes for text.
type timeType struct{ date, utc bool }

func timeTypeOf(typ string) timeType {
	typ = strings.TrimSuffix(typ, ":null")
	return timeType{strings.HasSuffix(typ, ":date"), strings.HasSuffix(typ, ":utc")}
}

func (t timeType) String() string {
	switch {
	case t.date:
		return "a date such as '2006-01-31'"
	case t.utc:
		return "a date such as '2006-01-31', with or without a time, such as '2006-01-31T15:04:05Z'"
	}
	return "a date such as '2006-01-31', with or without a time without a zone, such as '2006-01-31T15:04:05'"
}

// parse takes a date for its midnight. Without a zone an instant is one of UTC.
func (t timeType) parse(text string) (time.Time, bool) {
	if len(text) > len(time.DateOnly) && text[len(time.DateOnly)] == ' ' {
		text = text[:len(time.DateOnly)] + "T" + text[len(time.DateOnly)+1:]
	}
	layouts := []string{time.DateOnly, "2006-01-02T15:04:05"}
	if t.utc {
		layouts = append(layouts, time.RFC3339)
	}
	for _, layout := range layouts {
		if x, err := time.Parse(layout, text); err == nil { // which takes fractions of a second, too
			return x, true
		}
	}
	return time.Time{}, false
}
