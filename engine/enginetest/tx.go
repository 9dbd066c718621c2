package enginetest

import (
	"bytes"
	"context"
	"testing"

	"github.com/kohakuvault/kvault/engine"
)

func txTests() []transactorTest {
	return []transactorTest{
		{"SnapshotAsOfBegin", testSnapshot},
		{"SnapshotOfEverything", testSnapshotReads},
		{"OwnChangesAreVisible", testOwnChanges},
		{"Commit", testCommit},
		{"Rollback", testRollback},
		{"Done", testTxDone},
		{"ReadOnly", testReadOnly},
		{"FailedApplyLeavesEarlierOps", testFailedApply},
		{"Blobs", testTxBlobs},
		{"Stages", testTxStages},
		{"StoreStage", testStoreStageInTx},
		{"Canceled", testTxCanceled},
	}
}

func testSnapshot(t *testing.T, s engine.Transactor) {
	put(t, s, "a", "old", "b", "old")
	r := begin(t, s, false)
	apply(t, s, putOp("a", "new"), deleteOp("b"), putOp("c", "new")) // before the snapshot's first read
	has(t, r, "a", "old", "b", "old")
	has(t, s, "a", "new", "c", "new")
	later := begin(t, s, false)
	apply(t, s, rangeOp("", ""))
	has(t, r, "a", "old", "b", "old")
	has(t, later, "a", "new", "c", "new")
	commit(t, r)
	has(t, s)
}

func testSnapshotReads(t *testing.T, s engine.Transactor) {
	large := noise(largeSize)
	put(t, s, "a", "old")
	apply(t, s, stagedOp("large", stage(t, s, 65536, large)))
	before := stat(t, s, "a")
	r := begin(t, s, false)
	put(t, s, "a", "newer", "b", "new", "large", "small now")
	holds(t, r, "a", []byte("old"))
	holds(t, r, "large", large)
	lacks(t, r, "b")
	if e := stat(t, r, "a"); e.Meta.Tag != before.Meta.Tag || e.Size != 3 {
		t.Errorf("Stat in the snapshot: %+v, want %+v", e, before)
	}
	if n, err := r.Count(t.Context(), engine.Range{}); n != 2 || err != nil {
		t.Errorf("Count in the snapshot: %d, %v; want 2", n, err)
	}
	b := openBlob(t, r, "large")
	blobHolds(t, b, large)
	if err := b.Close(); err != nil {
		t.Errorf("Close of a blob: %v", err)
	}
	rollback(t, r)
}

func testOwnChanges(t *testing.T, s engine.Transactor) {
	put(t, s, "a", "old", "b", "old")
	w := begin(t, s, true)
	put(t, w, "a", "new", "c", "new")
	apply(t, w, renameOp("b", "d"))
	has(t, w, "a", "new", "c", "new", "d", "old")
	has(t, s, "a", "old", "b", "old")
	r := begin(t, s, false)
	has(t, r, "a", "old", "b", "old")
	apply(t, w, deleteOp("c"))
	has(t, w, "a", "new", "d", "old")
	commit(t, w)
	has(t, s, "a", "new", "d", "old")
	has(t, r, "a", "old", "b", "old")
}

func testCommit(t *testing.T, s engine.Transactor) {
	w := begin(t, s, true)
	put(t, w, "a", "1")
	commit(t, w)
	rollback(t, w) // does nothing
	has(t, s, "a", "1")
	empty := begin(t, s, true)
	commit(t, empty)
	r := begin(t, s, false)
	has(t, r, "a", "1")
	commit(t, r)
	rollback(t, r)
	put(t, s, "b", "2")
	has(t, s, "a", "1", "b", "2")
}

func testRollback(t *testing.T, s engine.Transactor) {
	put(t, s, "a", "1")
	tag := stat(t, s, "a").Meta.Tag
	w := begin(t, s, true)
	apply(t, w, putOp("a", "2"), putOp("b", "2"))
	apply(t, w, rangeOp("", ""))
	apply(t, w, stagedOp("c", stage(t, w, 10, noise(95))))
	rollback(t, w)
	rollback(t, w)
	has(t, s, "a", "1")
	if got := stat(t, s, "a").Meta.Tag; got != tag {
		t.Errorf("tag after a rollback: %s, want %s", got, tag)
	}
	put(t, s, "b", "3")
	has(t, s, "a", "1", "b", "3")
}

// txCalls is one call of each method of a transaction but Rollback.
func txCalls(ctx context.Context, tx engine.Tx, key string) map[string]func() error {
	calls := readCalls(ctx, tx, key)
	calls["Apply"] = func() error { _, err := tx.Apply(ctx, []engine.Op{putOp(key, "x")}); return err }
	calls["Copy"] = func() error { _, err := tx.Apply(ctx, []engine.Op{copyOp(key, key+" copy")}); return err }
	calls["SetMeta"] = func() error { _, err := tx.Apply(ctx, []engine.Op{metaOp(key)}); return err }
	calls["Stage"] = func() error {
		return ended(tx.Stage(ctx, engine.StageOptions{ChunkSize: 10, Size: -1}))(engine.Stage.Abort)
	}
	calls["Commit"] = func() error { return tx.Commit(ctx) }
	return calls
}

