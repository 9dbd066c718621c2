package s3

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/s3/internal/codec"
	"github.com/kohakuvault/kvault/engine/s3/internal/object"
)

// span is a range of names: behind after, up to but without end, which may be empty, and with
// prefix.
type span struct{ prefix, after, end string }

// spanOf returns the names of the keys in r. A bound that is longer than any name is cut, since
// servers refuse requests with such: a name that begins with what is left is that itself, and
// before the bound.
func (s *Store) spanOf(r engine.Range) span {
	sp := span{prefix: s.prefix + string(codec.Mark)}
	start, room := "", max(0, codec.MaxName-len(s.prefix))
	if r.Start != "" {
		start = codec.Name(r.Start)
		if sp.after = s.prefix + codec.Before(start); len(start) > room {
			start = start[:room]
			sp.after = s.prefix + start
		}
	}
	if r.End != "" {
		end := codec.Name(r.End)
		if len(end) > room {
			end = end[:room] + "\x00"
		}
		sp.end = s.prefix + end
		n := 0
		for n < min(len(start), len(end)) && start[n] == end[n] {
			n++
		}
		if n > 0 { // every name between the two begins with what they have in common
			sp.prefix = s.prefix + start[:n]
		}
	}
	return sp
}

// named is an object of a key.
type named struct {
	key string
	object.Info
}

// batch is how many names are listed at once, at most, and longestPage how many are in a page.
const (
	batch       = 1000
	longestPage = 10 * batch
)

// names returns the first objects of keys with a value in a span, at most limit, and whether there
// may be more.
func (s *Store) names(ctx context.Context, sp span, limit int) (list []named, more bool, err error) {
	for {
		if sp.end != "" && sp.after >= sp.end {
			return list, false, nil
		}
		page, err := s.b.List(ctx, object.Query{Prefix: sp.prefix, After: sp.after, Limit: min(limit-len(list), batch)})
		if err != nil {
			return nil, false, err
		}
		for _, i := range page.Objects {
			if sp.end != "" && i.Key >= sp.end {
				return list, false, nil
			}
			sp.after = i.Key
			key, ok := s.keyOf(i.Key)
			if !ok {
				continue // no name of a key: Check tells
			}
			dead, err := s.isTombstone(ctx, i)
			if err != nil {
				return nil, false, err
			}
			if !dead {
				list = append(list, named{key, i})
			}
		}
		if !page.More || len(list) == limit {
			return list, page.More, nil
		}
	}
}

// isTombstone reports whether a listed object is a tombstone. On a server whose ETags are no MD5 it
// has to ask.
func (s *Store) isTombstone(ctx context.Context, i object.Info) (bool, error) {
	if i.Size != tombstoneLen {
		return false, nil
	}
	if i.ETag == tombstoneTag {
		return true, nil
	}
	now, err := s.b.Head(ctx, i.Key)
	if errors.Is(err, object.ErrNotFound) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	h, err := codec.ParseHeader(now.Header)
	return err == nil && h.Kind == codec.Tombstone, nil
}

// page returns the names of a query's page, in its order.
func (s *Store) page(ctx context.Context, q engine.Query) (list []named, more bool, err error) {
	if err := s.ready(ctx); err != nil {
		return nil, false, err
	}
	if q.Limit < 1 {
		return nil, false, fmt.Errorf("limit %d of a page: want at least 1: %w", q.Limit, engine.ErrInvalid)
	}
	if q.Range.Empty() {
		return nil, false, nil
	}
	limit := min(q.Limit, longestPage)
	if q.Reverse {
		list, more, err = s.lastNames(ctx, s.spanOf(q.Range), limit)
	} else {
		list, more, err = s.names(ctx, s.spanOf(q.Range), limit)
	}
	return list, more, s.explain(ctx, err)
}

// AppendKeys lists keys alone, at a request for 1,000 keys.
func (s *Store) AppendKeys(ctx context.Context, dst []string, q engine.Query) ([]string, bool, error) {
	list, more, err := s.page(ctx, q)
	if err != nil {
		return nil, false, err
	}
	for _, n := range list {
		dst = append(dst, n.key)
	}
	return dst, more, nil
}

// Count lists all keys in r.
func (s *Store) Count(ctx context.Context, r engine.Range) (n int64, err error) {
	for {
		list, more, err := s.page(ctx, engine.Query{Range: r, Limit: longestPage})
		if err != nil {
			return 0, err
		}
		n += int64(len(list))
		if !more {
			return n, nil
		}
		r = r.After(list[len(list)-1].key, false)
	}
}

