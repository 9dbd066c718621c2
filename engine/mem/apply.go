package mem

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/ncruces/wbt"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// batch carries out ops on a tree of its own.
type batch struct {
	store  *Store
	tx     *tx // that the batch belongs to, or nil
	tree   *tree
	stages []*stage // that it used up

	uploads *uploadTree
}

func (b *batch) apply(ops []engine.Op) ([]engine.Result, error) {
	results := make([]engine.Result, len(ops))
	for i := range ops {
		if err := b.perform(&ops[i], &results[i]); err != nil {
			return nil, &engine.OpError{Index: i, Key: ops[i].Key, Err: err}
		}
	}
	return results, nil
}

// settle marks the stages as used, once the batch has taken effect.
func (b *batch) settle() {
	for _, st := range b.stages {
		st.end()
	}
}

func (b *batch) perform(op *engine.Op, res *engine.Result) error {
	if err := op.Check(); err != nil {
		return err
	}
	if op.Kind == engine.DeleteRange {
		res.Removed = b.deleteRange(op.Range)
		return nil
	}
	old, _ := b.tree.Get(op.Key)
	if err := check(op.If, old); err != nil {
		return err
	}
	switch op.Kind {
	case engine.Put:
		return b.put(op, old, res)
	case engine.Delete:
		b.delete(op, old, res)
		return nil
	case engine.SetMeta:
		return b.setMeta(op, old, res)
	default:
		return b.copy(op, old, res)
	}
}

// check fails unless cond holds for rec, which is nil if the key is missing.
func check(cond engine.Condition, rec *record) error {
	switch {
	case cond.Absent && rec != nil:
		return engine.ErrExists
	case cond.Tag == "":
		return nil
	case rec == nil:
		return engine.ErrNotFound
	case rec.meta.Tag != cond.Tag:
		return fmt.Errorf("%w: it is %s, not %s", engine.ErrTagMismatch, rec.meta.Tag, cond.Tag)
	}
	return nil
}

func (b *batch) put(op *engine.Op, old *record, res *engine.Result) error {
	rec := &record{meta: op.Meta}
	switch {
	case op.Staged != nil:
		st, err := b.take(op.Staged)
		if err != nil {
			return err
		}
		rec.data, rec.meta.Sum = st.data[:len(st.data):len(st.data)], st.sum
	case op.Upload != nil:
		data, err := b.takeUpload(op.Upload)
		if err != nil {
			return err
		}
		rec.data, rec.meta.Sum = data, crc32.Checksum(data, castagnoli)
	default:
		rec.data = append([]byte{}, op.Value...)
		rec.meta.Sum = crc32.Checksum(rec.data, castagnoli)
	}
	complete(&rec.meta)
	b.tree = b.tree.Put(op.Key, rec)
	res.Found, res.Entry = old != nil, rec.entry(op.Key)
	return nil
}

// complete gives a value that came without a version one of its own, and cuts the caller's ties to
// its metadata.
func complete(m *engine.Meta) {
	m.HasSum = true
	if m.Tag == "" {
		m.Tag = fmt.Sprintf("%016x", rand.Uint64())
	}
	if m.ModTime.IsZero() {
		m.ModTime = time.Now()
	}
	m.ModTime = m.ModTime.Round(0).UTC()
	if m.User = maps.Clone(m.User); len(m.User) == 0 {
		m.User = nil
	}
}

// take uses up a stage, which is to be settled with the batch.
func (b *batch) take(s engine.Stage) (*stage, error) {
	st, ok := s.(*stage)
	if !ok || st.store != b.store || st.tx != nil && st.tx != b.tx {
		return nil, fmt.Errorf("the stage belongs to another store or transaction: %w", engine.ErrInvalid)
	}
	if st.ended || slices.Contains(b.stages, st) {
		return nil, fmt.Errorf("the stage has ended: %w", engine.ErrInvalid)
	}
	b.stages = append(b.stages, st)
	return st, nil
}

func (b *batch) delete(op *engine.Op, old *record, res *engine.Result) {
	if old == nil {
		return
	}
	res.Found = true
	if op.Take {
		res.Entry, res.Value = old.entry(op.Key), bytes.Clone(old.data)
	}
	b.tree = b.tree.Delete(op.Key)
}

func (b *batch) deleteRange(r engine.Range) int64 {
	if r.Empty() {
		return 0
	}
	before := b.tree.Len()
	head, _, tail := b.tree.Split(r.Start)
	if r.End != "" {
		_, last, rest := tail.Split(r.End)
		if last != nil {
			rest = rest.Put(r.End, last.Value())
		}
		head = wbt.Union(head, rest)
	}
	b.tree = head
	return int64(before - b.tree.Len())
}

// copy carries out a Copy or a Rename.
func (b *batch) copy(op *engine.Op, old *record, res *engine.Result) error {
	if old == nil {
		return engine.ErrNotFound
	}
	if res.Found = b.tree.Has(op.To); res.Found && op.ToAbsent {
		return engine.ErrExists
	}
	rec := old
	switch {
	case op.Key == op.To:
	case op.Kind == engine.Rename:
		b.tree = b.tree.Delete(op.Key)
	default:
		rec = &record{meta: old.meta, data: old.data}
		rec.meta.Tag = op.Meta.Tag
		complete(&rec.meta)
	}
	b.tree = b.tree.Put(op.To, rec)
	res.Entry = rec.entry(op.To)
	return nil
}

func (b *batch) setMeta(op *engine.Op, old *record, res *engine.Result) error {
	if old == nil {
		return engine.ErrNotFound
	}
	rec := &record{meta: op.NewMeta(old.meta), data: old.data}
	complete(&rec.meta)
	b.tree = b.tree.Put(op.Key, rec)
	res.Found, res.Entry = true, rec.entry(op.Key)
	return nil
}
