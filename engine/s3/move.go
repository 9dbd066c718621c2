package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/s3/internal/codec"
	"github.com/kohakuvault/kvault/engine/s3/internal/object"
)

// source is a version that is to be stored again, elsewhere or with other metadata.
type source struct {
	x     *state
	value []byte    // unless it is in data objects
	read  time.Time // when the version was surely there
}

// source reads the version of key that a condition asks for, but not what is in data objects.
func (s *Store) source(ctx context.Context, key string, c engine.Condition) (*source, error) {
	for tries := 0; ; tries++ {
		began := time.Now()
		x, err := s.found(ctx, key)
		if err == nil {
			err = x.check(c)
		}
		if err == nil && x.pointer() {
			err = s.follow(ctx, x)
		}
		src := &source{x: x, read: began}
		switch {
		case err != nil || x.large():
		case x.pointer():
			src.value = x.target.Inline
		case x.size > int64(s.o.PartSize) && !x.own:
			err = s.absorb(ctx, src)
		default:
			src.value = make([]byte, x.size)
			if x.size > 0 {
				_, err = s.readObject(ctx, s.nameOf(key), src.value, object.Range{Length: x.size, IfMatch: x.etag})
			}
		}
		if err == nil && !x.large() {
			err = s.verify(x, src.value)
		}
		switch {
		case errors.Is(err, errReplaced), errors.Is(err, object.ErrPrecondition), errors.Is(err, object.ErrNotFound):
			if tries < maxReplaced {
				continue
			}
			return nil, errReplaced
		case err != nil:
			return nil, err
		}
		return src, nil
	}
}

// absorb copies what another program stored as one long object into data objects.
func (s *Store) absorb(ctx context.Context, src *source) error {
	_, body, err := s.b.Get(ctx, s.nameOf(src.x.key), object.Range{Length: -1, IfMatch: src.x.etag})
	if err != nil {
		return err
	}
	defer body.Close()
	st := s.newStage(engine.StageOptions{ChunkSize: absorbed, Size: src.x.size})
	defer func() { _ = st.discard() }() // nothing, once it is finished
	buf := make([]byte, absorbed)
	for st.size < src.x.size {
		n := min(absorbed, src.x.size-st.size)
		if _, err := io.ReadFull(body, buf[:n]); err != nil {
			return err
		}
		if err := st.WriteChunk(ctx, buf[:n]); err != nil {
			return err
		}
	}
	if err := st.finish(ctx); err != nil {
		return err
	}
	src.x.target = &codec.Target{Data: st.data}
	src.x.header.Meta.Sum, src.x.header.Meta.HasSum = st.sum, true
	src.read = time.Now()
	return nil
}

// absorbed is how much of another program's object is read at once.
const absorbed = 1 << 20

// imageOf is the object that has the source's value at key, with other metadata. A pointer leads to
// the same data. It is made at once, or the data may be gone: then it fails with errReplaced.
func (s *Store) imageOf(ctx context.Context, src *source, key string, m engine.Meta) (image, error) {
	if !src.x.large() {
		return valueImage(m, src.value), nil
	}
	if since(src.read) > s.o.Grace/4 {
		return image{}, errReplaced
	}
	named := time.Now()
	if err := s.refer(ctx, key, src.x.target.Data); err != nil {
		return image{}, err
	}
	i := pointerImage(m, src.x.size, src.x.target)
	i.named = named
	return i, nil
}

// refer notes that key will name data objects, before it does, and makes sure that they are there.
func (s *Store) refer(ctx context.Context, key string, data []codec.Data) error {
	return s.each(ctx, len(data), func(ctx context.Context, i int) error {
		err := s.repeat(ctx, s.refName(data[i].Name, key), reference(s.nameOf(key), false))
		if err != nil {
			return err
		}
		if _, err = s.b.Head(ctx, s.dataName(data[i].Name)); errors.Is(err, object.ErrNotFound) {
			return errReplaced // a sweep was faster: the source is gone
		}
		return err
	})
}

// metaOfCopy is the metadata of a copy. What another program's object lacks it gets as from a put.
func (src *source) metaOfCopy(tag string) engine.Meta {
	m := src.x.header.Meta
	m.Tag = tag
	if m.HasSum {
		return complete(m, m.Sum)
	}
	return complete(m, sumOf(src.value))
}

func (s *Store) copy(ctx context.Context, op *engine.Op, res *engine.Result) error {
	if err := codec.CheckName(s.prefix, op.To); err != nil {
		return err
	}
	for tries := 0; ; tries++ {
		src, err := s.source(ctx, op.Key, op.If)
		if err != nil {
			return err
		}
		if op.Key == op.To {
			return s.toItself(src, op, res)
		}
		err = s.storeAt(ctx, op, src, src.metaOfCopy(op.Meta.Tag), res)
		if errors.Is(err, errReplaced) && tries < maxReplaced {
			continue
		}
		return err
	}
}

