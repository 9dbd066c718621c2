package kvault_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/kohakuvault/kvault"
)

func TestUpdateIsAllOrNothing(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, f *faulty) {
		ctx := t.Context()
		put(t, v, "a", "old")
		if err := v.Update(ctx, func(tx *kvault.Tx) error {
			wantGet(t, tx, "a", "old") // cached writes are in it
			if err := errors.Join(tx.Put(ctx, "a", []byte("new")), tx.Put(ctx, "b", []byte("2"))); err != nil {
				return err
			}
			wantGet(t, tx, "a", "new")
			wantGet(t, v, "a", "old") // outside it is not visible yet
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		f.wantStored(t, "a", "new", "b", "2")
		err := v.Update(ctx, func(tx *kvault.Tx) error {
			if err := tx.Put(ctx, "a", []byte("lost")); err != nil {
				t.Error(err)
			}
			return errBoom
		})
		if err != errBoom {
			t.Errorf("error is %v, want the function's own as it is", err)
		}
		func() {
			defer func() {
				if recover() != errBoom {
					t.Error("the panic was swallowed")
				}
			}()
			v.Update(ctx, func(tx *kvault.Tx) error {
				tx.Put(ctx, "a", []byte("lost"))
				panic(errBoom)
			})
		}()
		f.wantStored(t, "a", "new", "b", "2")
		put(t, v, "c", "the vault is not stuck")
	})
}

func TestUpdateRunsOnceHoweverBusy(t *testing.T) {
	for _, call := range []string{"begin write", "commit"} {
		t.Run(call, func(t *testing.T) {
			v, f := newFaultyVault(t, quick)
			f.fail(call, 3, kvault.ErrBusy)
			runs := 0
			update := func(tx *kvault.Tx) error {
				runs++
				return tx.Put(t.Context(), "a", []byte("1"))
			}
			if err := v.Update(t.Context(), update); err != nil || runs != 1 {
				t.Errorf("Update = %v after %d runs", err, runs)
			}
			wantGet(t, v, "a", "1")
			f.fail(call, 4, kvault.ErrBusy)
			wantErr(t, v.Update(t.Context(), func(tx *kvault.Tx) error { return tx.Put(t.Context(), "b", nil) }), kvault.ErrBusy)
			f.on(nil)
			wantMissing(t, v, "b")
			put(t, v, "c", "the vault is not stuck")
		})
	}
}

func TestUpdateWaitsForItsTurnWithinTheContext(t *testing.T) {
	v := newVault(t, quick)
	inside, leave := make(chan struct{}), make(chan struct{})
	done := make(chan error)
	go func() {
		done <- v.Update(t.Context(), func(*kvault.Tx) error { close(inside); <-leave; return nil })
	}()
	<-inside
	ctx, cancel := context.WithCancel(t.Context())
	go cancel()
	wantErr(t, v.Update(ctx, func(*kvault.Tx) error { t.Error("it ran"); return nil }), context.Canceled)
	close(leave)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestViewIsASnapshot(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
		ctx := t.Context()
		put(t, v, "a", "1", "b", "1", "c", "1")
		if _, err := v.Delete(ctx, "c"); err != nil {
			t.Fatal(err)
		}
		err := v.View(ctx, func(tx *kvault.Tx) error {
			put(t, v, "a", "2", "new", "2")
			if _, err := v.FlushCache(ctx); err != nil {
				return err
			}
			if _, err := v.Pop(ctx, "b"); err != nil {
				return err
			}
			wantGet(t, tx, "a", "1")
			wantGet(t, tx, "b", "1")
			wantMissing(t, tx, "c")
			wantMissing(t, tx, "new")
			if n, err := tx.Len(ctx); err != nil || n != 2 {
				t.Errorf("Len = %d, %v", n, err)
			}
			if found, err := tx.Exists(ctx, "c"); err != nil || found {
				t.Errorf("Exists(c) = %v, %v", found, err)
			}
			var got []string
			for it, err := range tx.Items(ctx, nil) {
				if err != nil {
					return err
				}
				got = append(got, it.Key+string(it.Value))
			}
			if strings.Join(got, " ") != "a1 b1" {
				t.Errorf("Items = %q", got)
			}
			return tx.Put(ctx, "x", nil)
		})
		wantErr(t, err, kvault.ErrReadOnly)
		if err := v.View(ctx, func(*kvault.Tx) error { return errBoom }); err != errBoom {
			t.Errorf("error is %v, want the function's own as it is", err)
		}
	})
}

