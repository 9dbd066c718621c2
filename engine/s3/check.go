package s3

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/s3/internal/codec"
	"github.com/kohakuvault/kvault/engine/s3/internal/object"
)

// Check reads every value and compares it with its checksum, and then the columns. It reports
// objects below the vault's prefix whose names are those of no key.
func (s *Store) Check(ctx context.Context, report func(engine.Problem), progress func(done, total int64)) (err error) {
	if err := s.ready(ctx); err != nil {
		return err
	}
	defer func() { err = s.explain(ctx, err) }()
	var mu sync.Mutex
	tell := func(p engine.Problem) {
		mu.Lock()
		defer mu.Unlock()
		report(p)
	}
	done, total := int64(0), int64(0)
	if progress != nil {
		var err error
		if total, err = s.Count(ctx, engine.Range{}); err != nil {
			return err
		}
	}
	q := object.Query{Prefix: s.prefix + string(codec.Mark), Limit: batch}
	for more := true; more; {
		p, err := s.b.List(ctx, q)
		if err != nil {
			return err
		}
		err = s.each(ctx, len(p.Objects), func(ctx context.Context, i int) error {
			return s.checkObject(ctx, p.Objects[i], tell)
		})
		if err != nil {
			return err
		}
		if done += int64(len(p.Objects)); progress != nil {
			progress(min(done, total), total) // tombstones count among the objects, and not in total
		}
		if more = p.More; more {
			q.After = p.Objects[len(p.Objects)-1].Key
		}
	}
	if progress != nil {
		progress(total, total)
	}
	return s.columns.Check(ctx, func(err error) error {
		report(engine.Problem{Err: err})
		return nil
	})
}

func (s *Store) checkObject(ctx context.Context, i object.Info, report func(engine.Problem)) error {
	key, ok := s.keyOf(i.Key)
	if !ok {
		report(engine.Problem{Err: fmt.Errorf("object %q has the name of no key; another program put it there, and only that can remove it", i.Key)})
		return nil
	}
	x, err := s.look(ctx, key)
	if err == nil && !x.exists() {
		return nil
	}
	if err == nil {
		err = x.damaged
	}
	if err == nil {
		err = s.checkValue(ctx, x)
	}
	switch {
	case err == nil, errors.Is(err, errReplaced), errors.Is(err, engine.ErrTagMismatch):
		return nil // another version by now, which was written after the check began
	case errors.Is(err, engine.ErrCorrupt), errors.Is(err, engine.ErrUnsupported):
		report(engine.Problem{Key: key, Err: err})
		return nil
	}
	return err
}

// checkValue reads a value in pieces.
func (s *Store) checkValue(ctx context.Context, x *state) error {
	if err := s.follow(ctx, x); err != nil {
		return err
	}
	b := s.newBlob(x)
	defer b.Close()
	buf := make([]byte, min(x.size+1, 1<<20))
	if x.pointer() && !x.large() {
		return s.verify(x, x.target.Inline)
	}
	for off := int64(0); off < x.size; {
		n, err := b.ReadOn(ctx, buf, off)
		off += int64(n)
		if err != nil && off < x.size {
			return err
		}
	}
	return nil
}

// Stats describes the vault. It counts keys by listing them.
func (s *Store) Stats(ctx context.Context) (engine.Stats, error) {
	n, err := s.Count(ctx, engine.Range{})
	if err != nil {
		return engine.Stats{}, err
	}
	detail := map[string]string{
		"keys":                          strconv.FormatInt(n, 10),
		"part size of values, in bytes": strconv.Itoa(s.o.PartSize),
	}
	if !s.o.ReadOnly { // or it has not found out
		can := s.b.Abilities()
		detail["deletes if the ETag matches"] = strconv.FormatBool(can.DeleteIfMatch)
		detail["deletes if unmodified since"] = strconv.FormatBool(can.DeleteIfUnmodified)
	}
	return engine.Stats{Engine: "S3", Location: s.b.Location(), Staged: s.staged.Load(), Detail: detail}, nil
}
