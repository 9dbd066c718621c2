package columns

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/s3/internal/object"
)

// Swept says what a sweep removed.
type Swept struct {
	Objects, Bytes int64
}

// Sweep removes the objects that nothing names and that are older than the grace time at now. The
// clock of the server decides if it is behind now. It may run beside anything, also another sweep:
// who has uploaded objects names them within half of the grace time, or never.
//
// It calls page with how many objects it has listed or removed, some at a time, and ends with the
// error that page returns.
//
// It holds 16 bytes and little more in memory for each object that is in use. If the head or a
// manifest cannot be read, or there is no head though there are objects, it removes nothing.
func (c *Columns) Sweep(ctx context.Context, now time.Time, page func(n int) error) (Swept, error) {
	var swept Swept
	server, err := c.clock(ctx)
	if err != nil {
		return swept, err
	}
	if server.Before(now) {
		now = server
	}
	old, err := c.unused(ctx, now.Add(-c.o.Grace), page)
	if err != nil {
		return swept, err
	}
	const atOnce = 1000
	for len(old) > 0 {
		some := old[:min(len(old), atOnce)]
		old = old[len(some):]
		keys := make([]string, len(some))
		for i, o := range some {
			keys[i] = o.Key
		}
		if err := c.b.DeleteAll(ctx, keys); err != nil {
			return swept, fmt.Errorf("columns: remove unused objects: %w", err)
		}
		for _, o := range some {
			swept.Objects, swept.Bytes = swept.Objects+1, swept.Bytes+o.Size
		}
		if err := page(len(some)); err != nil {
			return swept, err
		}
	}
	return swept, nil
}

// clock asks the server for its time, by an object that is stored for that.
func (c *Columns) clock(ctx context.Context) (time.Time, error) {
	key := c.prefix + "clock"
	if err := c.store(ctx, key, nil); err != nil {
		return time.Time{}, err
	}
	i, err := c.b.Head(ctx, key)
	if err != nil {
		return time.Time{}, fmt.Errorf("columns: look at %s: %w", key, err)
	}
	return i.Modified, nil
}

// unused lists the objects that are not newer than before and that nothing names. It reads the head
// after the listing: what has been listed and is old will not be named any more.
func (c *Columns) unused(ctx context.Context, before time.Time, page func(n int) error) (old []object.Info, err error) {
	for _, kind := range []string{"d/", "m/"} {
		err = c.list(ctx, kind, func(i object.Info, _ name) {
			if !i.Modified.After(before) {
				old = append(old, i)
			}
		}, page)
		if err != nil {
			return nil, err
		}
	}
	if len(old) == 0 {
		return nil, nil
	}
	h, err := c.load(ctx)
	if err != nil {
		return nil, err
	}
	if h.etag == "" {
		return nil, nil // the head may have been lost, and with these objects all would be
	}
	used := map[string]bool{}
	err = c.walk(ctx, h, func(m name) { used[c.manifestKey(m)] = true },
		func(_ *array, _ int64, b *block) error { used[c.blockKey(b.obj)] = true; return nil })
	if err != nil {
		return nil, err
	}
	kept := old[:0]
	for _, i := range old {
		if !used[i.Key] {
			kept = append(kept, i)
		}
	}
	return kept, nil
}

// list calls fn for each object of a kind, and listed with how many there were after each request.
// It passes over those whose names are not ours.
func (c *Columns) list(ctx context.Context, kind string, fn func(object.Info, name), listed func(n int) error) error {
	q := object.Query{Prefix: c.prefix + kind, Limit: 1000}
	for {
		page, err := c.b.List(ctx, q)
		if err != nil {
			return fmt.Errorf("columns: list %s: %w", q.Prefix, err)
		}
		for _, i := range page.Objects {
			if i.Key <= q.After {
				return fmt.Errorf("columns: list %s: the server repeats %q", q.Prefix, i.Key)
			}
			q.After = i.Key
			raw, err := hex.DecodeString(strings.TrimPrefix(i.Key, q.Prefix))
			if err == nil && len(raw) == len(name{}) {
				fn(i, name(raw))
			}
		}
		if err := listed(len(page.Objects)); err != nil || !page.More {
			return err
		}
		if len(page.Objects) == 0 {
			return fmt.Errorf("columns: list %s: the server says that there are more objects, and sends none", q.Prefix)
		}
	}
}

// walk calls manifest for each manifest of a head, and fn for each object of a block, also for those
// that a manifest names and the head has replaced.
func (c *Columns) walk(ctx context.Context, h *head, manifest func(name), fn func(*array, int64, *block) error) error {
	blocks := func(a *array, n int64, k *chunk) error {
		for i := range k.blocks {
			if k.blocks[i].valid > 0 {
				if err := fn(a, n, &k.blocks[i]); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for _, a := range h.arrays {
		for n, k := range a.inline {
			if err := blocks(a, n, k); err != nil {
				return err
			}
		}
		for m, obj := range a.manifests {
			manifest(obj)
			list, err := c.manifest(ctx, obj)
			if err != nil {
				return fmt.Errorf("array %q: %w", a.Name, err)
			}
			for i, k := range list {
				if err := blocks(a, int64(m)*manifestSize+int64(i), k); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Check reads all objects that the arrays need, compares lengths and checksums, and calls found for
// each fault. The error says why Check could not go on, or what found returned. A head that cannot be
// decoded is a fault.
func (c *Columns) Check(ctx context.Context, found func(error) error) error {
	h, err := c.load(ctx)
	if errors.Is(err, engine.ErrCorrupt) {
		return found(err)
	}
	if err != nil {
		return err
	}
	for _, a := range h.arrays {
		if err := c.checkArray(ctx, h, a, found); err != nil {
			return err
		}
	}
	return nil
}

func (c *Columns) checkArray(ctx context.Context, h *head, a *array, found func(error) error) error {
	x := newTx(c, h, false)
	for n := range a.chunks {
		k, err := x.chunk(ctx, a, n)
		if err == nil {
			for i := range k.blocks {
				if b := &k.blocks[i]; b.valid > 0 && err == nil {
					_, err = c.fetch(ctx, b, 0, ceilDiv(b.length, pageBytes)-1)
				}
			}
		}
		if err = x.explain(err); err == nil {
			continue
		}
		if !errors.Is(err, engine.ErrCorrupt) && !errors.Is(err, engine.ErrSwept) {
			return err
		}
		if err := found(fmt.Errorf("array %q, chunk %d: %w", a.Name, n, err)); err != nil {
			return err
		}
	}
	return nil
}