// List returns a page of a query. It is no snapshot: a key that changes meanwhile is there as it is
// when its turn comes, or not at all. Besides the names each entry takes a request, but if q.Sizes
// for those whose objects are pointers or have a stamp, and one in 64 of the others.
func (s *Store) List(ctx context.Context, q engine.Query) (engine.Page, error) {
	list, more, err := s.page(ctx, q)
	if err != nil {
		return engine.Page{}, err
	}
	if q.Values {
		return s.valuesOf(ctx, q, list, more)
	}
	items := make([]engine.Item, len(list))
	there := make([]bool, len(list))
	err = s.each(ctx, len(list), func(ctx context.Context, i int) error {
		if q.Sizes && codec.Plain(list[i].Size) {
			items[i], there[i] = engine.Item{Entry: engine.Entry{Key: list[i].key, Size: list[i].Size}}, true
			return nil
		}
		x, err := s.look(ctx, list[i].key)
		if err != nil {
			return &engine.OpError{Key: list[i].key, Err: s.explain(ctx, err)}
		}
		items[i], there[i] = engine.Item{Entry: x.entry()}, x.exists()
		return nil
	})
	if err != nil {
		return engine.Page{}, err
	}
	return s.pageOf(ctx, q, items, there, more)
}

// pageOf leaves out what is not there any more. If that leaves nothing although there is more, it
// reads on.
func (s *Store) pageOf(ctx context.Context, q engine.Query, items []engine.Item, there []bool, more bool) (engine.Page, error) {
	p := engine.Page{More: more}
	for i, it := range items {
		if there[i] {
			p.Items = append(p.Items, it)
		}
	}
	if len(p.Items) == 0 && more && len(items) > 0 {
		if q.Range = q.After(items[len(items)-1].Key, q.Reverse); !q.Empty() {
			return s.List(ctx, q)
		}
	}
	return p, nil
}

// valuesOf reads the values of a page, as many as its bound of bytes lets. It reads some at once,
// of which the listed sizes are within the bound.
func (s *Store) valuesOf(ctx context.Context, q engine.Query, list []named, more bool) (engine.Page, error) {
	v := values{s: s, left: q.MaxBytes, bounded: q.MaxBytes > 0}
	for len(list) > 0 {
		n, size := 0, int64(0)
		for n < min(len(list), s.o.Parallel) && (!v.bounded || n == 0 || size+least(list[n].Size) <= v.left) {
			size += least(list[n].Size)
			n++
		}
		full, err := v.read(ctx, list[:n])
		if err != nil {
			return engine.Page{}, err
		}
		if full {
			return engine.Page{Items: v.items, More: true}, nil
		}
		last := list[n-1].key
		if list = list[n:]; len(list) == 0 && len(v.items) == 0 && more { // all are gone meanwhile
			if q.Range = q.After(last, q.Reverse); !q.Empty() {
				return s.List(ctx, q)
			}
		}
	}
	return engine.Page{Items: v.items, More: more}, nil
}

// least is how long the value of an object of that size is at least, and at most a stamp more if it
// is no pointer.
func least(size int64) int64 {
	if size > shortObject {
		return size - codec.MaxStamp
	}
	return 0
}

// shortObject is the size up to which an object may be a pointer to a long value.
const shortObject = 1 << 10

// values are those of a page.
type values struct {
	s       *Store
	items   []engine.Item
	left    int64 // bytes, if bounded
	bounded bool
}

// read adds some values, and reports whether the next would be too many.
func (v *values) read(ctx context.Context, list []named) (full bool, err error) {
	type read struct {
		x     *state
		value []byte
		err   error
	}
	got := make([]read, len(list))
	if err := v.s.each(ctx, len(list), func(ctx context.Context, i int) error {
		r, most := &got[i], int64(-1)
		if v.bounded {
			most = max(0, v.left)         // negative would be no bound
			if least(list[i].Size) == 0 { // a long value behind a pointer waits until it is sure to fit
				most = min(most, shortObject)
			}
		}
		r.x, r.value, r.err = v.s.fetch(ctx, list[i].key, nil, most)
		return nil
	}); err != nil {
		return false, err
	}
	for i, r := range got {
		first := len(v.items) == 0
		if r.err == nil && r.x.exists() && v.bounded && r.x.size > v.left && !first {
			return true, nil
		}
		if r.err == nil && r.x.exists() && r.x.size > 0 && r.value == nil {
			most := v.left
			if first { // a page has one item at least, however long it is
				most = -1
			}
			if r.x, r.value, r.err = v.s.fetch(ctx, list[i].key, nil, most); r.err == nil && r.x.size > 0 && r.x.exists() && r.value == nil {
				return true, nil
			}
		}
		switch {
		case r.err != nil && first:
			return false, &engine.OpError{Key: list[i].key, Err: v.s.explain(ctx, r.err)}
		case r.err != nil:
			return true, nil
		case !r.x.exists():
			continue
		}
		if r.value == nil {
			r.value = []byte{}
		}
		v.items = append(v.items, engine.Item{Entry: r.x.entry(), Value: r.value})
		v.left -= r.x.size
	}
	return false, nil
}

// each calls fn with the numbers below n, many at once, until one fails or ctx ends.
func (s *Store) each(ctx context.Context, n int, fn func(ctx context.Context, i int) error) error {
	outer := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	next := make(chan int)
	var all sync.WaitGroup
	var once sync.Once
	var first error
	for range min(s.o.Parallel, n) {
		all.Go(func() {
			for i := range next {
				if err := fn(ctx, i); err != nil {
					once.Do(func() { first = err })
					cancel()
				}
			}
		})
	}
	for i := range n {
		select {
		case next <- i:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	all.Wait()
	if err := engine.ContextErr(outer); err != nil {
		return err
	}
	return first
}
