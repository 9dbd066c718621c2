package enginetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/kohakuvault/kvault/engine"
)

// arrayCalls are the calls that name an array, or a chunk of one; those that change come first.
func arrayCalls(ctx context.Context, x engine.Arrays, id, chunk int64) (change, read map[string]func() error) {
	change = map[string]func() error{
		"DropArray":      func() error { return x.DropArray(ctx, id) },
		"RenameArray":    func() error { return x.RenameArray(ctx, id, "new") },
		"SetArrayLength": func() error { return x.SetArrayLength(ctx, id, 1) },
		"WriteChunk":     func() error { return x.WriteChunk(ctx, id, chunk, 0, []byte{1}) },
		"ResizeChunk":    func() error { return x.ResizeChunk(ctx, id, 0, 1) },
		"SetChunkUsed":   func() error { return x.SetChunkUsed(ctx, id, chunk, 0, false) },
		"TruncateChunks": func() error { return x.TruncateChunks(ctx, id, 0) },
	}
	read = map[string]func() error{
		"ReadChunk": func() error { return x.ReadChunk(ctx, id, chunk, 0, make([]byte, 1)) },
		"Chunks":    func() error { _, err := x.Chunks(ctx, id); return err },
		"ChunkSize": func() error { _, err := x.ChunkSize(ctx, id, chunk); return err },
		"ChunkUsed": func() error { _, _, err := x.ChunkUsed(ctx, id, chunk); return err },
	}
	return change, read
}

func testArrayMissing(t *testing.T, s arrayStore) {
	for _, name := range []string{"in an empty store", "beside another"} {
		x := beginArrays(t, s, true)
		id := int64(12345)
		if name == "beside another" {
			id += createArray(t, x, "a").ID
		}
		change, read := arrayCalls(t.Context(), x, id, 0)
		for call, run := range change {
			wantErr(t, call+" "+name, run(), engine.ErrNotFound)
		}
		for call, run := range read {
			wantErr(t, call+" "+name, run(), engine.ErrNotFound)
		}
		rollbackArrays(t, x)
	}
}

func testArrayReadOnly(t *testing.T, s arrayStore) {
	x := beginArrays(t, s, true)
	a := createArray(t, x, "a")
	must(t, "ResizeChunk", x.ResizeChunk(t.Context(), a.ID, 0, 8))
	commitArrays(t, x)
	x = beginArrays(t, s, false)
	change, read := arrayCalls(t.Context(), x, a.ID, 0)
	for call, run := range change {
		wantErr(t, call, run(), engine.ErrReadOnly)
	}
	for call, run := range read {
		must(t, call, run())
	}
	_, err := x.CreateArray(t.Context(), newArray("b"))
	wantErr(t, "CreateArray", err, engine.ErrReadOnly)
}

func testArrayRollback(t *testing.T, s arrayStore) {
	ctx, x := t.Context(), beginArrays(t, s, true)
	createArray(t, x, "never")
	rollbackArrays(t, x)
	x = beginArrays(t, s, true)
	a := createArray(t, x, "a")
	must(t, "ResizeChunk", x.ResizeChunk(ctx, a.ID, 0, 4))
	must(t, "WriteChunk", x.WriteChunk(ctx, a.ID, 0, 0, []byte("kept")))
	commitArrays(t, x)
	x = beginArrays(t, s, true)
	must(t, "WriteChunk", x.WriteChunk(ctx, a.ID, 0, 0, []byte("lost")))
	must(t, "SetArrayLength", x.SetArrayLength(ctx, a.ID, 4))
	must(t, "ResizeChunk", x.ResizeChunk(ctx, a.ID, 1, 4))
	rollbackArrays(t, x)
	x = beginArrays(t, s, false)
	if list, err := x.Arrays(ctx); err != nil || len(list) != 1 || list[0] != a {
		t.Errorf("Arrays: %+v, %v; want %+v", list, err, a)
	}
	if n, err := x.Chunks(ctx, a.ID); n != 1 || err != nil {
		t.Errorf("Chunks: %d, %v; want 1", n, err)
	}
	chunkHolds(t, x, a.ID, 0, []byte("kept"))
}

