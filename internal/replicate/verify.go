package replicate

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

// Verify reads every value and column of the target that the source has too, whole, and reports
// those that differ from the source's as Different. What only the target has does not count. What is
// written to either vault between the copy and Verify is a difference.
func (c *Copier) Verify(ctx context.Context) error {
	return c.reading(ctx, func() error {
		if !c.o.NoKeys {
			if err := c.verifyKeys(ctx); err != nil {
				return err
			}
		}
		if c.o.NoColumns {
			return nil
		}
		return c.src.viewColumns(ctx, func(s source) error { return c.verifyColumns(ctx, s) })
	})
}

func (c *Copier) verifyKeys(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	pairs := make(chan pair)
	var wg sync.WaitGroup
	for range smallAtOnce {
		wg.Go(func() {
			if err := c.eachOf(ctx, pairs, func(p pair) error {
				return c.verified(ctx, Event{Key: p.from.Key, Size: p.from.Size}, c.compare(ctx, p))
			}); err != nil {
				cancel(err)
			}
		})
	}
	err := c.walk(ctx, func(p pair) error {
		if !p.inFrom {
			return nil
		}
		select {
		case pairs <- p:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	close(pairs)
	if err != nil {
		cancel(err)
	}
	wg.Wait()
	return context.Cause(ctx)
}

// verified reports the result of a comparison.
func (c *Copier) verified(ctx context.Context, e Event, err error) error {
	if !e.Column {
		c.progress(e.Size)
	}
	var differs *difference
	switch {
	case err == nil:
		c.mu.Lock()
		c.counts.Verified++
		c.mu.Unlock()
		return nil
	case errors.As(err, &differs):
		e.Action, e.Err = Different, err
		return c.report(e)
	}
	return c.failed(ctx, e, err)
}

// difference says how the target differs.
type difference struct{ how string }

func (d *difference) Error() string { return "the target " + d.how }

// compare reads the target's value, and fails with a *difference if it is not the source's.
func (c *Copier) compare(ctx context.Context, p pair) error {
	switch {
	case !p.inTo:
		return &difference{"does not have it"}
	case p.from.Size != p.to.Size:
		return &difference{fmt.Sprintf("has %d bytes, the source %d", p.to.Size, p.from.Size)}
	case p.from.Tag != "" && !same(p.from, p.to):
		return &difference{"has another version or other metadata"}
	}
	want, err := p.from.Checksum, error(nil)
	if !p.from.HasChecksum {
		if want, err = checksum(ctx, c.src.open, p.from.Key); err != nil {
			return err
		}
	}
	got, err := checksum(ctx, c.to.NewReader, p.to.Key)
	switch {
	case matches(err, kvault.ErrNotFound):
		return &difference{"does not have it any more"}
	case matches(err, kvault.ErrCorrupt):
		return fmt.Errorf("the target's value is damaged: %w", err)
	case err != nil:
		return err
	case got != want:
		return &difference{"has other contents"}
	}
	return nil
}

// checksum reads a value to its end.
func checksum(
	ctx context.Context, open func(context.Context, string) (*kvault.Reader, error), key string,
) (uint32, error) {
	r, err := open(ctx, key)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	sum := crc32.New(castagnoli)
	if _, err := io.Copy(sum, r); err != nil {
		return 0, err
	}
	return sum.Sum32(), nil
}

func (c *Copier) verifyColumns(ctx context.Context, s source) error {
	list, err := c.listColumns(ctx, s)
	if err != nil || len(list) == 0 {
		return err
	}
	there, err := c.targetColumns(ctx)
	if err != nil && !matches(err, kvault.ErrUnsupported) {
		return err
	}
	for _, info := range list {
		err := c.compareColumn(ctx, s, info, there)
		event := Event{Key: info.Name, Column: true, Size: info.Len}
		if err := c.verified(ctx, event, err); err != nil {
			return err
		}
	}
	return nil
}

func (c *Copier) compareColumn(
	ctx context.Context, s source, info column.Info, there map[string]column.Info,
) error {
	other, found := there[c.target(info.Name)]
	switch {
	case !found:
		return &difference{"does not have the column"}
	case other.Type != info.Type:
		return &difference{fmt.Sprintf("has elements of type %s, the source %s", other.Type, info.Type)}
	case other.Len != info.Len:
		return &difference{fmt.Sprintf("has %d elements, the source %d", other.Len, info.Len)}
	}
	from, err := openColumn(ctx, s, info.Name)
	if err != nil {
		return err
	}
	to, err := openColumn(ctx, source{v: c.to}, other.Name)
	if err != nil {
		return err
	}
	begins, err := from.beginsWith(ctx, to, info.Len)
	if err == nil && !begins {
		err = &difference{"has other elements"}
	}
	return err
}
