package enginetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync/atomic"
	"testing"

	"github.com/kohakuvault/kvault/engine"
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

// causes are errors that a context may end with, and that a caller would take for the answer of a store.
var causes = []error{
	engine.ErrNotFound, engine.ErrExists, engine.ErrClosed, engine.ErrReadOnly, engine.ErrInvalid, engine.ErrUnsupported, engine.ErrTagMismatch,
	engine.ErrBusy, engine.ErrCorrupt, engine.ErrTooLarge, engine.ErrNoVault, engine.ErrTxDone, io.EOF, context.DeadlineExceeded,
	&engine.OpError{Key: "k", Err: engine.ErrNotFound}, &engine.IOError{Op: "read source", Err: io.EOF},
}

// ending is a context that ends at one of the moments at which its state is asked for.
type ending struct {
	context.Context
	cancel context.CancelCauseFunc
	cause  error
	asks   atomic.Int64 // how often it is asked before it ends
	// waited says that it ends when it is waited for, however often it was asked.
	waited bool
}

// endsAt is a context that ends when it is asked for the nth time, counted from 0.
func endsAt(t *testing.T, n int, cause error) *ending {
	e := &ending{cause: cause}
	e.asks.Store(int64(n))
	e.Context, e.cancel = context.WithCancelCause(t.Context())
	t.Cleanup(func() { e.cancel(nil) })
	return e
}

// endsWaiting is a context that ends as soon as it is waited for.
func endsWaiting(t *testing.T, cause error) *ending {
	e := endsAt(t, 0, cause)
	e.waited = true
	return e
}

func (e *ending) Err() error {
	if !e.waited && e.asks.Add(-1) < 0 {
		e.cancel(e.cause)
	}
	return e.Context.Err()
}

func (e *ending) Done() <-chan struct{} {
	if e.waited || e.asks.Add(-1) < 0 {
		e.cancel(e.cause)
	}
	return e.Context.Done()
}

// ended says whether the context has ended, without asking it.
func (e *ending) ended() bool { return e.Context.Err() != nil }

// wantEnded checks that err is that of a context that was cancelled, and nothing else.
func wantEnded(t *testing.T, what string, err, cause error) {
	t.Helper()
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%s, cancelled with %v: error %v, want %v", what, cause, err, context.Canceled)
	}
	for _, other := range causes {
		if errors.Is(err, other) {
			t.Errorf("%s, cancelled with %v: error %v matches %v", what, cause, err, other)
		}
	}
}

func testEndedBefore(t *testing.T, s engine.Store) {
	put(t, s, "k", "value")
	for _, cause := range causes {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		for what, call := range storeCalls(ctx, t, s, "k") {
			wantEnded(t, what, call(), cause)
		}
	}
	has(t, s, "k", "value")
}

// moments are at which asking a context ends: each of the first, then fewer and fewer, since some calls ask ten thousand times.
func moments(yield func(int) bool) {
	for n := 0; n < 1<<20; n += 1 + n/8 {
		if !yield(n) {
			return
		}
	}
}

// eachMoment has run called with contexts that end at one moment after another, until it returns before its context ends.
func eachMoment(t *testing.T, what string, run func(ctx context.Context) error) {
	t.Helper()
	for n := range moments {
		cause := causes[n%len(causes)]
		ctx := endsAt(t, n, cause)
		err := run(ctx)
		if !ctx.ended() {
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
			return
		}
		if err != nil { // else it ended too late to matter
			wantEnded(t, fmt.Sprintf("%s at moment %d", what, n), err, cause)
		}
	}
	t.Errorf("%s never returned before its context ended", what)
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
		eachMoment(t, what, func(ctx context.Context) error {
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
	eachMoment(t, "ReadAt", func(ctx context.Context) error {
		_, err := b.ReadAt(ctx, make([]byte, largeSize), 0)
		return err
	})
	blobHolds(t, b, noise(largeSize))
	st := stage(t, s, largeSize, nil)
	written := 0
	eachMoment(t, "WriteChunk", func(ctx context.Context) error {
		err := st.WriteChunk(ctx, noise(largeSize))
		if err == nil {
			written++
		}
		return err
	})
	applied := false
	eachMoment(t, "Apply of a stage", func(ctx context.Context) (err error) {
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
	for _, cause := range causes {
		_, err := s.Apply(endsWaiting(t, cause), []engine.Op{deleteOp("k")})
		wantEnded(t, "Apply", err, cause)
		_, err = s.Begin(endsWaiting(t, cause), true)
		wantEnded(t, "Begin", err, cause)
		if o, ok := s.(engine.Optimizer); ok {
			wantEnded(t, "Optimize", o.Optimize(endsWaiting(t, cause)), cause)
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
			eachMoment(t, fmt.Sprintf("%s in a transaction (writable %v)", what, writable), func(ctx context.Context) error {
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
func testEndsInArrays(t *testing.T, s engine.Transactor) {
	x := beginArrays(t, s, true)
	a := createArray(t, x, "a")
	must(t, "ResizeChunk", x.ResizeChunk(t.Context(), a.ID, 0, 8))
	commit(t, x)
	calls := func(ctx context.Context, x engine.Arrays) map[string]func() error {
		calls, read := arrayCalls(ctx, x, a.ID, 0)
		maps.Copy(calls, read)
		calls["Arrays"] = func() error { _, err := x.Arrays(ctx); return err }
		calls["Array"] = func() error { _, err := x.Array(ctx, "a"); return err }
		calls["CreateArray"] = func() error { _, err := x.CreateArray(ctx, newArray("b")); return err }
		return calls
	}
	for what := range calls(t.Context(), x) {
		eachMoment(t, what, func(ctx context.Context) error {
			x := beginArrays(t, s, true)
			defer x.Rollback()
			return calls(ctx, x)[what]()
		})
	}
}
