// Package backoff repeats a call that may succeed later.
package backoff

import (
	"context"
	"fmt"
	"math"
	"time"
)

// Policy says how often to call a function, and for how long.
type Policy struct {
	// Attempts is how often it is called at most; it is called once in any case.
	Attempts int
	// Delay is the wait before the second call. It doubles before each further one.
	Delay time.Duration
	// Limit bounds all calls and waits together: no further call begins that long after the first.
	Limit time.Duration
}

// Do calls fn until it succeeds, fails with an error that retryable rejects, or p allows no further
// call. The error is the last one of fn, as it is. If ctx ends during a wait it is the context's,
// with the last one of fn as text. With a context that has ended already, fn is not called.
func Do(ctx context.Context, p Policy, retryable func(error) bool, fn func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	start, delay := time.Now(), max(p.Delay, 0)
	for n := 1; ; n++ {
		err := fn()
		if err == nil || n >= p.Attempts || !retryable(err) || time.Since(start) >= p.Limit-delay {
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
