package kvault_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kohakuvault/kvault"
)

func TestFlushIsOneTransaction(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	put(t, v, "gone", "")
	enable(t, v, 1<<20, 1<<20)
	for i := range 500 {
		put(t, v, fmt.Sprintf("%03d", 499-i), "x")
	}
	if _, err := v.Delete(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	if n, err := v.FlushCache(t.Context()); err != nil || n != 501 {
		t.Errorf("FlushCache = %d, %v", n, err)
	}
	got := f.batches()
	if len(got) != 2 || len(got[1]) != 501 {
		t.Fatalf("%d batches", len(got))
	}
	var keys []string
	for _, op := range got[1] {
		keys = append(keys, op.Key)
	}
	if !slices.IsSorted(keys) {
		t.Error("the batch is not in key order")
	}
	if n, err := v.FlushCache(t.Context()); err != nil || n != 0 {
		t.Errorf("FlushCache of nothing = %d, %v", n, err)
	}
	if s := v.CacheStats(); s.Flushes != 1 || s.FailedFlushes != 0 || s.LastError != nil {
		t.Errorf("stats %+v", s)
	}
}

// The original clears the cache before it knows that the flush succeeded.
func TestFailedFlushKeepsEveryEntry(t *testing.T) {
	for _, cause := range []error{kvault.ErrBusy, errBoom} {
		v, f := newFaultyVault(t, quick)
		put(t, v, "gone", "old")
		enable(t, v, 1000, 1000)
		put(t, v, "a", "1", "b", "2")
		if _, err := v.Delete(t.Context(), "gone"); err != nil {
			t.Fatal(err)
		}
		f.fail("apply", -1, cause)
		n, err := v.FlushCache(t.Context())
		wantErr(t, err, cause)
		if n != 0 {
			t.Errorf("FlushCache = %d", n)
		}
		if s := v.CacheStats(); s.FailedFlushes != 1 || s.Flushes != 0 || !errors.Is(s.LastError, cause) {
			t.Errorf("stats %+v", s)
		}
		wantBytes(t, v, 8, 3)
		wantGet(t, v, "a", "1")
		wantMissing(t, v, "gone")
		if got := collect(t, v, nil); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("listed %q", got)
		}
		put(t, v, "b", "newer")
		f.on(nil)
		if n, err := v.FlushCache(t.Context()); err != nil || n != 3 {
			t.Errorf("next FlushCache = %d, %v", n, err)
		}
		f.wantStored(t, "a", "1", "b", "newer")
		if s := v.CacheStats(); s.LastError != nil {
			t.Errorf("the last error is still %v", s.LastError)
		}
	}
}

// A put that fails because its flush has failed was accepted all the same.
func TestPutReportsTheFlushThatItCaused(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	put(t, v, "gone", "")
	enable(t, v, 100, 10)
	f.fail("apply", -1, errBoom)
	err := v.Put(t.Context(), "a", []byte("0123456789"))
	wantErr(t, err, errBoom)
	if !strings.Contains(err.Error(), "kept") {
		t.Errorf("%v does not say that the value is kept", err)
	}
	wantGet(t, v, "a", "0123456789")
	found, err := v.Delete(t.Context(), "gone")
	wantErr(t, err, errBoom)
	if !found {
		t.Error("the deletion was accepted, but not reported so")
	}
	wantMissing(t, v, "gone")
	w, err := v.NewWriter(t.Context(), "w", nil)
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]byte("1"))
	for range 2 {
		wantErr(t, w.Close(), errBoom)
	}
	if w.Entry().Size != 1 {
		t.Errorf("the writer's value was accepted, but its entry is %+v", w.Entry())
	}
	wantGet(t, v, "w", "1")
	e, err := v.PutReader(t.Context(), "r", strings.NewReader("12"), nil)
	wantErr(t, err, errBoom)
	if e.Size != 2 {
		t.Errorf("the stream's value was accepted, but its entry is %+v", e)
	}
	wantGet(t, v, "r", "12")
	// One that does not fit is not accepted.
	wantErr(t, v.Put(t.Context(), "b", make([]byte, 95)), errBoom)
	wantMissing(t, v, "b")
	f.on(nil)
	if _, err := v.FlushCache(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.wantStored(t, "a", "0123456789", "r", "12", "w", "1")
}

