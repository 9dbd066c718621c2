package enginetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/kohakuvault/kvault/engine"
)

func copyTests() []targetTest {
	return []targetTest{
		{"Copy", testCopy},
		{"CopyOver", testCopyOver},
		{"CopyOntoItself", testCopySame},
		{"CopyLarge", testCopyLarge},
		{"CopiesOutliveEachOther", testCopiesApart},
		{"SetMeta", testSetMeta},
		{"SetMetaKeeps", testSetMetaKeeps},
		{"SetMetaLarge", testSetMetaLarge},
	}
}

func copyOp(from, to string) engine.Op { return engine.Op{Kind: engine.Copy, Key: from, To: to} }

// metaOp is a SetMeta with metadata of every kind.
func metaOp(key string) engine.Op {
	m := engine.Meta{ContentType: "text/new", ModTime: time.Unix(1800000000, 5), User: map[string]string{"new": "yes"}}
	return engine.Op{Kind: engine.SetMeta, Key: key, Meta: m}
}

// describedOp is a put with metadata of every kind.
func describedOp(key, value string) engine.Op {
	op := putOp(key, value)
	op.Meta.ContentType, op.Meta.User = "text/plain", map[string]string{"a": "b"}
	return op
}

// isVersion checks that got is want but for its tag, which must be new.
func isVersion(t *testing.T, what string, want, got engine.Entry) {
	t.Helper()
	if got.Meta.Tag == "" || got.Meta.Tag == want.Meta.Tag {
		t.Errorf("%s: tag %q, that before was %q", what, got.Meta.Tag, want.Meta.Tag)
	}
	want.Meta.Tag = got.Meta.Tag
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func testCopy(t *testing.T, x target) {
	apply(t, x, describedOp("from", "value"))
	from := stat(t, x, "from")
	res := apply(t, x, copyOp("from", "to"))[0]
	want := from
	want.Key = "to"
	isVersion(t, "result", want, res.Entry)
	if res.Found {
		t.Error("Copy found a key that was not there")
	}
	if diff := cmp.Diff(res.Entry, stat(t, x, "to")); diff != "" {
		t.Errorf("entry of the copy (-result +Stat):\n%s", diff)
	}
	if diff := cmp.Diff(from, stat(t, x, "from")); diff != "" {
		t.Errorf("entry of what was copied (-before +after):\n%s", diff)
	}
	has(t, x, "from", "value", "to", "value")
	applyFails(t, x, engine.ErrNotFound, 0, copyOp("missing", "to"))
	applyFails(t, x, engine.ErrInvalid, 0, copyOp("from", ""))
	applyFails(t, x, engine.ErrInvalid, 0, copyOp("", "to"))
	put(t, x, "from", "again")
	has(t, x, "from", "again", "to", "value")
}

func testCopyOver(t *testing.T, x target) {
	put(t, x, "a", "A", "b", "B")
	absent := copyOp("a", "b")
	absent.ToAbsent = true
	applyFails(t, x, engine.ErrExists, 0, absent)
	has(t, x, "a", "A", "b", "B")
	if res := apply(t, x, copyOp("a", "b"))[0]; !res.Found {
		t.Error("Copy did not find what it replaced")
	}
	absent = copyOp("b", "c")
	absent.ToAbsent = true
	apply(t, x, absent)
	has(t, x, "a", "A", "b", "A", "c", "A")
}

func testCopySame(t *testing.T, x target) {
	put(t, x, "a", "A")
	before := stat(t, x, "a")
	res := apply(t, x, copyOp("a", "a"))[0]
	if diff := cmp.Diff(engine.Result{Found: true, Entry: before}, res); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, stat(t, x, "a")); diff != "" {
		t.Errorf("entry changed (-before +after):\n%s", diff)
	}
	absent := copyOp("a", "a")
	absent.ToAbsent = true
	applyFails(t, x, engine.ErrExists, 0, absent)
	applyFails(t, x, engine.ErrNotFound, 0, copyOp("b", "b"))
	has(t, x, "a", "A")
}

// testCopyLarge copies values of all sizes, put whole and staged, onto nothing, a small value and a
// large one.
func testCopyLarge(t *testing.T, x target) {
	const none = -1
	for _, tt := range []struct{ size, over int }{
		{0, none}, {42, largeSize}, {300_000, 300_000}, {largeSize, none}, {largeSize, 5}, {largeSize, largeSize},
	} {
		value, what := noise(tt.size), fmt.Sprintf("%d bytes over %d", tt.size, tt.over)
		apply(t, x, rangeOp("", ""))
		put(t, x, "whole", string(value))
		apply(t, x, stagedOp("staged", stage(t, x, 50_000, value)))
		for _, key := range []string{"whole", "staged"} {
			if tt.over != none {
				put(t, x, "to", string(noise(tt.over)))
			}
			want := stat(t, x, key)
			want.Key = "to"
			apply(t, x, copyOp(key, "to"))
			isVersion(t, what, want, stat(t, x, "to"))
			holds(t, x, key, value)
			blobHolds(t, openBlob(t, x, "to"), value)
			if res := apply(t, x, takeOp("to"))[0]; string(res.Value) != string(value) {
				t.Errorf("%s: taking the copy gave %d other bytes", what, len(res.Value))
			}
			holds(t, x, key, value)
		}
	}
}

