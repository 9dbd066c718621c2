package enginetest

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
)

func modelTests() []storeTest {
	return []storeTest{{"RandomModel", testModel}}
}

// version is what the model knows of a value.
type version struct{ value, tag string }

type model map[string]version

// expected is what one op should do.
type expected struct {
	found   bool
	taken   string
	removed int64
	entry   string // the key of Result.Entry, or empty
	size    int
}

// perform does to the model what op should do to the store.
func (m model) perform(op engine.Op, value string) (expected, error) {
	if op.Kind == engine.DeleteRange {
		before := len(m)
		maps.DeleteFunc(m, func(key string, _ version) bool { return op.Range.Contains(key) })
		return expected{removed: int64(before - len(m))}, nil
	}
	old, found := m[op.Key]
	switch {
	case op.If.Absent && found:
		return expected{}, engine.ErrExists
	case op.If.Tag != "" && !found:
		return expected{}, engine.ErrNotFound
	case op.If.Tag != "" && op.If.Tag != old.tag:
		return expected{}, engine.ErrTagMismatch
	}
	switch op.Kind {
	case engine.Put:
		m[op.Key] = version{value, op.Meta.Tag}
		return expected{found: found, entry: op.Key, size: len(value)}, nil
	case engine.Delete:
		delete(m, op.Key)
		if found && op.Take {
			return expected{found: true, taken: old.value, entry: op.Key, size: len(old.value)}, nil
		}
		return expected{found: found}, nil
	}
	_, there := m[op.To]
	switch {
	case !found:
		return expected{}, engine.ErrNotFound
	case op.Kind == engine.SetMeta:
		m[op.Key] = version{old.value, op.Meta.Tag}
		return expected{found: true, entry: op.Key, size: len(old.value)}, nil
	case there && op.ToAbsent:
		return expected{}, engine.ErrExists
	case op.Kind == engine.Copy && op.Key != op.To:
		m[op.To] = version{old.value, op.Meta.Tag}
		return expected{found: there, entry: op.To, size: len(old.value)}, nil
	}
	delete(m, op.Key)
	m[op.To] = old
	return expected{found: there, entry: op.To, size: len(old.value)}, nil
}

// modelRun does the same random things to a store and to a model of it.
type modelRun struct {
	t   *testing.T
	rng *rand.Rand
	s   engine.Store
	m   model
}

// testModel logs its seed; the steps follow from it.
func testModel(t *testing.T, s engine.Store) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	run := &modelRun{t: t, rng: rand.New(rand.NewPCG(seed, 0)), s: s, m: model{}}
	x, transactions := s.(engine.Transactor)
	for range 500 {
		if transactions && run.rng.IntN(5) == 0 {
			run.transaction(x)
		} else if e, ok := s.(engine.EachApplier); ok && run.rng.IntN(5) == 0 {
			run.each(e)
		} else {
			run.batch(s)
		}
		run.read(s)
		if t.Failed() {
			t.FailNow()
		}
	}
	run.compare(s)
}

func (r *modelRun) transaction(x engine.Transactor) {
	before := maps.Clone(r.m)
	tx := begin(r.t, x, true)
	for range r.rng.IntN(5) {
		r.batch(tx)
		r.read(tx)
	}
	r.compare(tx)
	if r.rng.IntN(3) == 0 {
		rollback(r.t, tx)
		r.m = before
	} else {
		commit(r.t, tx)
	}
}

var modelKeys = []string{"a", "a/b", "a/c", "a\x00", "a\xff", "b", "b/1", "b/2", "c", "\x00", "\xff", "\xff\xff"}

func (r *modelRun) key() string { return modelKeys[r.rng.IntN(len(modelKeys))] }

func (r *modelRun) value() string {
	n := r.rng.IntN(20)
	if r.rng.IntN(10) == 0 {
		n = r.rng.IntN(5000)
	}
	return strings.Repeat(string(rune('a'+r.rng.IntN(26))), n)
}

func (r *modelRun) rangeOf() engine.Range {
	switch r.rng.IntN(4) {
	case 0:
		return engine.Range{}
	case 1:
		return engine.PrefixRange(r.key())
	default:
		return engine.Range{Start: r.key(), End: r.key()}
	}
}

// op makes a random operation, and the value it puts.
func (r *modelRun) op(x target) (engine.Op, string) {
	op := engine.Op{Key: r.key(), Meta: newMeta()}
	switch n := r.rng.IntN(10); n {
	case 0, 1:
		op.Kind, op.Take = engine.Delete, n == 0
	case 2:
		op.Kind, op.To, op.ToAbsent = engine.Rename, r.key(), r.rng.IntN(4) == 0
	case 8:
		op.Kind, op.To, op.ToAbsent = engine.Copy, r.key(), r.rng.IntN(4) == 0
	case 9:
		op.Kind = engine.SetMeta
	case 3:
		if r.rng.IntN(4) == 0 {
			return engine.Op{Kind: engine.DeleteRange, Range: r.rangeOf()}, ""
		}
		fallthrough
	default:
		op.Kind = engine.Put
	}
	if r.rng.IntN(6) == 0 {
		op.If.Absent = true
	} else if have, ok := r.m[op.Key]; r.rng.IntN(4) == 0 {
		op.If.Tag = newTag()
		if ok && r.rng.IntN(4) > 0 {
			op.If.Tag = have.tag
		}
	}
	if op.Kind != engine.Put {
		return op, ""
	}
	value := r.value()
	if r.rng.IntN(4) == 0 {
		op.Staged = stage(r.t, x, 1+r.rng.IntN(2000), []byte(value))
	} else {
		op.Value = []byte(value)
	}
	return op, value
}

