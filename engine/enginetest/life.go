package enginetest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"testing"

	"github.com/kohakuvault/kvault/engine"
)

func lifeTests() []storeTest {
	return []storeTest{
		{"ClosedStore", testClosedStore},
		{"CloseEndsBlobsAndStages", testCloseEnds},
		{"CloseEndsTransactions", testCloseEndsTx},
		{"CloseWhileInUse", testCloseInUse},
		{"CloseWhileWritersWait", testCloseWaiting},
		{"StageOfARolledBackTransaction", testLostStage},
	}
}

// storeCalls is one call of each method of the store but Close, optional ones included.
func storeCalls(ctx context.Context, t *testing.T, s engine.Store, key string) map[string]func() error {
	calls := readCalls(ctx, s, key)
	calls["Apply"] = func() error { _, err := s.Apply(ctx, []engine.Op{putOp(key, "x")}); return err }
	calls["Copy"] = func() error { _, err := s.Apply(ctx, []engine.Op{copyOp(key, key+" copy")}); return err }
	calls["SetMeta"] = func() error { _, err := s.Apply(ctx, []engine.Op{metaOp(key)}); return err }
	calls["Stage"] = func() error {
		return ended(s.Stage(ctx, engine.StageOptions{ChunkSize: 10, Size: -1}))(engine.Stage.Abort)
	}
	if x, ok := s.(engine.EachApplier); ok {
		calls["ApplyEach"] = func() error {
			_, errs := x.ApplyEach(ctx, []engine.Op{putOp(key+" each", "x")})
			return errs[0]
		}
	}
	if x, ok := s.(engine.ArrayBeginner); ok {
		for _, writable := range []bool{false, true} {
			calls[fmt.Sprintf("BeginArrays(%v)", writable)] = func() error {
				return ended(x.BeginArrays(ctx, writable))(engine.ArrayTx.Rollback)
			}
		}
	}
	if x, ok := s.(engine.Transactor); ok {
		for _, writable := range []bool{false, true} {
			calls[fmt.Sprintf("Begin(%v)", writable)] = func() error { return ended(x.Begin(ctx, writable))(engine.Tx.Rollback) }
		}
	}
	if x, ok := s.(engine.Tagger); ok {
		calls["Tag"] = func() error { _, err := x.Tag(ctx, key); return err }
	}
	if x, ok := s.(engine.ValueAppender); ok {
		calls["AppendValue"] = func() error { _, err := x.AppendValue(ctx, nil, key); return err }
	}
	if x, ok := s.(engine.RangeReader); ok {
		calls["ReadRange"] = func() error { _, err := x.ReadRange(ctx, key, "", make([]byte, 1), 0); return err }
	}
	if x, ok := s.(engine.KeyLister); ok {
		calls["AppendKeys"] = func() error { _, _, err := x.AppendKeys(ctx, nil, engine.Query{Limit: 1}); return err }
	}
	if x, ok := s.(engine.Layouter); ok {
		calls["Relayout"] = func() error { return x.Relayout(ctx, engine.Chunks, nil) }
	}
	if x, ok := s.(engine.Statser); ok {
		calls["Stats"] = func() error { _, err := x.Stats(ctx); return err }
	}
	if x, ok := s.(engine.Checker); ok {
		calls["Check"] = func() error { return x.Check(ctx, func(p engine.Problem) { t.Errorf("Check: %+v", p) }, nil) }
	}
	if x, ok := s.(engine.Backuper); ok {
		calls["Backup"] = func() error { return x.Backup(ctx, filepath.Join(t.TempDir(), "backup"), nil) }
	}
	if x, ok := s.(engine.Optimizer); ok {
		calls["Optimize"] = func() error { return x.Optimize(ctx, nil) }
		calls["Shrink"] = func() error { _, err := x.Shrink(ctx, 0); return err }
	}
	return calls
}

// ended ends what a call returned, if it has not failed.
func ended[T any](x T, err error) func(end func(T) error) error {
	return func(end func(T) error) error {
		if err != nil {
			return err
		}
		return end(x)
	}
}

func testClosedStore(t *testing.T, s engine.Store) {
	put(t, s, "k", "value")
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	for what, call := range storeCalls(t.Context(), t, s, "k") {
		err := call()
		wantErr(t, what, err, engine.ErrClosed)
		wantErr(t, what, err, fs.ErrClosed)
	}
}

