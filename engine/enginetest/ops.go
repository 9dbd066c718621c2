package enginetest

import (
	"context"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kohakuvault/kvault/engine"
)

func opTests() []targetTest {
	return []targetTest{
		{"Put", testPut},
		{"Delete", testDelete},
		{"Take", testTake},
		{"DeleteRange", testDeleteRange},
		{"Rename", testRename},
		{"RenameOver", testRenameOver},
		{"RenameOntoItself", testRenameSame},
		{"RenameLarge", testRenameLarge},
		{"ConditionAbsent", testAbsent},
		{"ConditionTag", testTag},
		{"OpsSeeEarlierOps", testOpsInOrder},
		{"FailedBatchChangesNothing", testAtomic},
		{"EmptyBatch", testEmptyBatch},
		{"UnknownOp", testUnknownOp},
		{"CanceledApply", testCanceledApply},
	}
}

func testPut(t *testing.T, x target) {
	res := apply(t, x, putOp("k", "first"))[0]
	if foundByPut(t, x, res, false); res.Entry.Key != "k" || res.Entry.Size != 5 {
		t.Errorf("result of a first put: %+v", res)
	}
	res = apply(t, x, putOp("k", "second one"))[0]
	if foundByPut(t, x, res, true); res.Entry.Size != 10 {
		t.Errorf("result of an overwrite: %+v", res)
	}
	sum := sumOf([]byte("with sum"))
	op := putOp("s", "with sum")
	op.Meta.Sum, op.Meta.HasSum = sum, true
	if res := apply(t, x, op)[0]; res.Entry.Meta.Sum != sum || !res.Entry.Meta.HasSum {
		t.Errorf("result of a put with a sum: %+v, want sum %d", res.Entry.Meta, sum)
	}
	has(t, x, "k", "second one", "s", "with sum")
}

func testDelete(t *testing.T, x target) {
	put(t, x, "a", "1", "b", "2")
	res := apply(t, x, deleteOp("a"), deleteOp("a"), deleteOp("c"))
	if !res[0].Found || res[1].Found || res[2].Found {
		t.Errorf("Found of a key, the same again, and a missing one: %v, %v, %v", res[0].Found, res[1].Found, res[2].Found)
	}
	if res[0].Value != nil {
		t.Errorf("Delete without Take gave the value %q", res[0].Value)
	}
	has(t, x, "b", "2")
}

func testTake(t *testing.T, x target) {
	large := noise(300_000)
	put(t, x, "a", "value", "empty", "")
	apply(t, x, engine.Op{Kind: engine.Put, Key: "large", Value: large, Meta: newMeta()})
	for key, want := range map[string]string{"a": "value", "empty": "", "large": string(large)} {
		entry := stat(t, x, key)
		res := apply(t, x, takeOp(key))[0]
		if !res.Found || string(res.Value) != want {
			t.Errorf("taking %q: found %v, %d bytes, want %d", key, res.Found, len(res.Value), len(want))
		}
		if diff := cmp.Diff(entry, res.Entry); diff != "" {
			t.Errorf("entry of what was taken (-Stat +Result):\n%s", diff)
		}
		lacks(t, x, key)
		if res := apply(t, x, takeOp(key))[0]; res.Found || res.Value != nil {
			t.Errorf("taking %q again: %+v", key, res)
		}
	}
}

func testDeleteRange(t *testing.T, x target) {
	tests := []struct {
		start, end string
		removed    int64
		left       []string
	}{
		{"", "", 6, nil},
		{"b", "", 4, []string{"a", "a\xff"}},
		{"b", "c", 2, []string{"a", "a\xff", "c", "\xff"}},
		{"b", "b\x00", 1, []string{"a", "a\xff", "b/1", "c", "\xff"}},
		{"", "b", 2, []string{"b", "b/1", "c", "\xff"}},
		{"a\x00", "b/", 2, []string{"a", "b/1", "c", "\xff"}},
		{"b", "b", 0, []string{"a", "a\xff", "b", "b/1", "c", "\xff"}},
		{"c", "b", 0, []string{"a", "a\xff", "b", "b/1", "c", "\xff"}},
		{"\xff\x00", "", 0, []string{"a", "a\xff", "b", "b/1", "c", "\xff"}},
	}
	for _, tt := range tests {
		apply(t, x, rangeOp("", ""))
		putKeys(t, x, "a", "a\xff", "b", "b/1", "c", "\xff")
		if res := apply(t, x, rangeOp(tt.start, tt.end))[0]; res.Removed != tt.removed {
			t.Errorf("%q to %q: %d removed, want %d", tt.start, tt.end, res.Removed, tt.removed)
		}
		var pairs []string
		for _, key := range tt.left {
			pairs = append(pairs, key, key)
		}
		has(t, x, pairs...)
	}
}

