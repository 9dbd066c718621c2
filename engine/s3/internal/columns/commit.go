package columns

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/s3/internal/object"
)

// Commit is that of engine.ArrayTx. It uploads what the transaction has changed, and then the head,
// under the condition that nobody else has changed it. A transaction without changes sends nothing.
//
// If others have changed only arrays that the transaction neither read nor changed, Commit makes its
// changes on the newest head. If the answer of the server is lost, Commit stores the same head again,
// under the same condition: one of the two at most takes effect, and the head tells by its commits.
func (x *tx) Commit(ctx context.Context, id string) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.usable(ctx); err != nil && (x.done || ctx.Err() == nil) {
		return err
	}
	defer func() { // or each head would keep the one before
		x.done = true
		x.arrays, x.base = nil, nil
	}()
	err := engine.ContextErr(ctx)
	if err == nil {
		err = x.commit(ctx, id)
	}
	if err != nil && ctx.Err() != nil {
		return engine.ContextErr(ctx)
	}
	return err
}

func (x *tx) commit(ctx context.Context, id string) error {
	if len(x.changed) == 0 && !x.dropped {
		return nil
	}
	sum := commitName(id)
	if x.base.has(sum) {
		return nil
	}
	if err := x.flush(ctx); err != nil {
		return x.explain(err)
	}
	for {
		next, raw, err := x.successor(sum, id != "")
		if err != nil {
			return err
		}
		err = x.publish(ctx, next, raw)
		if err == nil {
			return nil
		}
		var moved *movedError
		if !errors.As(err, &moved) {
			return err
		}
		if moved.to.has(sum) {
			return nil
		}
		if !x.rebase(moved.to) {
			return fmt.Errorf("commit of arrays: %w", engine.ErrConflict)
		}
	}
}

// commitName is what the head has of a commit's id; a random one if that is empty.
func commitName(id string) (sum [16]byte) {
	if id == "" {
		rand.Read(sum[:]) // never fails
		return sum
	}
	all := sha256.Sum256([]byte(id))
	return [16]byte(all[:16])
}

