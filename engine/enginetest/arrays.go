package enginetest

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kohakuvault/kvault/engine"
)

// arrayTest runs on an empty store.
type arrayTest struct {
	name string
	run  func(t *testing.T, s arrayStore)
}

// arrayStore begins transactions with arrays: those of a Transactor, or those of arrays alone.
type arrayStore struct {
	begin func(ctx context.Context, writable bool) (engine.ArrayTx, error)
}

// arrayTests are for both kinds.
func arrayTests() []arrayTest {
	return []arrayTest{
		{"Names", testArrayNames},
		{"Invalid", testArrayInvalid},
		{"Chunks", testArrayChunks},
		{"ChunkBounds", testChunkBounds},
		{"Missing", testArrayMissing},
		{"ReadOnly", testArrayReadOnly},
		{"RollbackAndCommit", testArrayRollback},
		{"AfterTheEnd", testArrayAfterTheEnd},
		{"ContextEnds", testEndsInArrays},
		{"Model", testArrayModel},
		{"Snapshot", testArraySnapshot},
	}
}

// runArrays tests the arrays of a store whose transactions have them.
func runArrays(t *testing.T, opened func(t *testing.T) engine.Transactor, oneAtATime bool) {
	if _, ok := begin(t, opened(t), false).(engine.Arrays); !ok {
		return
	}
	t.Run("Arrays", func(t *testing.T) {
		for _, tt := range arrayTests() {
			if oneAtATime && tt.name == "Snapshot" {
				continue
			}
			t.Run(tt.name, func(t *testing.T) { tt.run(t, arraysOfTx(opened(t))) })
		}
		t.Run("BesideKeys", func(t *testing.T) { testArraysBesideKeys(t, opened(t)) })
	})
}

// arraysOfTx begins the transactions of s.
func arraysOfTx(s engine.Transactor) arrayStore {
	return arrayStore{func(ctx context.Context, writable bool) (engine.ArrayTx, error) {
		tx, err := s.Begin(ctx, writable)
		if err != nil {
			return nil, err
		}
		return arraysOf{tx.(engine.Arrays), tx}, nil
	}}
}

// arraysOf is the part of a transaction that has to do with arrays.
type arraysOf struct {
	arrayCallsOf
	tx engine.Tx
}

// arrayCallsOf has a name of its own because engine.Arrays has a method Arrays.
type arrayCallsOf = engine.Arrays

func (a arraysOf) Commit(ctx context.Context, _ string) error { return a.tx.Commit(ctx) }
func (a arraysOf) Rollback() error                            { return a.tx.Rollback() }

// beginArrays starts a transaction, which is rolled back at the end of the test if it is still open
// then.
func beginArrays(t *testing.T, s arrayStore, writable bool) engine.ArrayTx {
	t.Helper()
	x, err := s.begin(t.Context(), writable)
	if err != nil {
		t.Fatalf("beginning a transaction with arrays (writable %v): %v", writable, err)
	}
	t.Cleanup(func() { _ = x.Rollback() })
	return x
}

func commitArrays(t *testing.T, x engine.ArrayTx) {
	t.Helper()
	must(t, "Commit", x.Commit(t.Context(), ""))
}

func rollbackArrays(t *testing.T, x engine.ArrayTx) {
	t.Helper()
	must(t, "Rollback", x.Rollback())
}

// arrayTx is a transaction with keys and arrays.
type arrayTx interface {
	engine.Tx
	engine.Arrays
}

func beginBoth(t *testing.T, s engine.Transactor, writable bool) arrayTx {
	t.Helper()
	return begin(t, s, writable).(arrayTx)
}

func newArray(name string) engine.Array {
	return engine.Array{Name: name, Type: "i64", ElemSize: 8, MinChunk: 16, MaxChunk: 64}
}

func createArray(t *testing.T, a engine.Arrays, name string) engine.Array {
	t.Helper()
	made, err := a.CreateArray(t.Context(), newArray(name))
	if err != nil {
		t.Fatalf("CreateArray(%q): %v", name, err)
	}
	return made
}

func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// chunkHolds checks the length and the bytes of a chunk.
func chunkHolds(t *testing.T, a engine.Arrays, id, chunk int64, want []byte) {
	t.Helper()
	size, err := a.ChunkSize(t.Context(), id, chunk)
	if err != nil || size != int64(len(want)) {
		t.Errorf("ChunkSize(%d): %d, %v; want %d", chunk, size, err, len(want))
		return
	}
	got := make([]byte, size)
	if err := a.ReadChunk(t.Context(), id, chunk, 0, got); err != nil {
		t.Errorf("ReadChunk(%d): %v", chunk, err)
	} else if !bytes.Equal(got, want) {
		t.Errorf("chunk %d holds other bytes than were written: %.40x, want %.40x", chunk, got, want)
	}
}