// A snapshot must never show half of a batch, or a flushed entry twice removed.
func TestViewNeverShowsHalfABatch(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	enable(t, v, 200, 60)
	ctx := t.Context()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	both := func(yield func(string, []byte) bool, value string) {
		_ = yield("a", []byte(value)) && yield("b", []byte(value))
	}
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			value := strings.Repeat("x", i%40)
			var err error
			switch i % 5 {
			case 4:
				err = v.Update(ctx, func(tx *kvault.Tx) error {
					return errors.Join(tx.Put(ctx, "a", []byte(value)), tx.Put(ctx, "b", []byte(value)))
				})
			default:
				err = v.PutAll(ctx, func(yield func(string, []byte) bool) { both(yield, value) })
			}
			if err != nil {
				t.Error(err)
			}
		}
	})
	for i := 0; i < 300 || f.count("apply") < 100; i++ {
		got, err := v.GetMany(ctx, "a", "b")
		if err != nil || !bytes.Equal(got["a"], got["b"]) {
			t.Errorf("a snapshot shows %q, %v", got, err)
		}
		var listed []string
		for it, err := range v.Items(ctx, nil) {
			if err != nil {
				t.Error(err)
			}
			listed = append(listed, string(it.Value))
		}
		if len(listed) == 2 && listed[0] != listed[1] {
			t.Errorf("a page shows %q", listed)
		}
	}
	close(stop)
	wg.Wait()
}

