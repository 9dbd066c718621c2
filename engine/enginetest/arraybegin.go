package enginetest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/ctxtest"
)

// runBeginArrays tests a store with transactions of arrays alone.
func runBeginArrays(t *testing.T, opened func(t *testing.T) engine.ArrayBeginner) {
	tests := append(arrayTests(),
		arrayTest{"WritersDoNotWait", testArrayWriters},
		arrayTest{"Conflicts", testArrayConflicts},
		arrayTest{"CommitIDs", testCommitIDs},
		arrayTest{"Done", testArrayDone},
		arrayTest{"ContextEndsInCommit", testCommitEnds},
		arrayTest{"ConcurrentAppends", testArrayAppends},
		arrayTest{"ConcurrentUse", testArrayConcurrent},
	)
	t.Run("BeginArrays", func(t *testing.T) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) { tt.run(t, arrayStore{opened(t).BeginArrays}) })
		}
		t.Run("Closed", func(t *testing.T) { testArraysClosed(t, opened(t)) })
		t.Run("BesideKeys", func(t *testing.T) { testBeginBesideKeys(t, opened(t)) })
	})
}

// arrayContent is all that a transaction sees of an array.
type arrayContent struct {
	engine.Array
	Chunks  []string
	Used    []int64
	Deleted []bool
}

// contentOf reads all arrays.
func contentOf(t *testing.T, x engine.Arrays) []arrayContent {
	t.Helper()
	ctx := t.Context()
	list, err := x.Arrays(ctx)
	must(t, "Arrays", err)
	var all []arrayContent
	for _, a := range list {
		c := arrayContent{Array: a}
		n, err := x.Chunks(ctx, a.ID)
		must(t, "Chunks", err)
		for i := range n {
			size, err := x.ChunkSize(ctx, a.ID, i)
			must(t, "ChunkSize", err)
			p := make([]byte, size)
			must(t, "ReadChunk", x.ReadChunk(ctx, a.ID, i, 0, p))
			used, deleted, err := x.ChunkUsed(ctx, a.ID, i)
			must(t, "ChunkUsed", err)
			c.Chunks = append(c.Chunks, string(p))
			c.Used, c.Deleted = append(c.Used, used), append(c.Deleted, deleted)
		}
		all = append(all, c)
	}
	return all
}

