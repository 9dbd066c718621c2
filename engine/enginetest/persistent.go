package enginetest

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/kohakuvault/kvault/engine"
)

// RunPersistent tests that what was stored is there after Close, and nothing else. open opens the
// store kept in dir, which is empty at first; RunPersistent opens one at a time, and closes it.
func RunPersistent(t *testing.T, open func(t *testing.T, dir string) engine.Store) {
	tests := []struct {
		name string
		run  func(t *testing.T, d *disk)
	}{
		{"Content", testReopenContent},
		{"Entries", testReopenEntries},
		{"Changes", testReopenChanges},
		{"Empty", testReopenEmpty},
		{"UnfinishedStages", testReopenStages},
		{"UnfinishedTransactions", testReopenTx},
		{"UnfinishedUploads", testReopenUploads},
		{"ArraysAlone", testReopenArrays},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := &disk{t: t, dir: t.TempDir(), open: open}
			t.Cleanup(d.close)
			d.s = open(t, d.dir)
			tt.run(t, d)
		})
	}
}

// disk is a store that can be closed and opened again.
type disk struct {
	t    *testing.T
	dir  string
	open func(t *testing.T, dir string) engine.Store
	s    engine.Store
}

func (d *disk) close() {
	d.t.Helper()
	if err := d.s.Close(); err != nil {
		d.t.Errorf("Close: %v", err)
	}
}

func (d *disk) reopen() {
	d.t.Helper()
	d.close()
	d.s = d.open(d.t, d.dir)
}

func testReopenContent(t *testing.T, d *disk) {
	want := fill(t, d.s)
	for range 2 {
		d.reopen()
		filled(t, d.s, want)
	}
	put(t, d.s, "after", "reopening")
	want["after"] = []byte("reopening")
	d.reopen()
	filled(t, d.s, want)
}

func testReopenEntries(t *testing.T, d *disk) {
	op := putOp("k", "value")
	op.Meta.ModTime = time.Date(2024, 2, 29, 12, 34, 56, 123456789, time.UTC)
	op.Meta.ContentType = "text/plain"
	op.Meta.User = map[string]string{"ключ": "🗝", "": ""}
	large := stagedOp("large", stage(t, d.s, 1000, noise(100_000)))
	large.Meta.User = map[string]string{"a": "b"}
	apply(t, d.s, op, large)
	before := listAll(t, d.s, engine.Query{Limit: 10})
	d.reopen()
	if diff := cmp.Diff(before, listAll(t, d.s, engine.Query{Limit: 10})); diff != "" {
		t.Errorf("items (-before +after):\n%s", diff)
	}
	holds(t, d.s, "k", []byte("value"))
	holds(t, d.s, "large", noise(100_000))
	stale := putOp("k", "new")
	stale.If.Tag = newTag()
	applyFails(t, d.s, engine.ErrTagMismatch, 0, stale)
	stale.If.Tag = stat(t, d.s, "k").Meta.Tag
	apply(t, d.s, stale)
}

func testReopenChanges(t *testing.T, d *disk) {
	put(t, d.s, "a", "1", "b", "2", "c", "3", "x/1", "x", "x/2", "x")
	d.reopen()
	failing := []engine.Op{putOp("a", "never"), renameOp("missing", "m")}
	apply(t, d.s, putOp("a", "new"), deleteOp("b"), renameOp("c", "d"), copyOp("a", "e"), metaOp("e"))
	described := stat(t, d.s, "e")
	apply(t, d.s, rangeOp("x/", "x0"))
	applyFails(t, d.s, engine.ErrNotFound, 1, failing...)
	d.reopen()
	has(t, d.s, "a", "new", "d", "3", "e", "new")
	if diff := cmp.Diff(described, stat(t, d.s, "e")); diff != "" {
		t.Errorf("entry after a SetMeta (-before +after):\n%s", diff)
	}
}

func testReopenEmpty(t *testing.T, d *disk) {
	has(t, d.s)
	d.reopen()
	has(t, d.s)
	put(t, d.s, "a", "1")
	apply(t, d.s, rangeOp("", ""))
	d.reopen()
	has(t, d.s)
}

func testReopenStages(t *testing.T, d *disk) {
	put(t, d.s, "k", "old")
	stage(t, d.s, 10, noise(35))
	stage(t, d.s, 50_000, noise(1<<20))
	stage(t, d.s, 10, nil)
	refused := stagedOp("k", stage(t, d.s, 10, noise(95)))
	refused.If.Absent = true
	applyFails(t, d.s, engine.ErrExists, 0, refused)
	apply(t, d.s, stagedOp("applied", stage(t, d.s, 10, noise(35))))
	d.reopen()
	has(t, d.s, "applied", string(noise(35)), "k", "old")
	if _, ok := d.s.(engine.Statser); ok {
		eventually(t, "no staged value", func() bool { return staged(t, d.s) == 0 })
	}
	if c, ok := d.s.(engine.Checker); ok {
		err := c.Check(t.Context(), func(p engine.Problem) { t.Errorf("problem with %q: %v", p.Key, p.Err) }, nil)
		if err != nil {
			t.Errorf("Check: %v", err)
		}
	}
	has(t, d.s, "applied", string(noise(35)), "k", "old")
}

func testReopenTx(t *testing.T, d *disk) {
	put(t, d.s, "a", "1")
	if x, ok := d.s.(engine.Transactor); ok {
		done := begin(t, x, true)
		put(t, done, "a", "committed")
		apply(t, done, stagedOp("b", stage(t, done, 10, noise(35))))
		commit(t, done)
		open := begin(t, x, true)
		put(t, open, "a", "lost", "c", "lost")
		apply(t, open, stagedOp("b", stage(t, open, 10, noise(95))))
		d.reopen()
		has(t, d.s, "a", "committed", "b", string(noise(35)))
	}
	put(t, d.s, "a", "2")
	d.reopen()
	holds(t, d.s, "a", []byte("2"))
}

// testReopenArrays: arrays and the ids of commits outlive the store, transactions do not.
func testReopenArrays(t *testing.T, d *disk) {
	if _, ok := d.s.(engine.ArrayBeginner); !ok {
		t.Skip("the store has no transactions of arrays alone")
	}
	arrays := arrayStore{func(ctx context.Context, writable bool) (engine.ArrayTx, error) {
		return d.s.(engine.ArrayBeginner).BeginArrays(ctx, writable)
	}}
	a, _ := twoArrays(t, arrays)
	appendAs := func(text, id string) {
		x := beginArrays(t, arrays, true)
		must(t, "append", appendTo(text).do(t.Context(), x, a.ID, 0))
		must(t, "Commit", x.Commit(t.Context(), id))
	}
	appendAs("kept", "one")
	open := beginArrays(t, arrays, true)
	must(t, "append", appendTo("lost").do(t.Context(), open, a.ID, 0))
	x := beginArrays(t, arrays, false)
	want := contentOf(t, x)
	rollbackArrays(t, x)
	d.reopen()
	seesNow(t, "arrays after reopening", arrays, want)
	appendAs("twice", "one")
	seesNow(t, "arrays after a commit of an id that was taken before", arrays, want)
	appendAs("more", "two")
	d.reopen()
	x = beginArrays(t, arrays, false)
	if n, err := x.Chunks(t.Context(), a.ID); n != 3 || err != nil {
		t.Errorf("%d chunks, %v; want 3", n, err)
	}
	chunkHolds(t, x, a.ID, 2, []byte("more"))
	rollbackArrays(t, x)
}