// testCopiesApart has copies of copies, each of which is changed while the others stay.
func testCopiesApart(t *testing.T, x target) {
	value := noise(150_000)
	changes := map[string][]engine.Op{
		"delete":        {deleteOp("k1")},
		"replace":       {putOp("k1", "x"), deleteOp("k1")},
		"rename":        {renameOp("k1", "k2"), deleteOp("k2")},
		"copy back":     {copyOp("k3", "k1"), deleteOp("k1")},
		"copy over":     {copyOp("other", "k1"), deleteOp("k1")},
		"set metadata":  {metaOp("k1"), deleteOp("k1")},
		"remove ranges": {rangeOp("k1", "k3")},
	}
	for how, ops := range changes {
		for i := range 3 { // k1 is the first, a copy that was copied, or the last
			keys := []string{"k3", "k4"}
			chain := append(append(append([]string{}, keys[:i]...), "k1"), keys[i:]...)
			apply(t, x, rangeOp("", ""), putOp("other", "other"))
			apply(t, x, stagedOp(chain[0], stage(t, x, 50_000, value)))
			apply(t, x, copyOp(chain[0], chain[1]), copyOp(chain[1], chain[2]))
			b := openBlob(t, x, "k1")
			apply(t, x, ops...)
			lacks(t, x, "k1")
			for _, key := range keys {
				holds(t, x, key, value)
			}
			blobHoldsOrGone(t, x, b, value)
			_ = b.Close()
			apply(t, x, deleteOp("k3"))
			holds(t, x, "k4", value)
			if t.Failed() {
				t.Fatalf("%s of number %d", how, i)
			}
		}
	}
}

func testSetMeta(t *testing.T, x target) {
	apply(t, x, describedOp("k", "value"))
	before := stat(t, x, "k")
	op := metaOp("k")
	want := before
	want.Meta.ContentType, want.Meta.User = op.Meta.ContentType, op.Meta.User
	want.Meta.ModTime = op.Meta.ModTime.UTC()
	res := apply(t, x, op)[0]
	isVersion(t, "result", want, res.Entry)
	if diff := cmp.Diff(res.Entry, stat(t, x, "k")); diff != "" || !res.Found {
		t.Errorf("Found %v; entry (-result +Stat):\n%s", res.Found, diff)
	}
	applyFails(t, x, engine.ErrNotFound, 0, metaOp("missing"))
	applyFails(t, x, engine.ErrInvalid, 0, metaOp(""))
	late := metaOp("k")
	late.If.Tag = before.Meta.Tag
	applyFails(t, x, engine.ErrTagMismatch, 0, late)
	apply(t, x, engine.Op{Kind: engine.SetMeta, Key: "k", Meta: engine.Meta{ModTime: time.Unix(1, 0)}})
	if m := stat(t, x, "k").Meta; m.ContentType != "" || m.User != nil || !m.ModTime.Equal(time.Unix(1, 0)) {
		t.Errorf("metadata after it was removed: %+v", m)
	}
	has(t, x, "k", "value")
}

func testSetMetaKeeps(t *testing.T, x target) {
	for keep := range engine.KeepUser << 1 {
		apply(t, x, describedOp("k", "value"))
		want := stat(t, x, "k")
		op := metaOp("k")
		op.Keep = keep
		want.Meta = op.NewMeta(want.Meta)
		want.Meta.ModTime = want.Meta.ModTime.UTC()
		isVersion(t, fmt.Sprint("kept ", keep), want, apply(t, x, op)[0].Entry)
		if same := want.Meta.ContentType == "text/plain"; same != (keep&engine.KeepContentType != 0) {
			t.Errorf("kept %d: content type %q", keep, want.Meta.ContentType)
		}
	}
}

func testSetMetaLarge(t *testing.T, x target) {
	for _, size := range []int{0, 42, 300_000, largeSize} {
		put(t, x, "whole", string(noise(size)))
		apply(t, x, stagedOp("staged", stage(t, x, 50_000, noise(size))))
		for _, key := range []string{"whole", "staged"} {
			op := metaOp(key)
			want := stat(t, x, key)
			want.Meta = op.NewMeta(want.Meta)
			want.Meta.ModTime = want.Meta.ModTime.UTC()
			b := openBlob(t, x, key)
			apply(t, x, op)
			isVersion(t, fmt.Sprintf("%s, %d bytes", key, size), want, stat(t, x, key))
			holds(t, x, key, noise(size))
			blobHoldsOrGone(t, x, b, noise(size))
			_ = b.Close()
		}
	}
}