func TestReadersAreNotBlockedByAFlush(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	put(t, v, "gone", "old", "stored", "0")
	enable(t, v, 1000, 500)
	put(t, v, "a", "1")
	if _, err := v.Delete(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	reached, release := f.block("apply")
	defer release()
	done := make(chan error)
	go func() {
		_, err := v.FlushCache(t.Context())
		done <- err
	}()
	<-reached
	// Each of these would hang, or miss what is being written.
	wantGet(t, v, "a", "1")
	wantMissing(t, v, "gone")
	wantGet(t, v, "stored", "0")
	if got := collect(t, v, nil); !slices.Equal(got, []string{"a", "stored"}) {
		t.Errorf("listed %q", got)
	}
	if n, err := v.Len(t.Context()); err != nil || n != 2 {
		t.Errorf("Len = %d, %v", n, err)
	}
	if err := v.View(t.Context(), func(tx *kvault.Tx) error { wantGet(t, tx, "a", "1"); return nil }); err != nil {
		t.Error(err)
	}
	// Writers neither, as long as there is room.
	put(t, v, "a", "2", "b", "2")
	wantGet(t, v, "a", "2")
	wantBytes(t, v, 2+4+4, 3) // the old a counts until it is written, though it is the same entry
	release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	f.wantStored(t, "a", "1", "stored", "0")
	wantBytes(t, v, 4, 2)
	wantGet(t, v, "a", "2")
}

// A threshold must not be reached by what is on its way out already.
func TestThresholdDoesNotCountWhatIsBeingFlushed(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	enable(t, v, 1000, 10)
	reached, release := f.block("apply")
	defer release()
	done := make(chan error)
	go func() { done <- v.Put(t.Context(), "a", make([]byte, 50)) }()
	<-reached
	put(t, v, "b", "1") // would wait for the flush
	release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	wantBytes(t, v, 2, 1)
}

func TestWritersWaitForRoomWithinTheContext(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	enable(t, v, 10, 10)
	put(t, v, "a", "12345678")
	reached, release := f.block("apply")
	defer release()
	done := make(chan error)
	go func() {
		_, err := v.FlushCache(t.Context())
		done <- err
	}()
	<-reached
	ctx, cancel := context.WithCancel(t.Context())
	go cancel()
	wantErr(t, v.Put(ctx, "b", []byte("12345678")), context.Canceled)
	wantMissing(t, v, "b")
	_, err := v.FlushCache(ctx)
	wantErr(t, err, context.Canceled)
	_, err = v.Pop(ctx, "a")
	wantErr(t, err, context.Canceled)
	release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	wantGet(t, v, "a", "12345678")
}

func TestCacheNeverAboveItsCapacity(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	const capacity = 200
	enable(t, v, capacity, 100)
	f.on(func(context.Context, string) error {
		if s := v.CacheStats(); s.Bytes > capacity {
			t.Errorf("%d bytes are pending, %d are allowed", s.Bytes, capacity)
		}
		return nil
	})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 1))
			for range 400 {
				key := fmt.Sprint("key", r.IntN(20))
				var err error
				switch r.IntN(6) {
				case 0:
					_, err = v.Delete(t.Context(), key)
				case 1:
					err = v.PutAll(t.Context(), maps.All(map[string][]byte{key: nil, "other": make([]byte, r.IntN(150))}))
				default:
					err = v.Put(t.Context(), key, make([]byte, r.IntN(220)))
				}
				if err != nil {
					t.Error(err)
				}
				if s := v.CacheStats(); s.Bytes > capacity {
					t.Errorf("%d bytes are pending, %d are allowed", s.Bytes, capacity)
				}
			}
		})
	}
	wg.Wait()
}
