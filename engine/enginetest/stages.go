package enginetest

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/kohakuvault/kvault/engine"
)

func stageTests() []targetTest {
	return []targetTest{
		{"StageSizes", testStageSizes},
		{"StageIsInvisible", testStageInvisible},
		{"StageChunkRules", testStageRules},
		{"StageOptions", testStageOptions},
		{"StageAbort", testStageAbort},
		{"StageAfterAFailedApply", testStageReuse},
		{"StageIsUsedUp", testStageUsedUp},
		{"StageReplacesAndIsReplaced", testStageReplaces},
		{"StagesAtOnce", testStagesAtOnce},
		{"StageOfAnotherStore", testForeignStage},
		{"CanceledStage", testCanceledStage},
	}
}

func testStageSizes(t *testing.T, x target) {
	for _, tt := range []struct{ chunk, size int }{
		{1, 0}, {1, 1}, {1, 20}, {10, 0}, {10, 1}, {10, 9}, {10, 10}, {10, 11}, {10, 20}, {10, 205},
		{4096, 100_000}, {65536, 65536}, {65536, largeSize}, {1 << 20, 1<<20 + 1}, {4 << 20, 4<<20 + 5}, {1 << 24, 100},
	} {
		value, key := noise(tt.size), fmt.Sprintf("%d by %d", tt.size, tt.chunk)
		st := stage(t, x, tt.chunk, value)
		if st.Size() != int64(tt.size) || st.Sum() != sumOf(value) {
			t.Errorf("%s: stage has %d bytes, sum %d; want sum %d", key, st.Size(), st.Sum(), sumOf(value))
		}
		res := apply(t, x, stagedOp(key, st))[0]
		if foundByPut(t, x, res, false); res.Entry.Size != int64(tt.size) || res.Entry.Meta.Sum != sumOf(value) || !res.Entry.Meta.HasSum {
			t.Errorf("%s: result %+v", key, res)
		}
		if e := stat(t, x, key); e.Size != int64(tt.size) || e.Meta.Sum != sumOf(value) || e.Meta.Tag != res.Entry.Meta.Tag {
			t.Errorf("%s: Stat %+v", key, e)
		}
		holds(t, x, key, value)
		blobHolds(t, openBlob(t, x, key), value)
	}
}

func testStageInvisible(t *testing.T, x target) {
	put(t, x, "k", "old")
	st := stage(t, x, 10, noise(95))
	has(t, x, "k", "old")
	if n, err := x.Count(t.Context(), engine.Range{}); n != 1 || err != nil {
		t.Errorf("Count with a stage open: %d, %v", n, err)
	}
	apply(t, x, stagedOp("k", st))
	has(t, x, "k", string(noise(95)))
}

func testStageRules(t *testing.T, x target) {
	ctx := t.Context()
	st := stage(t, x, 10, nil)
	p := []byte("0123456789")
	wantErr(t, "a chunk too long", st.WriteChunk(ctx, append(p, 'x')), engine.ErrInvalid)
	if st.Size() != 0 {
		t.Errorf("a refused chunk was added: %d bytes", st.Size())
	}
	for i := range 2 {
		if err := st.WriteChunk(ctx, p); err != nil {
			t.Fatalf("WriteChunk: %v", err)
		}
		if st.Size() != int64(10*(i+1)) || st.Sum() != sumOf([]byte("0123456789ABCDEFGHIJ"[:10*(i+1)])) {
			t.Errorf("after chunk %d: %d bytes, sum %d", i, st.Size(), st.Sum())
		}
		copy(p, "ABCDEFGHIJ") // the stage must not have kept p
	}
	if err := st.WriteChunk(ctx, []byte("end")); err != nil {
		t.Fatalf("WriteChunk of a short one: %v", err)
	}
	wantErr(t, "a chunk after the last", st.WriteChunk(ctx, p), engine.ErrInvalid)
	wantErr(t, "a short chunk after the last", st.WriteChunk(ctx, p[:1]), engine.ErrInvalid)
	apply(t, x, stagedOp("k", st))
	holds(t, x, "k", []byte("0123456789ABCDEFGHIJend"))
}

func testStageOptions(t *testing.T, x target) {
	for _, chunk := range []int{0, -1} {
		_, err := x.Stage(t.Context(), engine.StageOptions{ChunkSize: chunk, Size: -1})
		wantErr(t, fmt.Sprintf("Stage with chunks of %d", chunk), err, engine.ErrInvalid)
	}
	st := stage(t, x, 10, nil)
	if err := st.WriteChunk(t.Context(), nil); err != nil || st.Size() != 0 {
		t.Errorf("an empty chunk: %v, stage of %d bytes", err, st.Size())
	}
	apply(t, x, stagedOp("empty", st))
	holds(t, x, "empty", nil)
	for _, size := range []int64{-1, 0, 3, 1000} { // a hint may be wrong
		st, err := x.Stage(t.Context(), engine.StageOptions{ChunkSize: 10, Size: size})
		if err != nil {
			t.Fatalf("Stage with size %d: %v", size, err)
		}
		if err := st.WriteChunk(t.Context(), []byte("01234")); err != nil {
			t.Fatalf("WriteChunk with size %d: %v", size, err)
		}
		apply(t, x, stagedOp("k", st))
		holds(t, x, "k", []byte("01234"))
	}
}