func sees(t *testing.T, what string, x engine.Arrays, want []arrayContent) {
	t.Helper()
	if diff := cmp.Diff(want, contentOf(t, x)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// seesNow is sees of a new transaction.
func seesNow(t *testing.T, what string, s arrayStore, want []arrayContent) {
	t.Helper()
	x := beginArrays(t, s, false)
	sees(t, what, x, want)
	rollbackArrays(t, x)
}

// twoArrays makes the arrays a and b with a chunk each.
func twoArrays(t *testing.T, s arrayStore) (a, b engine.Array) {
	t.Helper()
	x := beginArrays(t, s, true)
	a, b = createArray(t, x, "a"), createArray(t, x, "b")
	for _, id := range []int64{a.ID, b.ID} {
		must(t, "ResizeChunk", x.ResizeChunk(t.Context(), id, 0, 8))
		must(t, "WriteChunk", x.WriteChunk(t.Context(), id, 0, 0, []byte("original")))
	}
	commitArrays(t, x)
	return a, b
}

// testArrayWriters has two writers open at once, each of which sees its own changes alone.
func testArrayWriters(t *testing.T, s arrayStore) {
	ctx := t.Context()
	a, _ := twoArrays(t, s)
	first, second, reader := beginArrays(t, s, true), beginArrays(t, s, true), beginArrays(t, s, false)
	before := contentOf(t, reader)
	must(t, "WriteChunk", first.WriteChunk(ctx, a.ID, 0, 0, []byte("first")))
	must(t, "WriteChunk", second.WriteChunk(ctx, a.ID, 0, 0, []byte("second")))
	chunkHolds(t, first, a.ID, 0, []byte("firstnal"))
	chunkHolds(t, second, a.ID, 0, []byte("secondal"))
	sees(t, "a snapshot", reader, before)
	commitArrays(t, first)
	chunkHolds(t, second, a.ID, 0, []byte("secondal"))
	sees(t, "a snapshot after a commit", reader, before)
	rollbackArrays(t, second)
	sees(t, "a snapshot after a rollback", reader, before)
	chunkHolds(t, beginArrays(t, s, false), a.ID, 0, []byte("firstnal"))
}

// testCommitIDs commits appends under ids, some of which were taken before.
func testCommitIDs(t *testing.T, s arrayStore) {
	ctx := t.Context()
	a, b := twoArrays(t, s)
	chunks := int64(1)
	prepare := func() engine.ArrayTx {
		x := beginArrays(t, s, true)
		must(t, "append", appendTo("more").do(ctx, x, a.ID, b.ID))
		return x
	}
	commitAs := func(what string, x engine.ArrayTx, id string, adds int64) {
		t.Helper()
		if err := x.Commit(ctx, id); err != nil {
			t.Errorf("%s: Commit: %v", what, err)
		}
		_, err := x.Arrays(ctx)
		wantErr(t, what+": Arrays after a Commit", err, engine.ErrTxDone)
		chunks += adds
		now := beginArrays(t, s, false)
		if n, err := now.Chunks(ctx, a.ID); n != chunks || err != nil {
			t.Fatalf("%s: %d chunks, %v; want %d", what, n, err, chunks)
		}
		rollbackArrays(t, now)
	}
	beside := prepare() // of the snapshot before the first
	commitAs("a new id", prepare(), "one", 1)
	commitAs("the same, begun before", beside, "one", 0)
	commitAs("the same, begun after", prepare(), "one", 0)
	commitAs("another", prepare(), "two", 1)
	commitAs("no id", prepare(), "", 1)
	commitAs("no id again", prepare(), "", 1)
	commitAs("the first again, after others", prepare(), "one", 0)

	loser := prepare()
	commitAs("a writer that is faster", prepare(), "three", 1)
	wantErr(t, "Commit of one that is slower", loser.Commit(ctx, "four"), engine.ErrConflict)
	commitAs("the id of one that lost", prepare(), "four", 1)

	rolled := prepare()
	err := rolled.Commit(canceled(t), "five")
	wantErr(t, "Commit with a context that has ended", err, context.Canceled)
	rollbackArrays(t, rolled)
	commitAs("the id of one that never was", prepare(), "five", 1)
}

// testArrayDone ends transactions in each way.
func testArrayDone(t *testing.T, s arrayStore) {
	a, _ := twoArrays(t, s)
	for _, writable := range []bool{false, true} {
		for what, end := range map[string]func(engine.ArrayTx) error{
			"Commit":   func(x engine.ArrayTx) error { return x.Commit(t.Context(), "") },
			"Rollback": engine.ArrayTx.Rollback,
		} {
			x := beginArrays(t, s, writable)
			chunkHolds(t, x, a.ID, 0, []byte("original"))
			must(t, what, end(x))
			change, read := arrayCalls(t.Context(), x, a.ID, 0)
			for _, calls := range []map[string]func() error{change, read} {
				for call, run := range calls {
					wantErr(t, call+" after "+what, run(), engine.ErrTxDone)
				}
			}
			wantErr(t, "Commit after "+what, x.Commit(t.Context(), "id"), engine.ErrTxDone)
			rollbackArrays(t, x)
			rollbackArrays(t, x)
		}
	}
}

// testCommitEnds ends the context of a commit, which then took effect as a whole or not at all.
func testCommitEnds(t *testing.T, s arrayStore) {
	a, _ := twoArrays(t, s)
	begun := 0
	ctxtest.During(t, "BeginArrays", func(ctx context.Context) error {
		x, err := s.begin(ctx, true)
		if err == nil {
			begun++
			err = x.Rollback()
		}
		return err
	})
	if begun == 0 {
		t.Error("no transaction began")
	}
	ctxtest.During(t, "Commit", func(ctx context.Context) error {
		x := beginArrays(t, s, true)
		defer x.Rollback()
		n, err := x.Chunks(t.Context(), a.ID)
		must(t, "Chunks", err)
		must(t, "ResizeChunk", x.ResizeChunk(t.Context(), a.ID, n, 8))
		must(t, "SetArrayLength", x.SetArrayLength(t.Context(), a.ID, n+1))
		committed := x.Commit(ctx, "")
		now := beginArrays(t, s, false)
		defer now.Rollback()
		got, err := now.Chunks(t.Context(), a.ID)
		must(t, "Chunks", err)
		info, err := now.Array(t.Context(), "a")
		must(t, "Array", err)
		switch {
		case got == n+1 && info.Length == n+1:
			if errors.Is(committed, engine.ErrUnknown) {
				return nil // which it may be
			}
		case got != n || info.Length == n+1 || committed == nil:
			t.Errorf("Commit: %v; %d chunks and length %d, were %d", committed, got, info.Length, n)
		}
		return committed
	})
}

// testArrayAppends has many writers append to one array, each again as long as another is faster:
// none of what they append is lost or there twice, and each writer's is in order.
func testArrayAppends(t *testing.T, s arrayStore) {
	const writers, each, perChunk = 8, 12, 5
	x := beginArrays(t, s, true)
	id := createArray(t, x, "log").ID
	commitArrays(t, x)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := range each {
				elem := binary.BigEndian.AppendUint64(nil, uint64(w)<<32|uint64(n))
				commit := fmt.Sprint(w, "/", n)
				err := engine.ErrConflict
				for errors.Is(err, engine.ErrConflict) {
					err = appendElement(t.Context(), s, id, elem, perChunk, commit)
				}
				if err != nil {
					t.Errorf("append %s: %v", commit, err)
					return
				}
			}
		})
	}
	wg.Wait()
	content := contentOf(t, beginArrays(t, s, false))
	if len(content) != 1 || content[0].Length != writers*each {
		t.Fatalf("arrays %+v, want one of %d elements", content, writers*each)
	}
	next := [writers]uint64{}
	count := 0
	for _, chunk := range content[0].Chunks {
		for ; len(chunk) >= 8; chunk = chunk[8:] {
			e := binary.BigEndian.Uint64([]byte(chunk[:8]))
			if w := e >> 32; w >= writers || e&0xFFFFFFFF != next[w] {
				t.Fatalf("element %d is number %d of writer %d, want %v", count, e&0xFFFFFFFF, w, next)
			}
			next[e>>32]++
			count++
		}
	}
	if count != writers*each {
		t.Errorf("%d elements, want %d", count, writers*each)
	}
}