// The snapshot and the overlay must fit each other, even if everything moved between taking the one
// and the other.
func TestViewFitsTheOverlay(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	enable(t, v, 1<<20, 1<<20)
	put(t, v, "a", "1")
	first := true
	f.on(func(_ context.Context, call string) error {
		if call == "begin read" && first {
			first = false
			if _, err := v.Pop(t.Context(), "a"); err != nil {
				t.Error(err)
			}
		}
		return nil
	})
	err := v.View(t.Context(), func(tx *kvault.Tx) error {
		wantMissing(t, tx, "a")
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if begun, ended := f.count("begin read"), f.count("rollback"); begun != 2 || ended != 2 {
		t.Errorf("%d transactions begun and %d ended, want 2", begun, ended)
	}
}

func TestViewOfABusyStore(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	f.fail("begin read", 3, kvault.ErrBusy)
	if err := v.View(t.Context(), func(*kvault.Tx) error { return nil }); err != nil {
		t.Error(err)
	}
	f.fail("begin read", 4, kvault.ErrBusy)
	wantErr(t, v.View(t.Context(), func(*kvault.Tx) error { return nil }), kvault.ErrBusy)
}

func TestTxVerbs(t *testing.T) {
	v := newVault(t, quick)
	ctx := t.Context()
	put(t, v, "old/1", "1", "old/2", "22", "pop", "popped", "gone", "", "from", "moved")
	err := v.Update(ctx, func(tx *kvault.Tx) error {
		if _, err := tx.PutWith(ctx, "with", []byte("w"), &kvault.PutOptions{IfAbsent: true}); err != nil {
			return err
		}
		if e, err := tx.PutReader(ctx, "stream", strings.NewReader(text), nil); err != nil || e.Size != int64(len(text)) {
			t.Errorf("PutReader = %+v, %v", e, err)
		}
		if got, err := tx.GetRange(ctx, "stream", 2, 5); err != nil || string(got) != "value" {
			t.Errorf("GetRange = %q, %v", got, err)
		}
		var out bytes.Buffer
		if _, err := tx.GetTo(ctx, "stream", &out); err != nil || out.String() != text {
			t.Errorf("GetTo = %q, %v", out.String(), err)
		}
		if found, err := tx.Delete(ctx, "gone"); err != nil || !found {
			t.Errorf("Delete = %v, %v", found, err)
		}
		wantErr(t, tx.DeleteIf(ctx, "pop", "nope"), kvault.ErrTagMismatch)
		if got, err := tx.Pop(ctx, "pop"); err != nil || string(got) != "popped" {
			t.Errorf("Pop = %q, %v", got, err)
		}
		if got, existed, err := tx.SetDefault(ctx, "default", []byte("d")); err != nil || existed || string(got) != "d" {
			t.Errorf("SetDefault = %q, %v, %v", got, existed, err)
		}
		if err := tx.Rename(ctx, "from", "to", nil); err != nil {
			t.Error(err)
		}
		if n, err := tx.DeletePrefix(ctx, "old/"); err != nil || n != 2 {
			t.Errorf("DeletePrefix = %d, %v", n, err)
		}
		if got, err := tx.GetOr(ctx, "none", []byte("def")); err != nil || string(got) != "def" {
			t.Errorf("GetOr = %q, %v", got, err)
		}
		if e, err := tx.Stat(ctx, "to"); err != nil || e.Size != 5 {
			t.Errorf("Stat = %+v, %v", e, err)
		}
		if n, err := tx.Count(ctx, &kvault.ListOptions{Prefix: "s"}); err != nil || n != 1 {
			t.Errorf("Count = %d, %v", n, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(collect(t, v, nil), " "); got != "default stream to with" {
		t.Errorf("keys after the transaction: %s", got)
	}
	err = v.Update(ctx, func(tx *kvault.Tx) error {
		if n, err := tx.Clear(ctx); err != nil || n != 4 {
			t.Errorf("Clear = %d, %v", n, err)
		}
		for range tx.Keys(ctx, nil) {
			t.Error("a key is left")
		}
		for range tx.Values(ctx, nil) {
			t.Error("a value is left")
		}
		for range tx.List(ctx, nil) {
			t.Error("an entry is left")
		}
		return errBoom
	})
	if err != errBoom {
		t.Error(err)
	}
	wantGet(t, v, "to", "moved")
}

func TestTxAfterItsEnd(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
		ctx := t.Context()
		put(t, v, "a", "0123456789abcdef")
		var kept *kvault.Tx
		var reader *kvault.Reader
		use := func(tx *kvault.Tx) (err error) {
			kept = tx
			reader, err = tx.NewReader(ctx, "a")
			return err
		}
		for name, run := range map[string]func(context.Context, func(*kvault.Tx) error) error{"View": v.View, "Update": v.Update} {
			if err := run(ctx, use); err != nil {
				t.Fatal(name, err)
			}
			_, err := kept.Get(ctx, "a")
			wantErr(t, err, kvault.ErrTxDone)
			wantErr(t, kept.Put(ctx, "a", nil), kvault.ErrTxDone)
			_, err = kept.PutReader(ctx, "a", strings.NewReader(text), nil)
			wantErr(t, err, kvault.ErrTxDone)
			_, err = kept.Len(ctx)
			wantErr(t, err, kvault.ErrTxDone)
			for _, err := range kept.Keys(ctx, nil) {
				wantErr(t, err, kvault.ErrTxDone)
			}
			_, err = io.ReadAll(reader)
			wantErr(t, err, kvault.ErrTxDone)
			reader.Close()
		}
		wantGet(t, v, "a", "0123456789abcdef")
	})
}

func TestEngineWithoutTransactions(t *testing.T) {
	v := newOn(t, simple{newFaulty()}, quick)
	defer v.Close()
	ctx := t.Context()
	none := func(*kvault.Tx) error { t.Error("it ran"); return nil }
	wantErr(t, v.Update(ctx, none), kvault.ErrUnsupported)
	wantErr(t, v.View(ctx, none), kvault.ErrUnsupported)
	wantErr(t, v.Update(ctx, none), errors.ErrUnsupported)
	put(t, v, "a", "1")
	enable(t, v, 1000, 1000)
	put(t, v, "b", "2")
	if _, err := v.Delete(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if n, err := v.Len(ctx); err != nil || n != 1 {
		t.Errorf("Len = %d, %v", n, err)
	}
}