func testCloseEnds(t *testing.T, s engine.Store) {
	put(t, s, "small", "value", "empty", "")
	apply(t, s, stagedOp("large", stage(t, s, 65536, noise(largeSize))))
	var blobs []engine.Blob
	for _, key := range []string{"small", "empty", "large"} {
		blobs = append(blobs, openBlob(t, s, key))
	}
	fresh, begun := stage(t, s, 10, nil), stage(t, s, 10, noise(20))
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	for _, b := range blobs {
		_, err := b.ReadAt(t.Context(), make([]byte, 1), 0)
		wantErr(t, "ReadAt of "+b.Entry().Key, err, engine.ErrClosed)
		if err := b.Close(); err != nil {
			t.Errorf("Close of a blob: %v", err)
		}
	}
	for _, st := range []engine.Stage{fresh, begun} {
		wantErr(t, "WriteChunk", st.WriteChunk(t.Context(), []byte("0123456789")), engine.ErrClosed)
	}
}

func testCloseEndsTx(t *testing.T, s engine.Store) {
	x, ok := s.(engine.Transactor)
	if !ok {
		return
	}
	put(t, s, "k", "value")
	r, w := begin(t, x, false), begin(t, x, true)
	holds(t, r, "k", []byte("value"))
	put(t, w, "k", "new")
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	for what, call := range txCalls(t.Context(), r, "k") {
		wantErr(t, what+" of a snapshot", call(), engine.ErrClosed)
	}
	for what, call := range txCalls(t.Context(), w, "k") {
		wantErr(t, what+" of a transaction", call(), engine.ErrClosed)
	}
}

// testCloseInUse: a call that meets Close either works or says that the store is closed.
func testCloseInUse(t *testing.T, s engine.Store) {
	put(t, s, "k", "value")
	ctx := t.Context()
	errs := make(chan error, 100)
	var wg sync.WaitGroup
	started := make(chan struct{}, 100)
	for i := range 8 {
		wg.Go(func() {
			for n := 0; ; n++ {
				var err error
				if i%2 == 0 {
					_, err = s.Apply(ctx, []engine.Op{putOp("k", fmt.Sprint(n))})
				} else {
					err = readOnce(ctx, s, "k")
				}
				if n == 3 {
					started <- struct{}{}
				}
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	for range 8 {
		<-started
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		wantErr(t, "a call that met Close", err, engine.ErrClosed)
	}
}

// testCloseWaiting closes the store while others wait for a transaction to end that never does.
func testCloseWaiting(t *testing.T, s engine.Store) {
	x, ok := s.(engine.Transactor)
	if !ok {
		return
	}
	begin(t, x, true)
	const writers = 4
	started, errs := make(chan struct{}, writers), make(chan error, writers)
	for i := range writers {
		go func() {
			started <- struct{}{}
			if i%2 == 0 {
				_, err := s.Apply(context.Background(), []engine.Op{putOp("k", "v")})
				errs <- err
				return
			}
			_, err := x.Begin(context.Background(), true)
			errs <- err
		}()
	}
	for range writers {
		<-started
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	for range writers {
		wantErr(t, "a writer that waited", <-errs, engine.ErrClosed)
	}
}

// readOnce reads key in each of the ways there are.
func readOnce(ctx context.Context, s engine.Store, key string) error {
	if _, err := s.Get(ctx, key); err != nil {
		return err
	}
	if _, err := s.List(ctx, engine.Query{Limit: 10, Values: true}); err != nil {
		return err
	}
	b, err := s.Open(ctx, key)
	if err != nil {
		return err
	}
	_, err = b.ReadAt(ctx, make([]byte, 1), 0)
	if single(s) && errors.Is(err, engine.ErrTagMismatch) {
		err = nil // another has replaced the version
	}
	return errors.Join(err, b.Close())
}

// testLostStage hands the store a stage that went with its transaction.
func testLostStage(t *testing.T, s engine.Store) {
	x, ok := s.(engine.Transactor)
	if !ok {
		return
	}
	tx := begin(t, x, true)
	st := stage(t, tx, 10, noise(25))
	rollback(t, tx)
	if _, err := s.Apply(t.Context(), []engine.Op{stagedOp("k", st)}); err == nil {
		t.Error("the stage of a transaction that was rolled back could be applied")
	}
	lacks(t, s, "k")
}