// batch applies a few ops and compares their results.
func (r *modelRun) batch(x target) {
	r.t.Helper()
	after := maps.Clone(r.m)
	var ops []engine.Op
	var want []expected
	fails, failure := -1, error(nil)
	n := 1
	if !single(x) {
		n += r.rng.IntN(4)
	}
	for i := range n {
		op, value := r.op(x)
		ops = append(ops, op)
		if fails >= 0 {
			continue
		}
		exp, err := after.perform(op, value)
		if want = append(want, exp); err != nil {
			fails, failure = i, err
		}
	}
	if fails >= 0 {
		applyFails(r.t, x, failure, fails, ops...)
		return
	}
	results := apply(r.t, x, ops...)
	for i, res := range results {
		r.adopt(after, ops[i], res)
		r.matches(x, ops[i], res, want[i])
	}
	r.m = after
}

// matches compares the result of an op.
func (r *modelRun) matches(x target, op engine.Op, res engine.Result, want expected) {
	r.t.Helper()
	got := expected{res.Found, string(res.Value), res.Removed, res.Entry.Key, int(res.Entry.Size)}
	if op.Kind == engine.Put && single(x) && !got.found {
		want.found = false
	}
	if got != want {
		r.t.Errorf("%+v: %+v, want %+v", op, got, want)
	}
}

// each applies ops on different keys, each by itself, and compares what becomes of them.
func (r *modelRun) each(x engine.EachApplier) {
	r.t.Helper()
	used := map[string]bool{}
	var ops []engine.Op
	var values []string
	for range r.rng.IntN(8) {
		op, value := r.op(x)
		if op.Kind == engine.DeleteRange || used[op.Key] || op.To != "" && used[op.To] {
			continue
		}
		used[op.Key], used[op.To] = true, true
		ops, values = append(ops, op), append(values, value)
	}
	results, errs := x.ApplyEach(r.t.Context(), ops)
	if len(results) != len(ops) || len(errs) != len(ops) {
		r.t.Fatalf("ApplyEach of %d ops: %d results, %d errors", len(ops), len(results), len(errs))
	}
	for i, op := range ops {
		want, err := r.m.perform(op, values[i])
		if err != nil {
			wantErr(r.t, fmt.Sprintf("ApplyEach, %+v", op), errs[i], err)
			continue
		}
		if errs[i] != nil {
			r.t.Errorf("ApplyEach, %+v: %v", op, errs[i])
			continue
		}
		r.adopt(r.m, op, results[i])
		r.matches(x, op, results[i], want)
	}
}

// adopt takes over the tag that a store gave a value itself.
func (r *modelRun) adopt(m model, op engine.Op, res engine.Result) {
	for key, v := range m {
		if v.tag == op.Meta.Tag {
			m[key] = version{v.value, res.Entry.Meta.Tag}
		}
	}
}

// read compares one random read.
func (r *modelRun) read(x target) {
	r.t.Helper()
	switch key := r.key(); r.rng.IntN(4) {
	case 0:
		want, ok := r.m[key]
		got, err := x.Get(r.t.Context(), key)
		if ok != (err == nil) || !ok && !errors.Is(err, engine.ErrNotFound) || string(got) != want.value {
			r.t.Errorf("Get(%q): %d bytes, %v; want %d, %v", key, len(got), err, len(want.value), ok)
		}
	case 1:
		if want, ok := r.m[key]; ok {
			b := openBlob(r.t, x, key)
			blobHolds(r.t, b, []byte(want.value))
			_ = b.Close()
		}
	case 2:
		rng := r.rangeOf()
		want := len(within(slices.Collect(maps.Keys(r.m)), engine.Query{Range: rng}))
		if n, err := x.Count(r.t.Context(), rng); err != nil || n != int64(want) {
			r.t.Errorf("Count(%q): %d, %v; want %d", rng, n, err, want)
		}
	default:
		r.list(x, engine.Query{
			Range: r.rangeOf(), Reverse: r.rng.IntN(2) == 0, Limit: 1 + r.rng.IntN(5),
			Values: r.rng.IntN(2) == 0, MaxBytes: int64(r.rng.IntN(50)),
		})
	}
}

func (r *modelRun) compare(x target) {
	r.t.Helper()
	r.list(x, engine.Query{Limit: 5, Values: true})
	r.list(x, engine.Query{Limit: 100, Reverse: true})
}

// list compares the whole answer to a query.
func (r *modelRun) list(x target, q engine.Query) {
	r.t.Helper()
	got, want := []string{}, []string{}
	for _, it := range listAll(r.t, x, q) {
		got = append(got, fmt.Sprintf("%q=%q %d %s", it.Key, it.Value, it.Size, it.Meta.Tag))
	}
	for _, key := range within(slices.Collect(maps.Keys(r.m)), q) {
		v, shown := r.m[key], ""
		if q.Values {
			shown = v.value
		}
		want = append(want, fmt.Sprintf("%q=%q %d %s", key, shown, len(v.value), v.tag))
	}
	if !slices.Equal(got, want) {
		r.t.Errorf("List(%s):\n%q\nwant\n%q", show(q), got, want)
	}
}
