package kvault

import (
	"context"
	"errors"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/backoff"
)

// retry calls fn again, as the options say, as long as it finds the database busy.
func retry(ctx context.Context, o *Options, fn func() error) error {
	if err := engine.ContextErr(ctx); err != nil {
		return err
	}
	return backoff.Do(ctx, o.Retries, o.RetryDelay, isBusy, fn)
}

func isBusy(err error) bool { return errors.Is(err, ErrBusy) }