// toItself is Rename or Copy from a key to the same.
func (s *Store) toItself(src *source, op *engine.Op, res *engine.Result) error {
	if op.ToAbsent {
		return engine.ErrExists
	}
	res.Found, res.Entry = true, src.x.entry()
	return nil
}

// storeAt stores a source at op.To.
func (s *Store) storeAt(ctx context.Context, op *engine.Op, src *source, m engine.Meta, res *engine.Result) error {
	to := &engine.Op{Kind: engine.Put, Key: op.To, If: engine.Condition{Absent: op.ToAbsent}}
	return s.store(ctx, to, res, op.ToAbsent, func() (image, error) { return s.imageOf(ctx, src, op.To, m) })
}

// rename stores the version at To, and then deletes it at Key. If another version is at Key by
// then, it begins again with that; if none is, it takes back what it stored, and Key is not found.
// If it fails between, both keys may have the value.
func (s *Store) rename(ctx context.Context, op *engine.Op, res *engine.Result) error {
	if err := codec.CheckName(s.prefix, op.To); err != nil {
		return err
	}
	var m move
	for tries := 0; ; tries++ {
		src, err := s.source(ctx, op.Key, op.If)
		if err != nil {
			return errors.Join(err, s.takeBack(ctx, op.To, &m))
		}
		if op.Key == op.To {
			return s.toItself(src, op, res)
		}
		if err = s.moveTo(ctx, op, src, &m); err == nil {
			_, err = s.write(ctx, src.x, tombstoneImage(true))
		}
		switch {
		case err == nil:
			res.Found, res.Entry = m.old != nil, m.stored.entry()
			return nil
		case !errors.Is(err, errLost) && !errors.Is(err, errReplaced):
			return err
		}
		if err := again(ctx, tries); err != nil {
			return errors.Join(err, s.takeBack(ctx, op.To, &m))
		}
	}
}

// move is what a rename has done at To: what it stored, and what was there before.
type move struct {
	stored *state
	old    *source
}

// moveTo stores src at op.To.
func (s *Store) moveTo(ctx context.Context, op *engine.Op, src *source, m *move) error {
	to, err := s.look(ctx, op.To)
	if err != nil {
		return err
	}
	if m.stored == nil || to.header.Write != m.stored.header.Write {
		if *m = (move{}); to.exists() {
			if op.ToAbsent {
				return engine.ErrExists
			}
			if m.old, err = s.source(ctx, op.To, engine.Condition{}); errors.Is(err, engine.ErrNotFound) {
				return errLost
			} else if err != nil {
				return err
			}
			to = m.old.x
		}
	}
	i, err := s.imageOf(ctx, src, op.To, src.x.header.Meta)
	if err != nil {
		return err
	}
	stored, err := s.write(ctx, to, i)
	if err != nil {
		return err
	}
	if m.stored = stored; m.old != nil && to == m.old.x {
		m.old.read = time.Now() // it was there until now
	}
	return nil
}

// takeBack puts what was at To back there, unless another writer has changed it since.
func (s *Store) takeBack(ctx context.Context, to string, m *move) error {
	if m.stored == nil {
		return nil
	}
	i := tombstoneImage(true)
	if m.old != nil {
		var err error
		if i, err = s.imageOf(ctx, m.old, to, m.old.x.header.Meta); errors.Is(err, errReplaced) {
			return fmt.Errorf("the rename was given up, but %q keeps its value: %w", to, engine.ErrUnknown)
		} else if err != nil {
			return err
		}
	}
	_, err := s.write(ctx, m.stored, i)
	if errors.Is(err, errLost) {
		return nil
	}
	return err
}

func (s *Store) setMeta(ctx context.Context, op *engine.Op, res *engine.Result) error {
	for tries := 0; ; tries++ {
		src, err := s.source(ctx, op.Key, op.If)
		if err != nil {
			return err
		}
		m := op.NewMeta(src.x.header.Meta)
		sum := m.Sum
		if !m.HasSum {
			sum = sumOf(src.value)
		}
		i, err := s.imageOf(ctx, src, op.Key, complete(m, sum))
		if err == nil {
			var after *state
			if after, err = s.write(ctx, src.x, i); err == nil {
				res.Found, res.Entry = true, after.entry()
				return nil
			}
		}
		if !errors.Is(err, errLost) && !errors.Is(err, errReplaced) {
			return err
		}
		if err := again(ctx, tries); err != nil {
			return err
		}
	}
}
