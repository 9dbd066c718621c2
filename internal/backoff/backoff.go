// Package backoff repeats a call that may succeed later.
package backoff

import (
	"context"
	"fmt"
	"math"
	"time"
)

// Do calls fn until it succeeds, fails with an error that retryable rejects, or was called attempts times (at least
// once). It waits delay before the second call and twice as long before each further one. The error is the last one
// of fn, as it is. If ctx ends during a wait it is the context's, with the last one of fn as text. With a context that has
// ended already, fn is not called.
func Do(ctx context.Context, attempts int, delay time.Duration, retryable func(error) bool, fn func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for n := 1; ; n++ {
		err := fn()
		if err == nil || n >= attempts || !retryable(err) {
			return err
		}
		if ctxErr := sleep(ctx, delay); ctxErr != nil {
			return fmt.Errorf("%w (before the next attempt; the last one: %v)", ctxErr, err)
		}
		if delay <= math.MaxInt64/2 {
			delay *= 2
		}
	}
}

// sleep waits for d, or until ctx ends, whose error it then returns.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
