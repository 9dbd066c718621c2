package column

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
)

// pending are elements on their way to the end of a column, while the vault's cache keeps them.
type pending struct {
	identity
	target string // is that of the identity
	run    *run
	bound  bool
	// rows are the first columns of the tables that the elements are in rows of.
	rows []identity
	// at is how many elements waited before, when elements in rows were bound.
	at int64
}

// identity names a column, and the array that it has had since the elements were bound.
type identity struct {
	name, typ string
	size      int
	id        int64
}

var _ engine.Append = (*pending)(nil)

// endBytes is what is kept in memory for each element beside its bytes, where sizes differ.
const endBytes = 8

func (h *handle) pending(r *run) *pending {
	return &pending{
		identity: identity{name: h.name, typ: h.typ, size: h.size}, target: target(h.name, h.typ), run: r,
	}
}

// kept returns p with data of its own: a codec may have returned memory that it, or the caller,
// goes on using.
func (p *pending) kept() *pending {
	if p.run.lent {
		p.run.data, p.run.lent = slices.Clone(p.run.data), false
	}
	return p
}

func (p *pending) Target() string { return p.target }

func (p *pending) Column() string { return p.name }

// target is what elements for a column of that type are kept under.
func target(name, typ string) string { return name + "\x00" + canonical(typ) }

// Groups are the tables, by their first columns.
func (p *pending) Groups() []string {
	groups := make([]string, len(p.rows))
	for i, first := range p.rows {
		groups[i] = target(first.name, first.typ)
	}
	return groups
}

func (p *pending) Size() int64 { return int64(len(p.run.data)) + endBytes*int64(len(p.run.ends)) }

// Follows is true for elements behind others that are bound. Elements in rows are bound each time,
// since those of all columns have to lie behind as many others.
func (p *pending) Follows(flushing, waiting engine.Append) bool {
	if len(p.rows) == 0 {
		return p.bound || waiting != nil
	}
	n := int64(0)
	for _, a := range []engine.Append{flushing, waiting} {
		if a != nil {
			n += int64(a.(*pending).run.len())
		}
	}
	return p.bound && n == p.at
}

func (p *pending) Bind(ctx context.Context, a engine.Arrays) (engine.Append, error) {
	own, stored, at, err := p.bind(ctx, a)
	if err != nil {
		return nil, fail("append", p.name, err)
	}
	b := &pending{identity: own, target: p.target, run: p.run, bound: true, at: at, rows: slices.Clone(p.rows)}
	for i, first := range b.rows {
		first, storedThere, atThere, err := first.bind(ctx, a)
		if err = fail("append", first.name, err); err == nil && stored+at != storedThere+atThere {
			err = fail("append", p.name, unequal(stored+at, first.name, storedThere+atThere))
		}
		if err != nil {
			return nil, err
		}
		if at != atThere {
			return nil, nil
		}
		b.rows[i] = first
	}
	return b, nil
}

// bind looks the column up. It has so many elements stored, and so many wait.
func (d identity) bind(ctx context.Context, a engine.Arrays) (bound identity, stored, waiting int64, err error) {
	p, err := openParts(ctx, a, d.name, d.typ, d.size)
	if err != nil {
		return d, 0, 0, err
	}
	d.id = p.id()
	mine, others := pendingFor(a, d)
	if others != nil {
		return d, 0, 0, others.changed(ctx, a)
	}
	return d, p.length(), lengthOf(mine), nil
}

// Join writes behind the receiver's elements, in the memory that they end in: who reads those does
// not look there.
func (p *pending) Join(next engine.Append) engine.Append {
	n := next.(*pending)
	behind, before := n.run, p.run
	joined := &run{size: before.size, data: append(before.data, behind.data...), ends: slices.Grow(before.ends, len(behind.ends))}
	for _, end := range behind.ends {
		joined.ends = append(joined.ends, len(before.data)+end)
	}
	rows := p.rows
	for _, first := range n.rows {
		if !slices.Contains(rows, first) {
			rows = append(slices.Clip(rows), first)
		}
	}
	return &pending{identity: p.identity, target: p.target, run: joined, bound: p.bound, rows: rows}
}

// Check fails if the column has been dropped, renamed or made anew since the elements were cached,
// or if those of a table are not of one length. Whether the first column of the table is still
// there is told when its own elements are checked: they wait for the same flush.
func (p *pending) Check(ctx context.Context, a engine.Arrays) error {
	own, err := openParts(ctx, a, p.name, p.typ, p.size)
	switch wrong := (*TypeError)(nil); {
	case errors.Is(err, kvault.ErrNotFound) || err == nil && own.id() != p.id:
		err = p.changed(ctx, a)
	case errors.As(err, &wrong):
		err = p.retyped(wrong)
	}
	if err != nil {
		return fail("append", p.name, err)
	}
	for _, first := range p.rows {
		other, err := openParts(ctx, a, first.name, first.typ, first.size)
		if err == nil && other.id() == first.id && other.length() != own.length() {
			return fail("append", p.name, unequal(own.length(), first.name, other.length()))
		}
	}
	return nil
}

// changed says what became of the column that the elements are for.
func (p *pending) changed(ctx context.Context, a engine.Arrays) error {
	arrays, err := a.Arrays(ctx)
	if err != nil {
		return err
	}
	what, way := "dropped", "if they are not wanted any more, give them up by DiscardCached"
	for _, arr := range arrays {
		name := arr.Name
		if p.size == 0 {
			name = strings.TrimSuffix(name, indexSuffix)
		}
		if arr.ID == p.id && name != p.name {
			what, way = fmt.Sprintf("renamed to %q", name), "rename it back and flush, or give them up by DiscardCached"
		}
	}
	return &worded{fmt.Sprintf("it was %s, and %d elements for it wait in the cache: %s", what, p.run.len(), way), kvault.ErrNotFound}
}

// retyped says what to do about a column that holds another type than the elements that wait.
func (p *pending) retyped(now *TypeError) error {
	way := ""
	switch plain, was := strings.CutSuffix(p.typ, nullSuffix); {
	case !was && SameType(now.Type, p.typ+nullSuffix):
		way = "undo that by ForbidNulls where AllowNulls was called, and flush; or "
	case was && SameType(now.Type, plain):
		way = "undo that by AllowNulls where ForbidNulls was called, and flush; or "
	}
	return &worded{fmt.Sprintf("it holds %s now, and %d elements of %s wait in the cache: "+
		"%sgive them up by DiscardCached", now.Type, p.run.len(), p.typ, way), now}
}

// Write adds the elements.
func (p *pending) Write(ctx context.Context, a engine.Arrays) error {
	l, err := open(ctx, a, p.name, p.typ, p.size)
	if err == nil {
		err = l.append(ctx, p.run)
	}
	return fail("append", p.name, err)
}

// waiting are arrays that know what the cache holds for the end of columns.
type waiting interface {
	Pending(target string) []engine.Append
}

// pendingFor are the elements that the cache holds for a column, and some for another that had the
// name before, if there are any.
func pendingFor(a engine.Arrays, d identity) (runs []*run, others *pending) {
	w, ok := a.(waiting)
	if !ok {
		return nil, nil
	}
	for _, waiting := range w.Pending(target(d.name, d.typ)) {
		if p := waiting.(*pending); p.id == d.id {
			runs = append(runs, p.run)
		} else {
			others = p
		}
	}
	return runs, others
}

func lengthOf(runs []*run) (n int64) {
	for _, r := range runs {
		n += int64(r.len())
	}
	return n
}

// extended is a column with elements of the cache behind those that are stored. It is only read:
// whoever writes has flushed the cache.
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
