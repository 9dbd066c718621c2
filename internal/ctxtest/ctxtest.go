// Package ctxtest ends contexts at chosen moments of a call, for tests of what the call then
// answers.
package ctxtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/race"
)

// Causes are errors that a context may be cancelled with, and that a caller would take for an
// answer.
var Causes = []error{
	engine.ErrNotFound, engine.ErrExists, engine.ErrClosed, engine.ErrReadOnly, engine.ErrInvalid, engine.ErrUnsupported, engine.ErrTagMismatch,
	engine.ErrBusy, engine.ErrCorrupt, engine.ErrTooLarge, engine.ErrNoVault, engine.ErrTxDone, engine.ErrMoved, engine.ErrSwept, engine.ErrNoUpload, engine.ErrConflict, engine.ErrUnknown, io.EOF, context.DeadlineExceeded,
	&engine.OpError{Key: "k", Err: engine.ErrNotFound}, &engine.IOError{Op: "read source", Err: io.EOF},
}

// Context is cancelled, with a cause, at one of the moments at which it is asked for its state.
type Context struct {
	context.Context
	cancel context.CancelCauseFunc
	cause  error
	asks   atomic.Int64 // how often it is asked before it ends
	// waited says that it ends when it is waited for, however often it was asked.
	waited bool
}

// At is a context that ends when it is asked for the nth time, counted from 0.
func At(t *testing.T, n int, cause error) *Context {
	c := &Context{cause: cause}
	c.asks.Store(int64(n))
	c.Context, c.cancel = context.WithCancelCause(t.Context())
	t.Cleanup(func() { c.cancel(nil) })
	return c
}

// Waiting is a context that ends as soon as something waits for it.
func Waiting(t *testing.T, cause error) *Context {
	c := At(t, 0, cause)
	c.waited = true
	return c
}

// Err may end the context.
func (c *Context) Err() error {
	if !c.waited && c.asks.Add(-1) < 0 {
		c.cancel(c.cause)
	}
	return c.Context.Err()
}

// Done may end the context.
func (c *Context) Done() <-chan struct{} {
	if c.waited || c.asks.Add(-1) < 0 {
		c.cancel(c.cause)
	}
	return c.Context.Done()
}

// Ended says whether the context has ended, and does not end it.
func (c *Context) Ended() bool { return c.Context.Err() != nil }

// Check checks that err says that a context was cancelled, and matches nothing else.
func Check(t *testing.T, what string, err, cause error) {
	t.Helper()
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%s, cancelled with %v: error %v, want %v", what, cause, err, context.Canceled)
	}
	for _, other := range Causes {
		if errors.Is(err, other) {
			t.Errorf("%s, cancelled with %v: error %v matches %v", what, cause, err, other)
		}
	}
}

// Before runs a call with contexts that have ended, with each of the causes.
func Before(t *testing.T, what string, run func(ctx context.Context) error) {
	t.Helper()
	for _, cause := range Causes {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		Check(t, what, run(ctx), cause)
	}
}

// During runs a call with contexts that end at one moment after another, with the causes in turn,
// until it returns before its context ends. That must succeed. The call is to check what it answers
// without an error.
func During(t *testing.T, what string, run func(ctx context.Context) error) {
	t.Helper()
	for n := 0; n < 1<<20; n += 1 + n*race.Slowdown/8 { // some calls ask ten thousand times
		cause := Causes[n%len(Causes)]
		ctx := At(t, n, cause)
		err := run(ctx)
		if !ctx.Ended() {
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
			return
		}
		if err != nil { // else it ended too late to matter
			Check(t, fmt.Sprintf("%s at moment %d", what, n), err, cause)
		}
	}
	t.Errorf("%s never returned before its context ended", what)
}
