package backoff_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kohakuvault/kvault/internal/backoff"
)

var (
	errBusy = errors.New("busy")
	errHard = errors.New("broken")
)

func isBusy(err error) bool { return errors.Is(err, errBusy) }

func TestDo(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		name      string
		attempts  int
		delay     time.Duration
		fails     []error // what the first calls return; the rest succeed
		want      error
		wantCalls int
		wantTime  time.Duration
	}{
		{"success at once", 4, 20 * ms, nil, nil, 1, 0},
		{"success at the third", 4, 20 * ms, []error{errBusy, errBusy}, nil, 3, 60 * ms},
		{"all attempts used", 4, 20 * ms, []error{errBusy, errBusy, errBusy, errBusy}, errBusy, 4, 140 * ms},
		{"not retryable", 4, 20 * ms, []error{errHard}, errHard, 1, 0},
		{"not retryable after a retry", 4, 20 * ms, []error{errBusy, errHard}, errHard, 2, 20 * ms},
		{"one attempt", 1, 20 * ms, []error{errBusy}, errBusy, 1, 0},
		{"zero attempts are one", 0, 20 * ms, []error{errBusy}, errBusy, 1, 0},
		{"negative attempts are one", -3, 20 * ms, []error{errBusy}, errBusy, 1, 0},
		{"no delay", 3, 0, []error{errBusy, errBusy}, nil, 3, 0},
		{"negative delay is none", 3, -ms, []error{errBusy, errBusy}, nil, 3, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start, calls := time.Now(), 0
				err := backoff.Do(t.Context(), backoff.Policy{Attempts: tt.attempts, Delay: tt.delay, Limit: time.Second}, isBusy, func() error {
					calls++
					if calls <= len(tt.fails) {
						return tt.fails[calls-1]
					}
					return nil
				})
				if err != tt.want {
					t.Errorf("error %v, want %v itself", err, tt.want)
				}
				if calls != tt.wantCalls {
					t.Errorf("%d calls, want %d", calls, tt.wantCalls)
				}
				if d := time.Since(start); d != tt.wantTime {
					t.Errorf("waited %v, want %v", d, tt.wantTime)
				}
			})
		})
	}
}

func TestDoContext(t *testing.T) {
	t.Run("ended before", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := backoff.Do(ctx, backoff.Policy{Attempts: 4, Delay: 0, Limit: math.MaxInt64}, isBusy, func() error {
			t.Error("fn was called")
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want %v", err, context.Canceled)
		}
	})
	t.Run("ends during a wait", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			start, calls := time.Now(), 0
			err := backoff.Do(ctx, backoff.Policy{Attempts: 100, Delay: 20 * time.Millisecond, Limit: math.MaxInt64}, isBusy, func() error { calls++; return errBusy })
			if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errBusy) || !strings.Contains(err.Error(), errBusy.Error()) {
				t.Errorf("error %v, want one that matches %v alone and names %v", err, context.DeadlineExceeded, errBusy)
			}
			if d := time.Since(start); d != 50*time.Millisecond || calls != 2 {
				t.Errorf("%d calls in %v, want 2 in 50ms", calls, d)
			}
		})
	})
	t.Run("ends during the last call", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		err := backoff.Do(ctx, backoff.Policy{Attempts: 1, Delay: 0, Limit: math.MaxInt64}, isBusy, func() error { cancel(); return errBusy })
		if err != errBusy {
			t.Errorf("error %v, want %v itself", err, errBusy)
		}
	})
	t.Run("ends during a call with attempts left", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		err := backoff.Do(ctx, backoff.Policy{Attempts: 4, Delay: 0, Limit: math.MaxInt64}, isBusy, func() error { calls++; cancel(); return errBusy })
		if !errors.Is(err, context.Canceled) || calls != 1 {
			t.Errorf("%d calls, error %v; want 1 and %v", calls, err, context.Canceled)
		}
	})
}

func TestDoDelayDoesNotOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*365*24*time.Hour)
		defer cancel()
		calls := 0
		err := backoff.Do(ctx, backoff.Policy{Attempts: 200, Delay: math.MaxInt64/2 + 1, Limit: math.MaxInt64}, isBusy, func() error { calls++; return errBusy })
		if !errors.Is(err, context.DeadlineExceeded) || calls != 1 {
			t.Errorf("%d calls, error %v; want 1 and %v", calls, err, context.DeadlineExceeded)
		}
	})
}

func TestDoIsLimited(t *testing.T) {
	for _, tt := range []struct {
		name         string
		limit, takes time.Duration // the whole, and each call
		wantCalls    int
		wantTime     time.Duration
	}{
		{"one call takes all of it", 5 * time.Second, 5 * time.Second, 1, 5 * time.Second},
		{"the second wait would", 50 * time.Millisecond, 0, 2, 20 * time.Millisecond},
		{"calls and waits", time.Second, 300 * time.Millisecond, 3, 960 * time.Millisecond},
		{"none is one call", 0, 0, 1, 0},
		{"negative is one call", -1, 0, 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start, calls := time.Now(), 0
				p := backoff.Policy{Attempts: 100, Delay: 20 * time.Millisecond, Limit: tt.limit}
				err := backoff.Do(t.Context(), p, isBusy, func() error {
					calls++
					time.Sleep(tt.takes)
					return errBusy
				})
				if d := time.Since(start); err != errBusy || calls != tt.wantCalls || d != tt.wantTime {
					t.Errorf("%d calls in %v, %v; want %d in %v", calls, d, err, tt.wantCalls, tt.wantTime)
				}
			})
		})
	}
}
