package column

import (
	"context"
	"errors"
	"slices"
	"sort"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
)

// pending are elements on their way to the end of a column, while the vault's cache keeps them.
type pending struct {
	name, typ string
	size      int
	run       *run
}

var _ engine.Append = (*pending)(nil)

// endBytes is what is kept in memory for each element beside its bytes, where sizes differ.
const endBytes = 8

func (c *Column[T]) pending(r *run) *pending {
	return &pending{c.name, c.codec.Type(), c.codec.Size(), r}
}

// kept returns p with data of its own: a codec may have returned memory that it, or the caller,
// goes on using.
func (p *pending) kept() *pending {
	if p.run.lent {
		p.run.data, p.run.lent = slices.Clone(p.run.data), false
	}
	return p
}

func (p *pending) Target() string { return target(p.name, p.typ) }

func (p *pending) Column() string { return p.name }

// target is what elements for a column of that type are kept under.
func target(name, typ string) string { return name + "\x00" + canonical(typ) }

func (p *pending) Size() int64 { return int64(len(p.run.data)) + endBytes*int64(len(p.run.ends)) }

// Join writes behind the receiver's elements, in the memory that they end in: who reads those does not look there.
func (p *pending) Join(next engine.Append) engine.Append {
	behind, before := next.(*pending).run, p.run
	joined := &run{size: before.size, data: append(before.data, behind.data...), ends: slices.Grow(before.ends, len(behind.ends))}
	for _, end := range behind.ends {
		joined.ends = append(joined.ends, len(before.data)+end)
	}
	return &pending{p.name, p.typ, p.size, joined}
}

func (p *pending) Check(ctx context.Context, a engine.Arrays) error {
	_, err := open(ctx, a, p.name, p.typ, p.size)
	return err
}

// Write makes the column anew if another handle or program has dropped it since: like a key that was deleted elsewhere, it is
// there again when what was written to it is flushed.
func (p *pending) Write(ctx context.Context, a engine.Arrays) error {
	l, err := open(ctx, a, p.name, p.typ, p.size)
	if errors.Is(err, kvault.ErrNotFound) {
		o := &Options{MaxChunk: max(defaultMaxChunk, int64(p.size))} // an element may be larger than a chunk is by default
		if err = create(ctx, a, p.name, p.typ, p.size, o); err == nil {
			l, err = open(ctx, a, p.name, p.typ, p.size)
		}
	}
	if err == nil {
		err = l.append(ctx, p.run)
	}
	return fail("append", p.name, err)
}

// waiting are arrays that know what the cache holds for the end of columns.
type waiting interface {
	Pending(target string) []engine.Append
}

// pendingFor are the elements that the cache holds for a column.
func pendingFor(a engine.Arrays, name, typ string) []*run {
	w, ok := a.(waiting)
	if !ok {
		return nil
	}
	var runs []*run
	for _, p := range w.Pending(target(name, typ)) {
		runs = append(runs, p.(*pending).run)
	}
	return runs
}

func lengthOf(runs []*run) (n int64) {
	for _, r := range runs {
		n += int64(r.len())
	}
	return n
}

// extended is a column with elements of the cache behind those that are stored. It is only read: whoever writes has flushed the
// cache.
type extended struct {
	layout
	behind []*run
}

func (e *extended) length() int64 { return e.layout.length() + lengthOf(e.behind) }

func (e *extended) read(ctx context.Context, from, to int64, r *run) error {
	stored := e.layout.length()
	if from < stored {
		return e.layout.read(ctx, from, min(to, stored), r)
	}
	from, to = from-stored, to-stored
	for _, b := range e.behind {
		n := int64(b.len())
		if from < n {
			b.copyTo(r, int(from), int(min(to, n)))
			return nil
		}
		from, to = from-n, to-n
	}
	return kvault.ErrCorrupt // indexes have been checked
}

// copyTo puts a page of the elements from number from up to number to into dst.
func (r *run) copyTo(dst *run, from, to int) {
	start := r.start(from)
	beyond := sort.Search(to-from, func(i int) bool { return r.start(from+i+1)-start > pageBytes })
	to = from + max(beyond, 1)
	dst.size, dst.ends = r.size, dst.ends[:0]
	for i := from; i < to && r.size == 0; i++ {
		dst.ends = append(dst.ends, r.start(i+1)-start)
	}
	copy(dst.fill(int64(r.start(to)-start)), r.data[start:r.start(to)])
}
