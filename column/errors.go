package column

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kohakuvault/kvault"
)

// ErrRange: an index is not one of an element.
var ErrRange = errors.New("index out of range")

// TypeError says that a column holds elements of another type than the codec's. It matches
// kvault.ErrInvalid.
type TypeError struct {
	Column string
	// Type is what the column holds, and Want what the codec is for.
	Type, Want string
}

func (e *TypeError) Error() string {
	return fmt.Sprintf("column %q holds %s, not %s: open it with the codec of its type", e.Column, e.Type, e.Want)
}

// Unwrap returns kvault.ErrInvalid.
func (e *TypeError) Unwrap() error { return kvault.ErrInvalid }

// worded is an error of a known kind with a text of its own.
type worded struct {
	text string
	kind error
}

func (w *worded) Error() string { return w.text }
func (w *worded) Unwrap() error { return w.kind }

func invalid(format string, args ...any) error {
	return &worded{fmt.Sprintf(format, args...), kvault.ErrInvalid}
}

// once names the call and the column, unless the error names a column already.
func once(op, name string, err error) error {
	if e, ok := err.(*kvault.Error); ok && strings.HasPrefix(e.Op, opPrefix) {
		return err
	}
	return fail(op, name, err)
}

const opPrefix = "column "

// fail names the call and the column.
func fail(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &kvault.Error{Op: opPrefix + op, Key: name, Err: err}
}
