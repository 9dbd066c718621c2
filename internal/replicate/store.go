package replicate

import (
	"context"
	"errors"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
)

// storeAll stores the values that come in, in batches. What was read before an interruption is
// stored still.
func (c *Copier) storeAll(ctx context.Context, values <-chan *value) error {
	lasting := context.WithoutCancel(ctx)
	var batch []*value
	var size int64
	for v := range values {
		batch, size = append(batch, v), size+v.Size
		if len(batch) < c.o.BatchItems && size < c.o.BatchBytes {
			continue
		}
		if err := c.storeBatch(lasting, batch); err != nil {
			return err
		}
		batch, size = nil, 0
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return c.storeBatch(lasting, batch)
}

// storeBatch stores values in one transaction, and then reports them.
func (c *Copier) storeBatch(ctx context.Context, batch []*value) error {
	if len(batch) == 0 {
		return nil
	}
	options := make([]*kvault.PutOptions, len(batch))
	for i, v := range batch { // before the transaction, as they may read the target
		o, err := c.options(ctx, v.Entry, v.tag, v.there)
		if err == nil {
			options[i] = o
		} else if v.event, err = c.outcome(ctx, v.Entry, v.tag, err); err != nil {
			return err
		}
	}
	failed := make([]error, len(batch))
	err := c.to.Update(ctx, func(tx *kvault.Tx) error {
		for i, v := range batch {
			if options[i] == nil {
				continue
			}
			_, err := tx.PutWith(ctx, c.target(v.Key), v.Value, options[i])
			if failed[i] = err; err != nil && !isMet(err) && !isOwn(err) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, v := range batch {
		if v.event == nil {
			if v.event, err = c.outcome(ctx, v.Entry, v.tag, failed[i]); err != nil {
				return err
			}
		}
		if err := c.stored(v); err != nil {
			return err
		}
	}
	return nil
}

// storeOne stores a value by itself.
func (c *Copier) storeOne(ctx context.Context, v *value) error {
	var err error
	if !c.o.DryRun {
		var o *kvault.PutOptions
		if o, err = c.options(ctx, v.Entry, v.tag, v.there); err == nil {
			_, err = c.to.PutWith(ctx, c.target(v.Key), v.Value, o)
		}
	}
	v.event, err = c.outcome(ctx, v.Entry, v.tag, err)
	return err
}

// stored reports a value that was dealt with.
func (c *Copier) stored(v *value) error {
	c.progress(v.Size)
	return c.report(*v.event)
}

// outcome turns the result of a put into an event. It returns an error that is not of the one value.
func (c *Copier) outcome(
	ctx context.Context, e kvault.Entry, tag string, err error,
) (*Event, error) {
	event := &Event{Action: Copied, Key: e.Key, Size: e.Size}
	switch {
	case err == nil:
		return event, nil
	case isMet(err):
		// A store beyond a network may have made the change although it says otherwise.
		now, failed := c.to.Stat(ctx, c.target(e.Key))
		switch {
		case failed == nil && now.Tag == tag && tag != "":
			return event, nil
		case failed != nil && !matches(failed, kvault.ErrNotFound):
			err = errors.Join(err, failed)
		case !matches(err, engine.ErrUnknown):
			event.Action, event.Err = Conflict, errConflict
			return event, nil
		}
	}
	if ctx.Err() != nil || isFatal(err) {
		return nil, err
	}
	event.Action, event.Err = Failed, err
	return event, nil
}

var errConflict = errors.New("it was changed in the target meanwhile, and stays as it is there")