func testRename(t *testing.T, x target) {
	op := putOp("from", "value")
	op.Meta.ContentType, op.Meta.User = "text/plain", map[string]string{"a": "b"}
	apply(t, x, op)
	want := stat(t, x, "from")
	want.Key = "to"
	res := apply(t, x, renameOp("from", "to"))[0]
	if diff := cmp.Diff(want, res.Entry); diff != "" || res.Found {
		t.Errorf("result, Found %v (-want +got):\n%s", res.Found, diff)
	}
	if diff := cmp.Diff(want, stat(t, x, "to")); diff != "" {
		t.Errorf("Stat after (-want +got):\n%s", diff)
	}
	has(t, x, "to", "value")
	applyFails(t, x, engine.ErrNotFound, 0, renameOp("from", "to"))
	has(t, x, "to", "value")
	put(t, x, "from", "again")
	has(t, x, "from", "again", "to", "value")
}

func testRenameOver(t *testing.T, x target) {
	put(t, x, "a", "A", "b", "B")
	absent := renameOp("a", "b")
	absent.ToAbsent = true
	applyFails(t, x, engine.ErrExists, 0, absent)
	has(t, x, "a", "A", "b", "B")
	tag := stat(t, x, "a").Meta.Tag
	if res := apply(t, x, renameOp("a", "b"))[0]; !res.Found {
		t.Error("Rename did not find what it replaced")
	}
	has(t, x, "b", "A")
	if e := stat(t, x, "b"); e.Meta.Tag != tag || e.Size != 1 {
		t.Errorf("entry after a rename over another: %+v, want tag %s", e, tag)
	}
	absent = renameOp("b", "c")
	absent.ToAbsent = true
	apply(t, x, absent)
	has(t, x, "c", "A")
}

func testRenameSame(t *testing.T, x target) {
	put(t, x, "a", "A")
	before := stat(t, x, "a")
	apply(t, x, renameOp("a", "a"))
	if diff := cmp.Diff(before, stat(t, x, "a")); diff != "" {
		t.Errorf("entry changed (-before +after):\n%s", diff)
	}
	has(t, x, "a", "A")
	absent := renameOp("a", "a")
	absent.ToAbsent = true
	applyFails(t, x, engine.ErrExists, 0, absent)
	applyFails(t, x, engine.ErrNotFound, 0, renameOp("b", "b"))
}

func testRenameLarge(t *testing.T, x target) {
	for _, size := range []int{300_000, largeSize} {
		value := noise(size)
		apply(t, x, engine.Op{Kind: engine.Put, Key: "from", Value: value, Meta: newMeta()})
		want := stat(t, x, "from")
		want.Key = "to"
		apply(t, x, renameOp("from", "to"))
		holds(t, x, "to", value)
		lacks(t, x, "from")
		if diff := cmp.Diff(want, stat(t, x, "to")); diff != "" {
			t.Errorf("%d bytes (-want +got):\n%s", size, diff)
		}
		apply(t, x, takeOp("to"))
	}
}

func testAbsent(t *testing.T, x target) {
	put(t, x, "there", "1")
	absent := engine.Condition{Absent: true}
	for _, op := range []engine.Op{putOp("there", "2"), deleteOp("there"), renameOp("there", "new"), copyOp("there", "new"), metaOp("there")} {
		op.If = absent
		applyFails(t, x, engine.ErrExists, 0, op)
		_, err := x.Apply(t.Context(), []engine.Op{op})
		wantErr(t, "Apply", err, fs.ErrExist)
	}
	has(t, x, "there", "1")
	op := putOp("missing", "2")
	op.If = absent
	gone := deleteOp("nothing")
	gone.If = absent
	apply(t, x, op, gone)
	has(t, x, "missing", "2", "there", "1")
	for _, nothing := range []engine.Op{renameOp("nothing", "new"), copyOp("nothing", "new"), metaOp("nothing")} {
		nothing.If = absent
		applyFails(t, x, engine.ErrNotFound, 0, nothing)
	}
}

