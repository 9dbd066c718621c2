package engine

import (
	"context"
	"errors"
)

// ContextErr is ctx.Err(). Where the context ended for a cause of its own, the text names it, but
// the error does not match it: the cause can be the error of another call, as an errgroup makes
// that of its first member, and would be taken for the answer of this one.
func ContextErr(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); !errors.Is(err, cause) {
		return &contextError{err, err.Error() + ": " + cause.Error()}
	}
	return err
}

// contextError is the error of a context with a text of its own.
type contextError struct {
	err  error
	text string
}

func (e *contextError) Error() string { return e.text }
func (e *contextError) Unwrap() error { return e.err }

// Timeout says what os.IsTimeout asks, which looks at no error beneath.
func (e *contextError) Timeout() bool { return errors.Is(e.err, context.DeadlineExceeded) }
