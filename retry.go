package kvault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/backoff"
)

// retry calls fn again, as the options say, as long as it finds the database busy.
func retry(ctx context.Context, o *Options, fn func() error) error {
	return retryIf(ctx, o, isBusy, fn)
}

// retryIf is retry for those errors that again takes.
func retryIf(ctx context.Context, o *Options, again func(error) bool, fn func() error) error {
	if err := engine.ContextErr(ctx); err != nil {
		return err
	}
	begun := time.Now()
	p := backoff.Policy{Attempts: o.Retries, Delay: o.RetryDelay, Limit: o.BusyTimeout}
	err := backoff.Do(ctx, p, again, fn)
	if isBusy(err) {
		return gaveUp(err, time.Since(begun))
	}
	return err
}

func isBusy(err error) bool { return errors.Is(err, ErrBusy) }

// gaveUp says how long a call took that found the database busy to the end.
func gaveUp(err error, after time.Duration) error {
	if oe, ok := err.(*engine.OpError); ok {
		return &engine.OpError{Index: oe.Index, Key: oe.Key, Err: gaveUp(oe.Err, after)}
	}
	return fmt.Errorf("%w; gave up after %v", err, after.Round(time.Millisecond))
}
