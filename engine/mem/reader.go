package mem

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"maps"

	"github.com/kohakuvault/kvault/engine"
)

// reader is the reading half that a store and its transactions share.
type reader struct {
	current func() (*tree, error) // the state to read, unless reading is over
	alive   func() error
}

func (r reader) at(ctx context.Context) (*tree, error) {
	t, err := r.current()
	if err != nil {
		return nil, err
	}
	return t, ctx.Err()
}

func (r reader) find(ctx context.Context, key string) (*record, error) {
	t, err := r.at(ctx)
	if err != nil {
		return nil, err
	}
	if err := engine.CheckKey(key); err != nil {
		return nil, err
	}
	rec, ok := t.Get(key)
	if !ok {
		return nil, engine.ErrNotFound
	}
	return rec, nil
}

// Get returns a copy of the value of key.
func (r reader) Get(ctx context.Context, key string) ([]byte, error) {
	rec, err := r.find(ctx, key)
	if err != nil {
		return nil, err
	}
	return bytes.Clone(rec.data), nil
}

// Stat describes key.
func (r reader) Stat(ctx context.Context, key string) (engine.Entry, error) {
	rec, err := r.find(ctx, key)
	if err != nil {
		return engine.Entry{}, err
	}
	return rec.entry(key), nil
}

// Open returns the present version of the value of key.
func (r reader) Open(ctx context.Context, key string) (engine.Blob, error) {
	rec, err := r.find(ctx, key)
	if err != nil {
		return nil, err
	}
	return &blob{key: key, rec: rec, alive: r.alive}, nil
}

// Count returns how many keys lie in rng.
func (r reader) Count(ctx context.Context, rng engine.Range) (int64, error) {
	t, err := r.at(ctx)
	if err != nil || rng.Empty() {
		return 0, err
	}
	end := t.Len()
	if rng.End != "" {
		end = t.Rank(rng.End)
	}
	return int64(end - t.Rank(rng.Start)), nil
}

// List returns the first page of a query.
func (r reader) List(ctx context.Context, q engine.Query) (engine.Page, error) {
	t, err := r.at(ctx)
	if err != nil {
		return engine.Page{}, err
	}
	if q.Limit < 1 {
		return engine.Page{}, fmt.Errorf("limit %d: want at least 1: %w", q.Limit, engine.ErrInvalid)
	}
	var page engine.Page
	var size int64
	for key, rec := range walk(t, q) {
		n := len(page.Items)
		if size += int64(len(rec.data)); n == q.Limit || n > 0 && q.Values && q.MaxBytes > 0 && size > q.MaxBytes {
			page.More = true
			break
		}
		it := engine.Item{Entry: rec.entry(key)}
		if q.Values {
			it.Value = bytes.Clone(rec.data)
		}
		page.Items = append(page.Items, it)
	}
	return page, nil
}

// walk visits the range of q in its order.
func walk(t *tree, q engine.Query) iter.Seq2[string, *record] {
	seq := t.AscendCeil(q.Start)
	if q.Reverse && q.End == "" {
		seq = t.Descend()
	} else if q.Reverse {
		seq = t.DescendFloor(q.End)
	}
	return func(yield func(string, *record) bool) {
		for key, rec := range seq {
			if q.Reverse && key == q.End {
				continue // where the walk begins, but not in the range
			}
			if !q.Contains(key) || !yield(key, rec) {
				return
			}
		}
	}
}

// entry describes the record under key. The caller may change what it gets.
func (rec *record) entry(key string) engine.Entry {
	e := engine.Entry{Key: key, Size: int64(len(rec.data)), Meta: rec.meta}
	e.Meta.User = maps.Clone(rec.meta.User)
	return e
}
