package enginetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/ctxtest"
)

func contextTests() []storeTest {
	return []storeTest{
		{"ContextEndedBefore", testEndedBefore},
		{"ContextEndsDuringCalls", testEndsDuring},
		{"ContextEndsDuringParts", testEndsDuringParts},
	}
}

func txContextTests() []transactorTest {
	return []transactorTest{
		{"ContextEndsWhileWaiting", testEndsWaiting},
		{"ContextEndsInTransactions", testEndsInTx},
	}
}

func testEndedBefore(t *testing.T, s engine.Store) {
	put(t, s, "k", "value")
	for what := range storeCalls(t.Context(), t, s, "k") {
		ctxtest.Before(t, what, func(ctx context.Context) error { return storeCalls(ctx, t, s, "k")[what]() })
	}
	has(t, s, "k", "value")
}

func testEndsDuring(t *testing.T, s engine.Store) {
	large := fmt.Sprint("staged ", largeSize)
	fill(t, s)
	var ops []engine.Op
	for i := range 3000 {
		ops = append(ops, putOp(fmt.Sprint("many ", i), "value"))
	}
	apply(t, s, ops...)
	for what := range storeCalls(t.Context(), t, s, large) {
		ctxtest.During(t, what, func(ctx context.Context) error {
			err := storeCalls(ctx, t, s, large)[what]()
			if what == "Shrink" && errors.Is(err, engine.ErrUnsupported) {
				err = nil
			}
			return err
		})
		if what == "Apply" {
			holds(t, s, large, []byte("x"))
			apply(t, s, stagedOp(large, stage(t, s, 50_000, noise(largeSize))))
		}
		holds(t, s, large, noise(largeSize))
	}
}

// testEndsDuringParts is testEndsDuring for what reads and writes a value in parts.
func testEndsDuringParts(t *testing.T, s engine.Store) {
	apply(t, s, stagedOp("k", stage(t, s, 50_000, noise(largeSize))))
	b := openBlob(t, s, "k")
	ctxtest.During(t, "ReadAt", func(ctx context.Context) error {
		_, err := b.ReadAt(ctx, make([]byte, largeSize), 0)
		return err
	})
	blobHolds(t, b, noise(largeSize))
	st := stage(t, s, largeSize, nil)
	written := 0
	ctxtest.During(t, "WriteChunk", func(ctx context.Context) error {
		err := st.WriteChunk(ctx, noise(largeSize))
		if err == nil {
			written++
		}
		return err
	})
	applied := false
	ctxtest.During(t, "Apply of a stage", func(ctx context.Context) (err error) {
		if !applied {
			_, err = s.Apply(ctx, []engine.Op{stagedOp("k2", st)})
			applied = err == nil
		}
		return err
	})
	holds(t, s, "k2", bytes.Repeat(noise(largeSize), written))
}

// testEndsWaiting has contexts end while a transaction keeps writers waiting.
func testEndsWaiting(t *testing.T, s engine.Transactor) {
	put(t, s, "k", "value")
	w := begin(t, s, true)
	for _, cause := range ctxtest.Causes {
		_, err := s.Apply(ctxtest.Waiting(t, cause), []engine.Op{deleteOp("k")})
		ctxtest.Check(t, "Apply", err, cause)
		_, err = s.Begin(ctxtest.Waiting(t, cause), true)
		ctxtest.Check(t, "Begin", err, cause)
		if o, ok := s.(engine.Optimizer); ok {
			ctxtest.Check(t, "Optimize", o.Optimize(ctxtest.Waiting(t, cause), nil), cause)
		}
	}
	rollback(t, w)
	has(t, s, "k", "value")
}

// testEndsInTx is testEndsDuring for the calls of a transaction. One that is cut off may end it.
func testEndsInTx(t *testing.T, s engine.Transactor) {
	apply(t, s, stagedOp("k", stage(t, s, 50_000, noise(largeSize))))
	probe := begin(t, s, false)
	rollback(t, probe) // in some stores a snapshot keeps writers waiting
	for what := range txCalls(t.Context(), probe, "k") {
		for _, writable := range []bool{false, true} {
			ctxtest.During(t, fmt.Sprintf("%s in a transaction (writable %v)", what, writable), func(ctx context.Context) error {
				tx := begin(t, s, writable)
				defer tx.Rollback()
				err := txCalls(ctx, tx, "k")[what]()
				if !writable && errors.Is(err, engine.ErrReadOnly) {
					err = nil
				}
				return err
			})
		}
	}
}

// testEndsInArrays is testEndsInTx for the calls for arrays.
func testEndsInArrays(t *testing.T, s arrayStore) {
	x := beginArrays(t, s, true)
	a := createArray(t, x, "a")
	must(t, "ResizeChunk", x.ResizeChunk(t.Context(), a.ID, 0, 8))
	commitArrays(t, x)
	calls := func(ctx context.Context, x engine.Arrays) map[string]func() error {
		calls, read := arrayCalls(ctx, x, a.ID, 0)
		maps.Copy(calls, read)
		calls["Arrays"] = func() error { _, err := x.Arrays(ctx); return err }
		calls["ArraysNamed"] = func() error { _, err := x.ArraysNamed(ctx, "a"); return err }
		calls["Array"] = func() error { _, err := x.Array(ctx, "a"); return err }
		calls["CreateArray"] = func() error { _, err := x.CreateArray(ctx, newArray("b")); return err }
		return calls
	}
	for what := range calls(t.Context(), x) {
		ctxtest.During(t, what, func(ctx context.Context) error {
			x := beginArrays(t, s, true)
			defer x.Rollback()
			return calls(ctx, x)[what]()
		})
	}
}
