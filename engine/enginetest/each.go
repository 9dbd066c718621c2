package enginetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/ctxtest"
)

// runEach tests a store that makes one change at a time.
func runEach(t *testing.T, opened func(t *testing.T) engine.EachApplier) {
	for _, tt := range []struct {
		name string
		run  func(t *testing.T, s engine.EachApplier)
	}{
		{"NoBatches", testNoBatches},
		{"EachByItself", testEach},
		{"Nothing", testEachOfNothing},
		{"Many", testEachOfMany},
		{"Canceled", testEachCanceled},
		{"ContextEnds", testEachEnds},
		{"Takers", testEachTakers},
	} {
		t.Run("Each/"+tt.name, func(t *testing.T) { tt.run(t, opened(t)) })
	}
}

// testNoBatches: several ops in one step are refused as a whole, and use nothing up.
func testNoBatches(t *testing.T, s engine.EachApplier) {
	if _, ok := s.(engine.Transactor); ok {
		t.Error("the store makes one change at a time, and has transactions")
	}
	put(t, s, "a", "1", "b", "2")
	st := stage(t, s, 10, noise(25))
	for _, ops := range [][]engine.Op{
		{putOp("a", "new"), putOp("c", "new")},
		{deleteOp("a"), deleteOp("b")},
		{stagedOp("c", st), rangeOp("", "")},
		{putOp("c", "new"), putOp("", "no key"), renameOp("missing", "m")},
	} {
		results, err := s.Apply(t.Context(), ops)
		wantErr(t, "Apply of several ops", err, engine.ErrUnsupported)
		wantErr(t, "Apply of several ops", err, errors.ErrUnsupported)
		if results != nil {
			t.Errorf("a refused Apply gave results %+v", results)
		}
		has(t, s, "a", "1", "b", "2")
	}
	apply(t, s, stagedOp("c", st))
	has(t, s, "a", "1", "b", "2", "c", string(noise(25)))
}

// testEach settles ops of all kinds, those that fail between those that do not.
func testEach(t *testing.T, s engine.EachApplier) {
	put(t, s, "copied", "1", "deleted", "2", "described", "3", "left", "4", "old tag", "5",
		"renamed", "6", "swapped", "7", "taken", "8", "there", "9")
	absent := func(op engine.Op) engine.Op { op.If.Absent = true; return op }
	tagged := func(op engine.Op, tag string) engine.Op { op.If.Tag = tag; return op }
	onto := func(op engine.Op) engine.Op { op.ToAbsent = true; return op }
	ended := stage(t, s, 10, noise(25))
	must(t, "Abort", ended.Abort())
	tests := []struct {
		op    engine.Op
		want  error
		found bool
	}{
		{op: putOp("new", "n")},
		{op: absent(putOp("there", "x")), want: engine.ErrExists},
		{op: absent(putOp("absent", "a"))},
		{op: putOp("", "x"), want: engine.ErrInvalid},
		{op: deleteOp("deleted"), found: true},
		{op: renameOp("missing", "m"), want: engine.ErrNotFound},
		{op: takeOp("taken"), found: true},
		{op: tagged(putOp("old tag", "x"), newTag()), want: engine.ErrTagMismatch},
		{op: tagged(putOp("swapped", "s"), stat(t, s, "swapped").Meta.Tag)},
		{op: tagged(deleteOp("gone"), newTag()), want: engine.ErrNotFound},
		{op: renameOp("renamed", "to")},
		{op: engine.Op{Kind: 255, Key: "odd"}, want: engine.ErrInvalid},
		{op: copyOp("copied", "copy")},
		{op: metaOp("nothing"), want: engine.ErrNotFound},
		{op: metaOp("described"), found: true},
		{op: stagedOp("ended", ended), want: engine.ErrInvalid},
		{op: stagedOp("staged", stage(t, s, 10, noise(25)))},
		{op: onto(copyOp("self", "self")), want: engine.ErrNotFound},
		{op: deleteOp("never")},
		{op: rangeOp("x", "")},
	}
	var ops []engine.Op
	for _, tt := range tests {
		ops = append(ops, tt.op)
	}
	results, errs := s.ApplyEach(t.Context(), ops)
	if len(results) != len(ops) || len(errs) != len(ops) {
		t.Fatalf("%d results and %d errors for %d ops", len(results), len(errs), len(ops))
	}
	for i, tt := range tests {
		what := fmt.Sprintf("op %d on %q", i, tt.op.Key)
		if tt.want == nil && errs[i] != nil || tt.want != nil && !errors.Is(errs[i], tt.want) {
			t.Errorf("%s: error %v, want %v", what, errs[i], tt.want)
		}
		if oe := (*engine.OpError)(nil); errors.As(errs[i], &oe) {
			t.Errorf("%s: the error is an *engine.OpError, want its cause: %v", what, errs[i])
		}
		res := results[i]
		if tt.want != nil && (res.Found || res.Value != nil || res.Removed != 0 || res.Entry.Key != "") {
			t.Errorf("%s failed, and has the result %+v", what, res)
		}
		if tt.op.Kind != engine.Put && res.Found != tt.found {
			t.Errorf("%s: Found is %v, want %v", what, res.Found, tt.found)
		}
	}
	if string(results[6].Value) != "8" {
		t.Errorf("taking gave %q, want 8", results[6].Value)
	}
	tag := stat(t, s, "new").Meta.Tag
	if e := results[0].Entry; e.Key != "new" || e.Size != 1 || e.Meta.Tag != tag {
		t.Errorf("entry of a put: %+v", e)
	}
	has(t, s, "absent", "a", "copied", "1", "copy", "1", "described", "3", "left", "4", "new", "n",
		"old tag", "5", "staged", string(noise(25)), "swapped", "s", "there", "9", "to", "6")
}