func testTag(t *testing.T, x target) {
	put(t, x, "a", "1", "b", "2", "c", "3", "d", "4")
	conditional := []engine.Op{copyOp("a", "f"), metaOp("a"), putOp("a", "new"), deleteOp("b"), takeOp("c"), renameOp("d", "e")}
	for _, op := range conditional {
		op.If.Tag = newTag()
		applyFails(t, x, engine.ErrTagMismatch, 0, op)
		missing := op
		missing.Key = "missing"
		applyFails(t, x, engine.ErrNotFound, 0, missing)
	}
	has(t, x, "a", "1", "b", "2", "c", "3", "d", "4")
	for _, op := range conditional {
		op.If.Tag = stat(t, x, op.Key).Meta.Tag
		apply(t, x, op)
	}
	has(t, x, "a", "new", "e", "4", "f", "1")
	stale := putOp("e", "5")
	stale.If.Tag = stat(t, x, "e").Meta.Tag
	apply(t, x, stale)
	stale.Value = []byte("6")
	applyFails(t, x, engine.ErrTagMismatch, 0, withMeta(stale))
	has(t, x, "a", "new", "e", "5", "f", "1")
}

// withMeta gives op metadata of its own.
func withMeta(op engine.Op) engine.Op {
	op.Meta = newMeta()
	return op
}

func testOpsInOrder(t *testing.T, x target) {
	put(t, x, "x", "old")
	first := putOp("a", "1")
	first.If.Absent = true
	again := putOp("a", "3")
	again.If.Absent = true
	res := apply(t, x,
		first, putOp("a", "2"), renameOp("a", "b"), again, takeOp("b"),
		rangeOp("x", ""), putOp("x", "new"), rangeOp("y", ""), takeOp("a"))
	foundByPut(t, x, res[0], false)
	foundByPut(t, x, res[1], true)
	foundByPut(t, x, res[3], false)
	if string(res[4].Value) != "2" || res[5].Removed != 1 || res[7].Removed != 0 || string(res[8].Value) != "3" {
		t.Errorf("results: %+v", res)
	}
	has(t, x, "x", "new")
}

func testAtomic(t *testing.T, x target) {
	if single(x) {
		t.Skip("the store makes one change at a time")
	}
	put(t, x, "a", "1", "b", "2", "c", "3")
	before := map[string]engine.Entry{}
	for _, key := range []string{"a", "b", "c"} {
		before[key] = stat(t, x, key)
	}
	st := stage(t, x, 10, noise(35))
	absent := putOp("a", "x")
	absent.If.Absent = true
	all := []engine.Op{putOp("a", "new"), putOp("d", "new"), takeOp("b"), stagedOp("s", st), renameOp("c", "e"), rangeOp("d", "e"),
		copyOp("s", "f"), copyOp("a", "e"), metaOp("a"), deleteOp("s")}
	for n := range len(all) + 1 {
		ops := append(append([]engine.Op{}, all[:n]...), absent)
		applyFails(t, x, engine.ErrExists, n, ops...)
		applyFails(t, x, engine.ErrNotFound, n, append(ops[:n:n], renameOp("missing", "m"), putOp("z", "z"))...)
		has(t, x, "a", "1", "b", "2", "c", "3")
	}
	for key, e := range before {
		if diff := cmp.Diff(e, stat(t, x, key)); diff != "" {
			t.Errorf("entry of %q changed (-before +after):\n%s", key, diff)
		}
	}
	apply(t, x, all...)
	has(t, x, "a", "new", "e", "new", "f", string(noise(35)))
}

func testEmptyBatch(t *testing.T, x target) {
	for _, ops := range [][]engine.Op{nil, {}} {
		if res, err := x.Apply(t.Context(), ops); err != nil || len(res) != 0 {
			t.Errorf("Apply of no ops: %+v, %v", res, err)
		}
	}
	has(t, x)
}

func testUnknownOp(t *testing.T, x target) {
	for _, kind := range []engine.OpKind{0, engine.SetMeta + 1, 255} {
		applyFails(t, x, engine.ErrInvalid, 1, putOp("a", "1"), engine.Op{Kind: kind, Key: "b"})
	}
	has(t, x)
}

func testCanceledApply(t *testing.T, x target) {
	put(t, x, "a", "1")
	ops := []engine.Op{putOp("a", "2"), putOp("b", "2")}
	if single(x) {
		ops = ops[:1]
	}
	_, err := x.Apply(canceled(t), ops)
	wantErr(t, "Apply", err, context.Canceled)
	has(t, x, "a", "1")
	put(t, x, "b", "3")
	has(t, x, "a", "1", "b", "3")
}
