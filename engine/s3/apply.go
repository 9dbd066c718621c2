package s3

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/s3/internal/codec"
)

// Apply makes one change. Every change is one conditional write of the key's object, but for Rename,
// DeleteRange and values above Options.PartSize.
func (s *Store) Apply(ctx context.Context, ops []engine.Op) ([]engine.Result, error) {
	if err := s.writable(ctx); err != nil {
		return nil, err
	}
	if err := engine.CheckSingle(ops); err != nil {
		return nil, err
	}
	results := make([]engine.Result, len(ops))
	for i := range ops {
		if err := s.explain(ctx, s.perform(ctx, &ops[i], &results[i])); err != nil {
			return nil, &engine.OpError{Index: i, Key: ops[i].Key, Err: err}
		}
	}
	return results, nil
}

// explain says what an error of this package means to others.
func (s *Store) explain(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return engine.ContextErr(ctx)
	case errors.Is(err, errReplaced), errors.Is(err, errLost):
		return fmt.Errorf("others change the key all the time: %w", engine.ErrConflict)
	case s.closed.Load() && !errors.Is(err, engine.ErrClosed):
		return fmt.Errorf("%w: %w", engine.ErrClosed, err)
	}
	return err
}

// ApplyEach makes each change by itself, Options.Parallel at once.
func (s *Store) ApplyEach(ctx context.Context, ops []engine.Op) ([]engine.Result, []error) {
	results, errs := make([]engine.Result, len(ops)), make([]error, len(ops))
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(s.o.Parallel, len(ops)) {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(ops)); i = next.Add(1) - 1 {
				if errs[i] = s.writable(ctx); errs[i] == nil {
					errs[i] = s.explain(ctx, s.perform(ctx, &ops[i], &results[i]))
				}
				if errs[i] != nil {
					results[i] = engine.Result{}
				}
			}
		})
	}
	all.Wait()
	return results, errs
}

func (s *Store) perform(ctx context.Context, op *engine.Op, res *engine.Result) (err error) {
	if err := op.Check(); err != nil {
		return err
	}
	switch op.Kind {
	case engine.DeleteRange:
		res.Removed, err = s.deleteRange(ctx, op.Range)
		return err
	case engine.Put:
		if err := codec.CheckName(s.prefix, op.Key); err != nil {
			return err
		}
		if n := len(op.Meta.Tag); n > maxTag {
			return fmt.Errorf("tag of %d bytes, the limit is %d: %w", n, maxTag, engine.ErrTooLarge)
		}
		return s.put(ctx, op, res)
	}
	if codec.CheckName(s.prefix, op.Key) != nil { // no object has such a name
		if op.Kind == engine.Delete && op.If.Tag == "" {
			return nil
		}
		return engine.ErrNotFound
	}
	switch op.Kind {
	case engine.Delete:
		return s.delete(ctx, op, res)
	case engine.SetMeta:
		return s.setMeta(ctx, op, res)
	case engine.Rename:
		return s.rename(ctx, op, res)
	default:
		return s.copy(ctx, op, res)
	}
}

// maxTag is the length in bytes of the longest tag: it has to fit beside an object.
const maxTag = 256

// complete is the metadata of a new version.
func complete(m engine.Meta, sum uint32) engine.Meta {
	m.Sum, m.HasSum = sum, true
	if m.Tag == "" {
		m.Tag = newTag()
	}
	if m.ModTime.IsZero() {
		m.ModTime = time.Now()
	}
	m.ModTime = m.ModTime.Round(0).UTC()
	if m.User = maps.Clone(m.User); len(m.User) == 0 {
		m.User = nil
	}
	return m
}

func (s *Store) put(ctx context.Context, op *engine.Op, res *engine.Result) error {
	if op.Upload != nil {
		return engine.ErrUnsupported
	}
	guess := op.If.Tag == ""
	if op.Staged != nil {
		st, ok := op.Staged.(*stage)
		if !ok || st.s != s {
			return engine.ErrInvalid
		}
		release, err := st.take(ctx)
		if err != nil {
			return err
		}
		stored := false
		defer func() { release(stored) }()
		m := complete(op.Meta, st.sum)
		err = s.store(ctx, op, res, guess && st.small(), func() (image, error) { return st.image(ctx, op.Key, m) })
		stored = err == nil
		return err
	}
	m := complete(op.Meta, sumOf(op.Value))
	if len(op.Value) <= s.o.PartSize {
		build := func() (image, error) { return valueImage(m, op.Value), nil }
		return s.store(ctx, op, res, guess && len(op.Value) <= optimistic, build)
	}
	return s.store(ctx, op, res, false, func() (image, error) { return s.upload(ctx, op.Key, op.Value, m) })
}

// store writes what build makes, if the condition of op holds. build is called once at most.
func (s *Store) store(ctx context.Context, op *engine.Op, res *engine.Result, guess bool, build func() (image, error)) error {
	var made *image
	before, after, err := s.replace(ctx, op.Key, guess, func(now *state) (*image, error) {
		if err := now.check(op.If); err != nil {
			return nil, err
		}
		if made == nil {
			i, err := build()
			if err != nil {
				return nil, err
			}
			made = &i
		}
		return made, nil
	})
	if err != nil {
		return err
	}
	res.Found, res.Entry = before.exists(), after.entry()
	return nil
}

// delete writes a tombstone, whose ETag the next writer names: so no value that came meanwhile is
// deleted.
func (s *Store) delete(ctx context.Context, op *engine.Op, res *engine.Result) error {
	var value []byte
	before, after, err := s.replace(ctx, op.Key, false, func(now *state) (*image, error) {
		if err := now.check(op.If); err != nil || !now.exists() {
			return nil, err
		}
		if op.Take {
			taken, content, err := s.fetch(ctx, op.Key, nil, -1)
			if err != nil {
				return nil, err
			}
			if !taken.exists() {
				return nil, now.check(op.If)
			}
			if err := taken.check(op.If); err != nil {
				return nil, err
			}
			if value = content; value == nil {
				value = []byte{}
			}
			*now = *taken
		}
		i := tombstoneImage(true)
		return &i, nil
	})
	if err != nil || after == nil {
		return err
	}
	res.Found = true
	if op.Take {
		res.Entry, res.Value = before.entry(), value
	}
	return nil
}

// deleteRange deletes key by key. What it deleted before an error stays deleted.
func (s *Store) deleteRange(ctx context.Context, r engine.Range) (removed int64, err error) {
	var n atomic.Int64
	for {
		list, more, err := s.page(ctx, engine.Query{Range: r, Limit: batch})
		if err != nil {
			return n.Load(), err
		}
		err = s.each(ctx, len(list), func(ctx context.Context, i int) error {
			var res engine.Result
			err := s.delete(ctx, &engine.Op{Kind: engine.Delete, Key: list[i].key}, &res)
			if res.Found {
				n.Add(1)
			}
			return err
		})
		if err != nil || !more {
			return n.Load(), err
		}
		r = r.After(list[len(list)-1].key, false)
	}
}
