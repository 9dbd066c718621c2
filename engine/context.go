package engine

import (
	"context"
	"errors"
)

// ContextErr returns ctx.Err(). If the context has a cause of its own, the text names it, but the
// error does not match it. The cause can be the error of another call: an errgroup makes it that of
// its first member. A caller would take it for the result of this call.
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

// Timeout is for os.IsTimeout, which does not unwrap.
func (e *contextError) Timeout() bool { return errors.Is(e.err, context.DeadlineExceeded) }