func testTxDone(t *testing.T, s engine.Transactor) {
	put(t, s, "k", "value")
	for _, writable := range []bool{false, true} {
		for what, end := range map[string]func(*testing.T, engine.Tx){"Commit": commit, "Rollback": rollback} {
			tx := begin(t, s, writable)
			holds(t, tx, "k", []byte("value"))
			end(t, tx)
			for name, call := range txCalls(t.Context(), tx, "k") {
				wantErr(t, name+" after "+what, call(), engine.ErrTxDone)
			}
			rollback(t, tx)
		}
	}
	has(t, s, "k", "value")
}

func testReadOnly(t *testing.T, s engine.Transactor) {
	put(t, s, "k", "value")
	r := begin(t, s, false)
	for _, op := range []engine.Op{putOp("k", "new"), copyOp("k", "l"), metaOp("k")} {
		_, err := r.Apply(t.Context(), []engine.Op{op})
		wantErr(t, "Apply", err, engine.ErrReadOnly)
	}
	_, err := r.Stage(t.Context(), engine.StageOptions{ChunkSize: 10, Size: -1})
	wantErr(t, "Stage", err, engine.ErrReadOnly)
	holds(t, r, "k", []byte("value"))
	commit(t, r)
	has(t, s, "k", "value")
}

func testFailedApply(t *testing.T, s engine.Transactor) {
	put(t, s, "a", "1")
	w := begin(t, s, true)
	put(t, w, "b", "2")
	absent := putOp("a", "x")
	absent.If.Absent = true
	applyFails(t, w, engine.ErrExists, 2, putOp("c", "3"), deleteOp("b"), absent)
	applyFails(t, w, engine.ErrNotFound, 1, rangeOp("", ""), renameOp("a", "z"))
	has(t, w, "a", "1", "b", "2")
	put(t, w, "d", "4")
	commit(t, w)
	has(t, s, "a", "1", "b", "2", "d", "4")
}

func testTxBlobs(t *testing.T, s engine.Transactor) {
	large := noise(largeSize)
	put(t, s, "small", "value")
	apply(t, s, engine.Op{Kind: engine.Put, Key: "large", Value: large, Meta: newMeta()})
	for _, writable := range []bool{false, true} {
		for _, end := range []func(*testing.T, engine.Tx){commit, rollback} {
			tx := begin(t, s, writable)
			a, b := openBlob(t, tx, "small"), openBlob(t, tx, "large")
			blobHolds(t, a, []byte("value"))
			blobHolds(t, b, large)
			for _, b := range []engine.Blob{a, b} {
				if err := b.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			}
			left := []engine.Blob{openBlob(t, tx, "small"), openBlob(t, tx, "large")}
			end(t, tx)
			for _, b := range left {
				_, err := b.ReadAt(t.Context(), make([]byte, 1), 0)
				wantErr(t, "ReadAt of "+b.Entry().Key+" after the transaction", err, engine.ErrTxDone)
				if err := b.Close(); err != nil {
					t.Errorf("Close after the transaction: %v", err)
				}
			}
		}
	}
	outside := openBlob(t, s, "large")
	w := begin(t, s, true)
	put(t, w, "large", "small now")
	commit(t, w)
	blobHolds(t, outside, large)
}

func testTxStages(t *testing.T, s engine.Transactor) {
	value := noise(95)
	w := begin(t, s, true)
	apply(t, w, stagedOp("k", stage(t, w, 10, value)))
	left := stage(t, w, 10, value)
	lacks(t, s, "k")
	commit(t, w)
	has(t, s, "k", string(value))
	if err := left.WriteChunk(t.Context(), []byte("x")); err == nil {
		t.Error("WriteChunk after the transaction succeeded")
	}
	if err := left.Abort(); err != nil {
		wantErr(t, "Abort after the transaction", err, engine.ErrTxDone)
	}
	has(t, s, "k", string(value))
}

// testStoreStageInTx publishes a value that was written before the transaction began.
func testStoreStageInTx(t *testing.T, s engine.Transactor) {
	value := noise(300_000)
	st := stage(t, s, 65536, value)
	w := begin(t, s, true)
	apply(t, w, stagedOp("k", st), putOp("about k", "metadata"))
	holds(t, w, "k", value)
	lacks(t, s, "k")
	commit(t, w)
	got, err := s.Get(t.Context(), "k")
	if err != nil || !bytes.Equal(got, value) {
		t.Errorf("Get after the commit: %d bytes, %v", len(got), err)
	}
}

func testTxCanceled(t *testing.T, s engine.Transactor) {
	put(t, s, "k", "value")
	for _, writable := range []bool{false, true} {
		_, err := s.Begin(canceled(t), writable)
		wantErr(t, "Begin", err, context.Canceled)
	}
	w := begin(t, s, true)
	put(t, w, "k", "new")
	for what, call := range txCalls(canceled(t), w, "k") {
		wantErr(t, what, call(), context.Canceled)
	}
	rollback(t, w)
	has(t, s, "k", "value")
}