// Keys and arrays change in one transaction, in any order, and a batch that fails between takes
// nothing of the array with it.
func testArraysBesideKeys(t *testing.T, s engine.Transactor) {
	ctx, x := t.Context(), beginBoth(t, s, true)
	a := createArray(t, x, "a")
	must(t, "ResizeChunk", x.ResizeChunk(ctx, a.ID, 0, 6))
	must(t, "WriteChunk", x.WriteChunk(ctx, a.ID, 0, 0, []byte("abc")))
	put(t, x, "k", "v")
	must(t, "WriteChunk", x.WriteChunk(ctx, a.ID, 0, 1, []byte("XYZ")))
	applyFails(t, x, engine.ErrNotFound, 1, putOp("k", "lost"), renameOp("none", "k2"))
	chunkHolds(t, x, a.ID, 0, []byte("aXYZ\x00\x00"))
	must(t, "WriteChunk", x.WriteChunk(ctx, a.ID, 0, 5, []byte("!")))
	apply(t, x, stagedOp("staged", stage(t, x, 10, noise(25))))
	must(t, "WriteChunk", x.WriteChunk(ctx, a.ID, 0, 4, []byte("?")))
	commit(t, x)
	x = beginBoth(t, s, false)
	chunkHolds(t, x, a.ID, 0, []byte("aXYZ?!"))
	has(t, x, "k", "v", "staged", string(noise(25)))
}

func testArraySnapshot(t *testing.T, s arrayStore) {
	ctx, w := t.Context(), beginArrays(t, s, true)
	a := createArray(t, w, "a")
	must(t, "ResizeChunk", w.ResizeChunk(ctx, a.ID, 0, 3))
	commitArrays(t, w)
	before := beginArrays(t, s, false)
	w = beginArrays(t, s, true)
	must(t, "WriteChunk", w.WriteChunk(ctx, a.ID, 0, 0, []byte("new")))
	createArray(t, w, "b")
	commitArrays(t, w)
	chunkHolds(t, before, a.ID, 0, make([]byte, 3))
	_, err := before.Array(ctx, "b")
	wantErr(t, "Array", err, engine.ErrNotFound)
	chunkHolds(t, beginArrays(t, s, false), a.ID, 0, []byte("new"))
}

func testArrayAfterTheEnd(t *testing.T, s arrayStore) {
	x := beginArrays(t, s, true)
	a := createArray(t, x, "a")
	must(t, "ResizeChunk", x.ResizeChunk(t.Context(), a.ID, 0, 8))
	must(t, "WriteChunk", x.WriteChunk(t.Context(), a.ID, 0, 0, []byte{1}))
	commitArrays(t, x)
	change, read := arrayCalls(t.Context(), x, a.ID, 0)
	for call, run := range change {
		wantErr(t, call, run(), engine.ErrTxDone)
	}
	for call, run := range read {
		wantErr(t, call, run(), engine.ErrTxDone)
	}
	_, err := x.Arrays(t.Context())
	wantErr(t, "Arrays", err, engine.ErrTxDone)
	_, err = x.Array(t.Context(), "a")
	wantErr(t, "Array", err, engine.ErrTxDone)
	_, err = x.CreateArray(t.Context(), newArray("b"))
	wantErr(t, "CreateArray", err, engine.ErrTxDone)
}

// testArrayModel compares random changes, some of them rolled back, with slices of bytes.
func testArrayModel(t *testing.T, s arrayStore) {
	ctx := t.Context()
	r := rand.New(rand.NewPCG(1, 2))
	x := beginArrays(t, s, true)
	a := createArray(t, x, "a")
	commitArrays(t, x)
	var kept [][]byte
	for range 60 {
		x := beginArrays(t, s, true)
		now := make([][]byte, len(kept))
		for i, c := range kept {
			now[i] = bytes.Clone(c)
		}
		for range r.IntN(8) {
			i := int64(r.IntN(len(now) + 1))
			switch k := r.IntN(10); {
			case k == 0:
				must(t, "TruncateChunks", x.TruncateChunks(ctx, a.ID, i))
				now = now[:i]
			case k < 4 || i == int64(len(now)):
				size := r.IntN(20_000)
				must(t, "ResizeChunk", x.ResizeChunk(ctx, a.ID, i, int64(size)))
				if i == int64(len(now)) {
					now = append(now, nil)
				}
				now[i] = append(now[i], make([]byte, max(0, size-len(now[i])))...)[:size:size]
			default:
				off := r.IntN(len(now[i]) + 1)
				p := noise(r.IntN(len(now[i]) - off + 1))
				must(t, "WriteChunk", x.WriteChunk(ctx, a.ID, i, int64(off), p))
				copy(now[i][off:], p)
			}
		}
		for i, c := range now {
			chunkHolds(t, x, a.ID, int64(i), c)
		}
		if r.IntN(3) == 0 {
			rollbackArrays(t, x)
			continue
		}
		commitArrays(t, x)
		kept = now
	}
	x = beginArrays(t, s, false)
	for i, c := range kept {
		chunkHolds(t, x, a.ID, int64(i), c)
	}
	if n, err := x.Chunks(ctx, a.ID); err != nil || n != int64(len(kept)) {
		t.Error(errors.Join(err, fmt.Errorf("%d chunks, want %d", n, len(kept))))
	}
}