// appendElement adds elem to the last chunk, or to a new one if that is full.
func appendElement(
	ctx context.Context, s arrayStore, id int64, elem []byte, perChunk int64, commit string,
) error {
	x, err := s.begin(ctx, true)
	if err != nil {
		return err
	}
	defer x.Rollback()
	a, err := x.Array(ctx, "log")
	if err != nil {
		return err
	}
	chunk, off := a.Length/perChunk, a.Length%perChunk*int64(len(elem))
	err = x.ResizeChunk(ctx, id, chunk, off+int64(len(elem)))
	if err == nil {
		err = x.WriteChunk(ctx, id, chunk, off, elem)
	}
	if err == nil {
		err = x.SetArrayLength(ctx, id, a.Length+1)
	}
	if err != nil {
		return err
	}
	return x.Commit(ctx, commit)
}

// testArrayConcurrent uses one transaction from several goroutines.
func testArrayConcurrent(t *testing.T, s arrayStore) {
	x := beginArrays(t, s, true)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 10 {
				text := fmt.Appendf(nil, "%d/%d", i, n)
				a, err := x.CreateArray(t.Context(), newArray(string(text)))
				if err == nil {
					err = x.ResizeChunk(t.Context(), a.ID, 0, int64(len(text)))
				}
				if err == nil {
					err = x.WriteChunk(t.Context(), a.ID, 0, 0, text)
				}
				if err != nil {
					t.Errorf("array %s: %v", text, err)
				}
			}
		})
	}
	wg.Wait()
	commitArrays(t, x)
	content := contentOf(t, beginArrays(t, s, false))
	if len(content) != 40 {
		t.Fatalf("%d arrays, want 40", len(content))
	}
	for _, c := range content {
		if len(c.Chunks) != 1 || c.Chunks[0] != c.Name {
			t.Errorf("array %s has chunks %q", c.Name, c.Chunks)
		}
	}
}

// testArraysClosed closes a store with transactions open.
func testArraysClosed(t *testing.T, s engine.ArrayBeginner) {
	arrays := arrayStore{s.BeginArrays}
	a, _ := twoArrays(t, arrays)
	open := []engine.ArrayTx{beginArrays(t, arrays, false), beginArrays(t, arrays, true)}
	must(t, "Close", s.Close())
	for _, x := range open {
		change, read := arrayCalls(t.Context(), x, a.ID, 0)
		for _, calls := range []map[string]func() error{change, read} {
			for call, run := range calls {
				wantErr(t, call+" after Close", run(), engine.ErrClosed)
			}
		}
		wantErr(t, "Commit after Close", x.Commit(t.Context(), ""), engine.ErrClosed)
	}
}

// testBeginBesideKeys: keys and arrays do not touch each other, whatever they are called.
func testBeginBesideKeys(t *testing.T, s engine.ArrayBeginner) {
	arrays := arrayStore{s.BeginArrays}
	put(t, s, "a", "1", "b", "2")
	twoArrays(t, arrays)
	x := beginArrays(t, arrays, true)
	want := contentOf(t, x)
	has(t, s, "a", "1", "b", "2")
	apply(t, s, rangeOp("", ""))
	put(t, s, "c", "3")
	createArray(t, x, "c")
	commitArrays(t, x) // that keys have changed since is no conflict
	has(t, s, "c", "3")
	x = beginArrays(t, arrays, true)
	if got := contentOf(t, x); len(got) != 3 || !cmp.Equal(got[:2], want) {
		t.Errorf("arrays %+v, want %+v and c", got, want)
	}
	rollbackArrays(t, x)
}