func testArrayNames(t *testing.T, s arrayStore) {
	ctx, x := t.Context(), beginArrays(t, s, true)
	if list, err := x.Arrays(ctx); err != nil || len(list) != 0 {
		t.Errorf("Arrays of an empty store: %v, %v", list, err)
	}
	_, err := x.Array(ctx, "a")
	wantErr(t, "Array", err, engine.ErrNotFound)
	b, a := createArray(t, x, "b"), createArray(t, x, "a")
	if want := newArray("b"); b.ID == a.ID || b.ID == 0 {
		t.Errorf("IDs %d and %d", a.ID, b.ID)
	} else if want.ID = b.ID; b != want {
		t.Errorf("CreateArray: %+v, want %+v", b, want)
	}
	_, err = x.CreateArray(ctx, newArray("a"))
	wantErr(t, "CreateArray", err, engine.ErrExists)
	wantErr(t, "RenameArray", x.RenameArray(ctx, a.ID, "b"), engine.ErrExists)
	must(t, "RenameArray to itself", x.RenameArray(ctx, a.ID, "a"))
	must(t, "RenameArray", x.RenameArray(ctx, a.ID, "c"))
	must(t, "SetArrayLength", x.SetArrayLength(ctx, b.ID, 1<<40))
	a.Name, b.Length = "c", 1<<40
	list, err := x.Arrays(ctx)
	if diff := cmp.Diff([]engine.Array{b, a}, list); diff != "" || err != nil {
		t.Errorf("Arrays: %v (-want +got):\n%s", err, diff)
	}
	must(t, "DropArray", x.DropArray(ctx, b.ID))
	_, err = x.Array(ctx, "b")
	wantErr(t, "Array", err, engine.ErrNotFound)
	if again := createArray(t, x, "b"); again.Length != 0 {
		t.Errorf("a new array has length %d", again.Length)
	}
	for _, names := range [][]string{{"c"}, {"none", "c"}} {
		if got, err := x.ArraysNamed(ctx, names...); err != nil || len(got) != 1 || got[0] != a {
			t.Errorf("ArraysNamed(%q) is %+v, %v; want %+v", names, got, err, a)
		}
	}
	if got, err := x.ArraysNamed(ctx, "b", "none", "c"); err != nil || len(got) != 2 {
		t.Errorf("ArraysNamed of two is %+v, %v", got, err)
	}
	if got, err := x.ArraysNamed(ctx, "none", "other"); err != nil || len(got) != 0 {
		t.Errorf("ArraysNamed of none is %+v, %v", got, err)
	}
	if got, err := x.Array(ctx, "c"); err != nil || got != a {
		t.Errorf("Array: %+v, %v; want %+v", got, err, a)
	}
}

func testArrayInvalid(t *testing.T, s arrayStore) {
	ctx, x := t.Context(), beginArrays(t, s, true)
	for _, change := range []func(*engine.Array){
		func(a *engine.Array) { a.Name = "" },
		func(a *engine.Array) { a.ElemSize = 0 },
		func(a *engine.Array) { a.Length = 1 },
		func(a *engine.Array) { a.MinChunk = 0 },
		func(a *engine.Array) { a.MaxChunk = a.MinChunk - 1 },
	} {
		a := newArray("a")
		change(&a)
		_, err := x.CreateArray(ctx, a)
		wantErr(t, fmt.Sprintf("CreateArray(%+v)", a), err, engine.ErrInvalid)
	}
	a := createArray(t, x, "a")
	wantErr(t, "SetArrayLength", x.SetArrayLength(ctx, a.ID, -1), engine.ErrInvalid)
	wantErr(t, "RenameArray", x.RenameArray(ctx, a.ID, ""), engine.ErrInvalid)
	wantErr(t, "TruncateChunks", x.TruncateChunks(ctx, a.ID, -1), engine.ErrInvalid)
	_, err := x.CreateArray(canceled(t), newArray("b"))
	wantErr(t, "CreateArray", err, context.Canceled)
	_, err = x.Arrays(canceled(t))
	wantErr(t, "Arrays", err, context.Canceled)
}