func testStageAbort(t *testing.T, x target) {
	for _, size := range []int{0, 5, 95} {
		st := stage(t, x, 10, noise(size))
		for range 2 {
			if err := st.Abort(); err != nil {
				t.Errorf("Abort: %v", err)
			}
		}
		if err := st.WriteChunk(t.Context(), []byte("0123456789")); err == nil {
			t.Error("WriteChunk after Abort succeeded")
		}
		applyFails(t, x, engine.ErrInvalid, 1, putOp("a", "1"), stagedOp("k", st))
	}
	has(t, x)
}

func testStageReuse(t *testing.T, x target) {
	put(t, x, "k", "old")
	st := stage(t, x, 10, noise(90))
	op := stagedOp("k", st)
	op.If.Absent = true
	applyFails(t, x, engine.ErrExists, 0, op)
	applyFails(t, x, engine.ErrNotFound, 1, stagedOp("k", st), renameOp("missing", "m"))
	has(t, x, "k", "old")
	if err := st.WriteChunk(t.Context(), []byte("more")); err != nil {
		t.Fatalf("WriteChunk after a failed Apply: %v", err)
	}
	apply(t, x, stagedOp("k", st))
	holds(t, x, "k", append(noise(90), "more"...))
}

func testStageUsedUp(t *testing.T, x target) {
	for _, size := range []int{5, 95} {
		value := noise(size)
		st := stage(t, x, 10, value)
		apply(t, x, stagedOp("k", st))
		applyFails(t, x, engine.ErrInvalid, 0, stagedOp("l", st))
		if err := st.WriteChunk(t.Context(), []byte("x")); err == nil {
			t.Error("WriteChunk after the stage was applied succeeded")
		}
		if err := st.Abort(); err != nil {
			t.Errorf("Abort after the stage was applied: %v", err)
		}
		has(t, x, "k", string(value))
	}
	st := stage(t, x, 10, noise(25))
	if single(x) {
		apply(t, x, stagedOp("m", st))
		applyFails(t, x, engine.ErrInvalid, 0, stagedOp("n", st))
		lacks(t, x, "n")
		return
	}
	applyFails(t, x, engine.ErrInvalid, 1, stagedOp("m", st), stagedOp("n", st))
	lacks(t, x, "m")
}

func testStageReplaces(t *testing.T, x target) {
	a, b := noise(95), noise(300_000)
	apply(t, x, stagedOp("k", stage(t, x, 10, a)))
	apply(t, x, stagedOp("k", stage(t, x, 4096, b)))
	holds(t, x, "k", b)
	put(t, x, "k", "small")
	has(t, x, "k", "small")
	apply(t, x, stagedOp("k", stage(t, x, 10, a)))
	if res := apply(t, x, takeOp("k"))[0]; !bytes.Equal(res.Value, a) {
		t.Errorf("taking a staged value: %d bytes, want %d", len(res.Value), len(a))
	}
	apply(t, x, stagedOp("k", stage(t, x, 4096, b)), stagedOp("l", stage(t, x, 10, a)))
	if res := apply(t, x, rangeOp("", ""))[0]; res.Removed != 2 {
		t.Errorf("%d removed, want 2", res.Removed)
	}
	has(t, x)
}

func testStagesAtOnce(t *testing.T, x target) {
	first, second := stage(t, x, 10, nil), stage(t, x, 7, nil)
	for i := range 20 {
		if err := first.WriteChunk(t.Context(), bytes.Repeat([]byte{byte(i)}, 10)); err != nil {
			t.Fatalf("WriteChunk: %v", err)
		}
		if err := second.WriteChunk(t.Context(), bytes.Repeat([]byte{byte(100 + i)}, 7)); err != nil {
			t.Fatalf("WriteChunk: %v", err)
		}
		put(t, x, fmt.Sprint("k", i%3), "between")
	}
	var a, b []byte
	for i := range 20 {
		a = append(a, bytes.Repeat([]byte{byte(i)}, 10)...)
		b = append(b, bytes.Repeat([]byte{byte(100 + i)}, 7)...)
	}
	apply(t, x, stagedOp("a", first), stagedOp("b", second))
	holds(t, x, "a", a)
	holds(t, x, "b", b)
}

// foreign is a stage that no engine made.
type foreign struct{ engine.Stage }

func testForeignStage(t *testing.T, x target) {
	st := stage(t, x, 10, noise(25))
	applyFails(t, x, engine.ErrInvalid, 0, stagedOp("k", foreign{st}))
	apply(t, x, stagedOp("k", st))
	holds(t, x, "k", noise(25))
}

func testCanceledStage(t *testing.T, x target) {
	ctx := canceled(t)
	_, err := x.Stage(ctx, engine.StageOptions{ChunkSize: 10, Size: -1})
	wantErr(t, "Stage", err, context.Canceled)
	st := stage(t, x, 10, noise(10))
	wantErr(t, "WriteChunk", st.WriteChunk(ctx, []byte("0123456789")), context.Canceled)
	if st.Size() != 10 {
		t.Errorf("a failed WriteChunk added to the stage: %d bytes", st.Size())
	}
	if err := st.WriteChunk(t.Context(), []byte("0123456789")); err != nil {
		t.Fatalf("the same chunk again: %v", err)
	}
	apply(t, x, stagedOp("k", st))
	holds(t, x, "k", append(noise(10), "0123456789"...))
}