func testEachOfNothing(t *testing.T, s engine.EachApplier) {
	for _, ops := range [][]engine.Op{nil, {}} {
		if results, errs := s.ApplyEach(t.Context(), ops); len(results) != 0 || len(errs) != 0 {
			t.Errorf("ApplyEach of no ops: %+v, %v", results, errs)
		}
	}
	has(t, s)
}

// testEachOfMany has more ops than any store performs at once. Every third of them fails.
func testEachOfMany(t *testing.T, s engine.EachApplier) {
	const n = 600
	var before, ops []engine.Op
	key := func(i int) string { return fmt.Sprintf("%04d", i) }
	for i := range n {
		op := putOp(key(i), "new")
		if i%3 == 0 {
			before = append(before, putOp(key(i), "old"))
			op.If.Absent = true
		}
		ops = append(ops, op)
	}
	apply(t, s, before...)
	results, errs := s.ApplyEach(t.Context(), ops)
	if len(results) != n || len(errs) != n {
		t.Fatalf("%d results and %d errors for %d ops", len(results), len(errs), n)
	}
	for i := range n {
		switch {
		case i%3 == 0:
			wantErr(t, "a put of "+key(i), errs[i], engine.ErrExists)
		case errs[i] != nil || results[i].Entry.Key != key(i):
			t.Errorf("put of %s: %+v, %v", key(i), results[i], errs[i])
		}
	}
	items := listAll(t, s, engine.Query{Limit: 1000, Values: true})
	if len(items) != n {
		t.Fatalf("%d keys, want %d", len(items), n)
	}
	for i, it := range items {
		want := "new"
		if i%3 == 0 {
			want = "old"
		}
		if it.Key != key(i) || string(it.Value) != want {
			t.Errorf("%s is %q, want %s to be %q", it.Key, it.Value, key(i), want)
		}
	}
}

func testEachCanceled(t *testing.T, s engine.EachApplier) {
	put(t, s, "a", "1")
	ops := []engine.Op{putOp("a", "2"), deleteOp("b"), putOp("c", "2")}
	_, errs := s.ApplyEach(canceled(t), ops)
	for i := range ops {
		wantErr(t, "ApplyEach", errs[i], context.Canceled)
	}
	has(t, s, "a", "1")
	if _, errs = s.ApplyEach(t.Context(), ops); errors.Join(errs...) != nil {
		t.Errorf("the same ops again: %v", errs)
	}
	has(t, s, "a", "2", "c", "2")
}

// testEachEnds ends the context while ops are performed: what is acknowledged is stored.
func testEachEnds(t *testing.T, s engine.EachApplier) {
	const n = 40
	for moment := range 20 {
		var ops []engine.Op
		for i := range n {
			ops = append(ops, putOp(fmt.Sprintf("%02d/%02d", moment, i), "value"))
		}
		_, errs := s.ApplyEach(ctxtest.At(t, 1+moment*5, engine.ErrNotFound), ops)
		if len(errs) != n {
			t.Fatalf("%d errors for %d ops", len(errs), n)
		}
		for i, err := range errs {
			switch {
			case err == nil:
				holds(t, s, ops[i].Key, []byte("value"))
			case !errors.Is(err, context.Canceled) && !errors.Is(err, engine.ErrUnknown):
				t.Errorf("moment %d, op %d: %v", moment, i, err)
			case errors.Is(err, engine.ErrNotFound):
				t.Errorf("moment %d, op %d: %v matches the cause of the context", moment, i, err)
			}
		}
	}
}

// testEachTakers has several callers take the same keys: each value goes to one of them.
func testEachTakers(t *testing.T, s engine.EachApplier) {
	const n, takers = 30, 6
	var puts, takes []engine.Op
	for i := range n {
		key := fmt.Sprint("k", i)
		puts, takes = append(puts, putOp(key, key)), append(takes, takeOp(key))
	}
	apply(t, s, puts...)
	var mu sync.Mutex
	taken := map[string]int{}
	var wg sync.WaitGroup
	for range takers {
		wg.Go(func() {
			results, errs := s.ApplyEach(t.Context(), takes)
			mu.Lock()
			defer mu.Unlock()
			for i, res := range results {
				if errs[i] != nil {
					t.Errorf("taking %s: %v", takes[i].Key, errs[i])
				} else if res.Found {
					taken[string(res.Value)]++
				}
			}
		})
	}
	wg.Wait()
	for i := range n {
		if got := taken[fmt.Sprint("k", i)]; got != 1 {
			t.Errorf("k%d was taken %d times", i, got)
		}
	}
	has(t, s)
}