// flush uploads the blocks and manifests of the transaction, but for small writes.
func (x *tx) flush(ctx context.Context) error {
	if err := x.fold(ctx, x.large()); err != nil {
		return err
	}
	for _, a := range x.arrays {
		if x.changed[a.ID] && len(a.inline) > maxInline {
			if err := x.describe(ctx, a); err != nil {
				return err
			}
		}
	}
	if len(encodeHead(&head{arrays: x.arrays})) <= longHead {
		return nil
	}
	for _, a := range slices.Clone(x.arrays) {
		if len(a.inline) <= leastInline {
			continue
		}
		if !x.changed[a.ID] { // this is no change of what it holds, but it needs a copy
			var err error
			if a, err = x.own(a.ID); err != nil {
				return err
			}
		}
		if err := x.describe(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

// large returns the blocks that have most patches, so that few bytes of patches are left.
func (x *tx) large() (list []*block) {
	type candidate struct {
		id, chunk int64
		i, bytes  int
	}
	var all []candidate
	total := 0
	for _, a := range x.arrays {
		for n, c := range a.inline {
			for i := range c.blocks {
				if bytes := c.blocks[i].patched(); bytes > 0 {
					total += bytes + 8*len(c.blocks[i].patches)
					all = append(all, candidate{a.ID, n, i, bytes})
				}
			}
		}
	}
	if total <= maxPatches {
		return nil
	}
	slices.SortFunc(all, func(a, b candidate) int { return cmp.Compare(b.bytes, a.bytes) })
	for _, k := range all {
		if total <= keptPatches {
			break
		}
		a, err := x.own(k.id)
		if err != nil {
			continue // it was listed just now
		}
		c := a.inline[k.chunk]
		if c.owner != x {
			c = c.clone(x)
			a.inline[k.chunk] = c
		}
		b := &c.blocks[k.i]
		list = append(list, b)
		total -= k.bytes + 8*len(b.patches)
	}
	return list
}

// describe moves the chunks of an array from the head to manifests, but for those with patches.
func (x *tx) describe(ctx context.Context, a *array) error {
	touched := map[int64]bool{}
	for n := range a.inline {
		touched[n/manifestSize] = true
	}
	if x.uploaded.IsZero() {
		x.uploaded = time.Now()
	}
	for _, m := range slices.Sorted(maps.Keys(touched)) {
		if err := x.describeRange(ctx, a, m); err != nil {
			return err
		}
	}
	maps.DeleteFunc(a.inline, func(_ int64, c *chunk) bool { return c.patched() == 0 })
	return nil
}

// describeRange makes manifest m of an array anew.
func (x *tx) describeRange(ctx context.Context, a *array, m int64) error {
	var list []*chunk
	for n := m * manifestSize; n < min((m+1)*manifestSize, a.chunks); n++ {
		c, err := x.chunk(ctx, a, n)
		if err != nil {
			return err
		}
		if c.patched() > 0 {
			c = c.clone(nil)
			for i := range c.blocks {
				c.blocks[i].patches = nil
			}
		}
		list = append(list, c)
	}
	raw, obj := encodeManifest(list), newName()
	if len(raw) > maxManifest {
		return fmt.Errorf("array %q: its chunks need %d bytes to describe, at most %d are possible; make them shorter: %w",
			a.Name, len(raw), maxManifest, engine.ErrTooLarge)
	}
	if err := x.c.store(ctx, x.c.manifestKey(obj), raw); err != nil {
		return err
	}
	x.c.rememberManifest(obj, list)
	if m == int64(len(a.manifests)) {
		a.manifests = append(a.manifests, obj)
	} else {
		a.manifests[m] = obj
	}
	return nil
}

// successor returns the head that is to follow that on which the transaction is based.
func (x *tx) successor(id [16]byte, asked bool) (*head, []byte, error) {
	next := &head{generation: x.base.generation + 1, lastID: x.lastID, arrays: x.arrays,
		commits: x.base.remembered(id, asked)}
	for _, a := range next.arrays {
		if x.changed[a.ID] {
			a.version = next.generation
		}
	}
	raw := encodeHead(next)
	if len(raw) > maxHead {
		return nil, nil, fmt.Errorf("%d arrays need %d bytes to describe, at most %d are possible; drop some, or keep them in another vault: %w",
			len(next.arrays), len(raw), maxHead, engine.ErrTooLarge)
	}
	next.size = len(raw)
	return next, raw, nil
}

// movedError says that another head has taken the place of the one that was to be replaced.
type movedError struct{ to *head }

func (*movedError) Error() string { return "another head took its place" }

// publish stores a head in the place of base. It is nil if that took effect, a *movedError if it has
// not and cannot any more, and ErrUnknown if that could not be found out.
func (x *tx) publish(ctx context.Context, next *head, raw []byte) error {
	key := x.c.headKey()
	if !x.uploaded.IsZero() && time.Since(x.uploaded) > x.c.o.Grace/2 {
		return fmt.Errorf("the transaction of arrays took longer than %v, and what it uploaded may have been removed; make it in parts: %w",
			x.c.o.Grace/2, engine.ErrSwept)
	}
	o := object.PutOptions{IfAbsent: x.base.etag == "", IfMatch: x.base.etag}
	id := next.commits[len(next.commits)-1].id
	start, unknown := time.Now(), false
	var last error
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		etag, err := x.c.b.Put(ctx, key, raw, o)
		if err == nil {
			next.etag = etag
			next.at = x.base.at // until it is read
			x.c.remember(next)
			return nil
		}
		if !errors.Is(err, object.ErrUnknown) && !errors.Is(err, object.ErrPrecondition) && ctx.Err() == nil && !unknown {
			return fmt.Errorf("columns: store %s: %w", key, err) // it was not stored
		}
		unknown = unknown || !errors.Is(err, object.ErrPrecondition)
		now, looked := x.c.load(ctx)
		switch {
		case looked == nil && now.has(id):
			return nil
		case looked == nil && now.etag != x.base.etag && (!unknown || x.base.knows(now)):
			return &movedError{now}
		}
		if last = errors.Join(err, looked); ctx.Err() == nil && time.Since(start) < x.c.o.Patience {
			select {
			case <-time.After(wait):
				continue
			case <-ctx.Done():
			}
		}
		return fmt.Errorf("columns: store %s: %w: %w", key, engine.ErrUnknown, errors.Join(last, ctx.Err()))
	}
}

// rebase bases the transaction on a newer head, if others have changed only what it does not depend
// on. What it uploaded stays as it is.
func (x *tx) rebase(to *head) bool {
	if x.all || x.dropped {
		return false
	}
	arrays := slices.Clone(to.arrays)
	for id := range x.touched {
		was, _ := x.base.array(id)
		is, ok := to.array(id)
		if !ok || to.arrays[is].version != x.base.arrays[was].version {
			return false
		}
	}
	for id := range x.changed {
		is, _ := to.array(id)
		mine, _ := (&head{arrays: x.arrays}).array(id)
		arrays[is] = x.arrays[mine]
	}
	x.base, x.arrays, x.lastID = to, arrays, to.lastID
	return true
}