func testArrayChunks(t *testing.T, s arrayStore) {
	ctx, x := t.Context(), beginArrays(t, s, true)
	a, other := createArray(t, x, "a"), createArray(t, x, "other")
	must(t, "ResizeChunk", x.ResizeChunk(ctx, other.ID, 0, 10))
	data := noise(3 << 20)
	must(t, "ResizeChunk", x.ResizeChunk(ctx, a.ID, 0, int64(len(data))))
	chunkHolds(t, x, a.ID, 0, make([]byte, len(data)))
	must(t, "WriteChunk", x.WriteChunk(ctx, a.ID, 0, 0, data))
	must(t, "WriteChunk", x.WriteChunk(ctx, a.ID, 0, 2<<20-3, []byte("across")))
	copy(data[2<<20-3:], "across")
	chunkHolds(t, x, a.ID, 0, data)
	must(t, "ResizeChunk", x.ResizeChunk(ctx, a.ID, 0, 5000))
	chunkHolds(t, x, a.ID, 0, data[:5000])
	must(t, "ResizeChunk", x.ResizeChunk(ctx, a.ID, 0, 9000))
	chunkHolds(t, x, a.ID, 0, append(data[:5000:5000], make([]byte, 4000)...))
	for i := range int64(3) {
		must(t, "ResizeChunk", x.ResizeChunk(ctx, a.ID, 1+i, i))
	}
	if n, err := x.Chunks(ctx, a.ID); n != 4 || err != nil {
		t.Errorf("Chunks: %d, %v; want 4", n, err)
	}
	must(t, "TruncateChunks", x.TruncateChunks(ctx, a.ID, 2))
	_, err := x.ChunkSize(ctx, a.ID, 2)
	wantErr(t, "ChunkSize", err, engine.ErrNotFound)
	must(t, "TruncateChunks past the end", x.TruncateChunks(ctx, a.ID, 2))
	if n, err := x.Chunks(ctx, a.ID); n != 2 || err != nil {
		t.Errorf("Chunks: %d, %v; want 2", n, err)
	}
	must(t, "DropArray", x.DropArray(ctx, a.ID))
	chunkHolds(t, x, other.ID, 0, make([]byte, 10))
}

func testChunkBounds(t *testing.T, s arrayStore) {
	ctx, x := t.Context(), beginArrays(t, s, true)
	a := createArray(t, x, "a")
	must(t, "ResizeChunk", x.ResizeChunk(ctx, a.ID, 0, 10))
	must(t, "WriteChunk", x.WriteChunk(ctx, a.ID, 0, 0, []byte("0123456789")))
	for _, c := range []struct {
		off int64
		n   int
	}{{-1, 1}, {0, 11}, {10, 1}, {11, 0}, {1 << 62, 4}} {
		wantErr(t, fmt.Sprint("ReadChunk ", c), x.ReadChunk(ctx, a.ID, 0, c.off, make([]byte, c.n)), engine.ErrInvalid)
		wantErr(t, fmt.Sprint("WriteChunk ", c), x.WriteChunk(ctx, a.ID, 0, c.off, make([]byte, c.n)), engine.ErrInvalid)
	}
	must(t, "ReadChunk of nothing", x.ReadChunk(ctx, a.ID, 0, 10, nil))
	wantErr(t, "ResizeChunk", x.ResizeChunk(ctx, a.ID, 2, 1), engine.ErrInvalid)
	wantErr(t, "ResizeChunk", x.ResizeChunk(ctx, a.ID, -1, 1), engine.ErrInvalid)
	wantErr(t, "ResizeChunk", x.ResizeChunk(ctx, a.ID, 0, -1), engine.ErrInvalid)
	used := func(want int64, wantDeleted bool) {
		t.Helper()
		if n, deleted, err := x.ChunkUsed(ctx, a.ID, 0); n != want || deleted != wantDeleted || err != nil {
			t.Errorf("ChunkUsed: %d, %t, %v; want %d, %t", n, deleted, err, want, wantDeleted)
		}
	}
	used(0, false)
	must(t, "SetChunkUsed", x.SetChunkUsed(ctx, a.ID, 0, 10, true))
	used(10, true)
	wantErr(t, "SetChunkUsed", x.SetChunkUsed(ctx, a.ID, 0, 11, true), engine.ErrInvalid)
	wantErr(t, "SetChunkUsed", x.SetChunkUsed(ctx, a.ID, 0, -1, true), engine.ErrInvalid)
	must(t, "ResizeChunk", x.ResizeChunk(ctx, a.ID, 0, 4))
	used(4, true)
	must(t, "SetChunkUsed", x.SetChunkUsed(ctx, a.ID, 0, 1, false))
	used(1, false)
	chunkHolds(t, x, a.ID, 0, []byte("0123"))
}
