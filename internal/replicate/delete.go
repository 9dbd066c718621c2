package replicate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

// Surplus is a key, or a column, that the target has and the source does not have.
type Surplus struct {
	Key    string // the key in the target, or the name of the column
	Column bool
	Size   int64 // in bytes, or elements
	tag    string
}

// Surplus returns what the last Copy found that the source does not have, and whether it is safe to
// delete that: the error says why it is not. It is not safe after a listing of the source that did
// not come to its end, after an item that failed in any Copy, and if the source had nothing to
// copy, which may be the wrong vault; force allows the last.
func (c *Copier) Surplus(force bool) ([]Surplus, error) {
	list, failed := slices.Clone(c.surplus), c.Counts().Failed
	switch {
	case len(list) == 0:
		return nil, nil
	case !c.complete:
		return list, errors.New("the source was not listed to its end")
	case failed > 0:
		return list, fmt.Errorf("%d items failed", failed)
	case c.seen == 0 && !force:
		return list, ErrEmpty
	}
	return list, nil
}

// ErrEmpty: the source has nothing, so nothing is deleted for it.
var ErrEmpty = errors.New("the source has nothing to copy")

// deletedAtOnce is how many keys one transaction deletes.
const deletedAtOnce = 1000

// Delete deletes what Surplus returned, each item under the condition that it is still the version
// that was listed, and that the source still does not have it. It returns how many items it left
// for that reason. With DryRun it reports only.
func (c *Copier) Delete(ctx context.Context, list []Surplus) (left int64, err error) {
	before := c.Counts()
	if c.o.DryRun {
		for _, s := range list {
			if err := c.report(s.event(nil)); err != nil {
				return 0, err
			}
		}
		return 0, nil
	}
	keys := slices.DeleteFunc(slices.Clone(list), func(s Surplus) bool { return s.Column })
	for some := range slices.Chunk(keys, deletedAtOnce) {
		if err := c.deleteKeys(ctx, some); err != nil {
			return 0, err
		}
	}
	for _, s := range list {
		if !s.Column {
			continue
		}
		if err := c.deleted(ctx, s, c.deleteColumn(ctx, s)); err != nil {
			return 0, err
		}
	}
	now := c.Counts()
	done := now.Deleted - before.Deleted + now.Failed - before.Failed
	return int64(len(list)) - done, nil
}

func (s Surplus) event(err error) Event {
	e := Event{Action: Deleted, Key: s.Key, Column: s.Column, Size: s.Size, Err: err}
	if err != nil {
		e.Action = Failed
	}
	return e
}

// deleted reports what became of an item. One that is no longer what was listed is left without a
// word.
func (c *Copier) deleted(ctx context.Context, s Surplus, err error) error {
	switch {
	case err == nil:
		return c.report(s.event(nil))
	case isMet(err), errors.Is(err, errConflict):
		return ctx.Err()
	}
	return c.failed(ctx, s.event(nil), err)
}

// deleteKeys deletes keys in one transaction, or where there are none each by itself.
func (c *Copier) deleteKeys(ctx context.Context, list []Surplus) error {
	errs := make([]error, len(list))
	atOnce(len(list), func(i int) {
		s := &list[i]
		if errs[i] = c.stillAbsent(ctx, *s); errs[i] == nil && s.tag == "" {
			s.tag, errs[i] = c.madeTag(ctx, s.Key)
		}
		if errs[i] == nil && c.each {
			errs[i] = c.to.DeleteIf(ctx, s.Key, s.tag)
		}
	})
	if !c.each {
		if err := c.deleteTogether(ctx, list, errs); err != nil {
			return err
		}
	}
	for i, s := range list {
		if err := c.deleted(ctx, s, errs[i]); err != nil {
			return err
		}
	}
	return nil
}

// deleteTogether deletes in one transaction the keys that have no error yet.
func (c *Copier) deleteTogether(ctx context.Context, list []Surplus, errs []error) error {
	return c.to.Update(ctx, func(tx *kvault.Tx) error {
		for i, s := range list {
			if errs[i] != nil {
				continue
			}
			if errs[i] = tx.DeleteIf(ctx, s.Key, s.tag); errs[i] != nil && !isMet(errs[i]) {
				return errs[i]
			}
		}
		return nil
	})
}

// atOnce calls fn for each number below n, several at once.
func atOnce(n int, fn func(i int)) {
	var wg sync.WaitGroup
	turn := make(chan struct{}, smallAtOnce)
	for i := range n {
		turn <- struct{}{}
		wg.Go(func() {
			defer func() { <-turn }()
			fn(i)
		})
	}
	wg.Wait()
}

// stillAbsent fails with ErrExists if the source has got the key meanwhile.
func (c *Copier) stillAbsent(ctx context.Context, s Surplus) error {
	found, err := c.from.Exists(ctx, c.o.Prefix+strings.TrimPrefix(s.Key, c.o.ToPrefix))
	if err == nil && found {
		err = kvault.ErrExists
	}
	return err
}

// deleteColumn drops a column that has as many elements as were listed.
func (c *Copier) deleteColumn(ctx context.Context, s Surplus) error {
	return column.Update(ctx, c.to, func(tx *kvault.Tx) error {
		if err := sameLength(ctx, tx, s.Key, s.Size); err != nil {
			return err
		}
		return column.Drop(ctx, tx, s.Key)
	})
}
