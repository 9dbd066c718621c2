package api

import "context"

// slots bound how many requests do something at a time.
type slots chan struct{}

// during calls do while it has a slot, for which it waits. In do a request reads what it needs, and
// writes nothing to its client, who may be slow.
func (s slots) during(ctx context.Context, do func() error) error {
	select {
	case s <- struct{}{}:
		defer func() { <-s }()
		return do()
	case <-ctx.Done():
		return ctx.Err()
	}
}
