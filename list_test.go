package kvault_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
)

// many stores n keys k000000, k000001 and so on in one batch.
func many(t *testing.T, v *kvault.Vault, n int) {
	t.Helper()
	err := v.PutAll(t.Context(), func(yield func(string, []byte) bool) {
		for i := range n {
			if !yield(fmt.Sprintf("k%06d", i), nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The original stops at 10,000 keys, and so its clear() leaves the rest.
func TestListIsNotCapped(t *testing.T) {
	const n = 12_000
	v, f := newFaultyVault(t, nil)
	many(t, v, n)
	if got := collect(t, v, nil); len(got) != n || !slices.IsSorted(got) {
		t.Errorf("%d keys listed, want %d in order", len(got), n)
	}
	if got, err := v.Len(t.Context()); err != nil || got != n {
		t.Errorf("Len = %d, %v", got, err)
	}
	for _, q := range f.queries() {
		if q.Limit > 1000 || q.Values {
			t.Fatalf("a listing of keys asked for a page of %d, values %v", q.Limit, q.Values)
		}
	}
	if got, err := v.Clear(t.Context()); err != nil || got != n {
		t.Errorf("Clear = %d, %v", got, err)
	}
	if got, err := v.Len(t.Context()); err != nil || got != 0 {
		t.Errorf("Len after Clear = %d, %v", got, err)
	}
}

// The original misses keys such as prefix + ff ff.
func TestListPrefixReachesTheLastKey(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
		put(t, v, "a", "", "p", "", "p\x00", "", "p\xff", "", "p\xff\xff\xff", "", "q", "", "\xff", "", "\xff\xff\xfe", "", "\xff\xff\xff", "")
		for prefix, want := range map[string][]string{
			"p":        {"p", "p\x00", "p\xff", "p\xff\xff\xff"},
			"p\xff":    {"p\xff", "p\xff\xff\xff"},
			"\xff":     {"\xff", "\xff\xff\xfe", "\xff\xff\xff"},
			"\xff\xff": {"\xff\xff\xfe", "\xff\xff\xff"},
			"r":        nil,
		} {
			o := &kvault.ListOptions{Prefix: prefix}
			if got := collect(t, v, o); !slices.Equal(got, want) {
				t.Errorf("prefix %q lists %q, want %q", prefix, got, want)
			}
			if n, err := v.Count(t.Context(), o); err != nil || n != int64(len(want)) {
				t.Errorf("prefix %q counts %d, %v", prefix, n, err)
			}
		}
		if n, err := v.DeletePrefix(t.Context(), "p"); err != nil || n != 4 {
			t.Errorf("DeletePrefix = %d, %v", n, err)
		}
		if got, want := collect(t, v, nil), []string{"a", "q", "\xff", "\xff\xff\xfe", "\xff\xff\xff"}; !slices.Equal(got, want) {
			t.Errorf("left over: %q", got)
		}
	})
}

func TestListLoopMayWrite(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
		const n = 300
		many(t, v, n)
		seen := 0
		for key, err := range v.Keys(t.Context(), &kvault.ListOptions{Prefix: "k"}) {
			if err != nil {
				t.Fatal(err)
			}
			seen++
			put(t, v, "new/"+key, "x")
			if _, err := v.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			if err := v.Update(t.Context(), func(tx *kvault.Tx) error { return tx.Put(t.Context(), "updated", nil) }); err != nil {
				t.Fatal(err)
			}
			for range v.List(t.Context(), nil) {
				break
			}
		}
		if seen != n {
			t.Errorf("saw %d keys of %d", seen, n)
		}
		if got := collect(t, v, &kvault.ListOptions{Prefix: "new/"}); len(got) != n {
			t.Errorf("%d new keys", len(got))
		}
		if got := collect(t, v, &kvault.ListOptions{Prefix: "k"}); len(got) != 0 {
			t.Errorf("%d old keys", len(got))
		}
	})
}

func TestAbandonedListHoldsNothing(t *testing.T) {
	v, f := newFaultyVault(t, nil)
	many(t, v, 100)
	for range v.Items(t.Context(), nil) {
		break
	}
	if err := v.Close(); err != nil { // would wait for a call that is still running
		t.Fatal(err)
	}
	if got := f.count("list"); got != 1 {
		t.Errorf("%d pages were read for one item", got)
	}
}

func TestListTwice(t *testing.T) {
	v := newVault(t, nil)
	many(t, v, 100)
	keys := v.Keys(t.Context(), &kvault.ListOptions{Limit: 70})
	for range 2 {
		n := 0
		for range keys {
			n++
		}
		if n != 70 {
			t.Errorf("%d keys", n)
		}
	}
}

func TestListErrorIsTheLastThingYielded(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	many(t, v, 200)
	f.on(func(_ context.Context, call string) error {
		if call == "list" && f.count("list") == 2 {
			return errBoom
		}
		return nil
	})
	seen, failed := 0, error(nil)
	for e, err := range v.List(t.Context(), nil) {
		if failed != nil {
			t.Fatal("the loop went on after an error")
		}
		if failed = err; err == nil {
			seen++
		} else if e.Key != "" {
			t.Errorf("an error came with %+v", e)
		}
	}
	wantErr(t, failed, errBoom)
	if seen != 64 {
		t.Errorf("%d entries before the error", seen)
	}
	for _, err := range v.Values(t.Context(), &kvault.ListOptions{Limit: -1}) {
		wantErr(t, err, kvault.ErrInvalid)
	}
	f.fail("count", -1, errBoom)
	_, err := v.Len(t.Context())
	wantErr(t, err, errBoom)
	_, err = v.Count(t.Context(), nil)
	wantErr(t, err, errBoom)
}

func TestListOfAVaultClosedMeanwhile(t *testing.T) {
	v := newVault(t, nil)
	many(t, v, 200)
	var last error
	for _, err := range v.Keys(t.Context(), nil) {
		if last = err; err == nil {
			v.Close()
		}
	}
	wantErr(t, last, kvault.ErrClosed)
}

func TestListContext(t *testing.T) {
	v := newVault(t, nil)
	many(t, v, 200)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for _, err := range v.Keys(ctx, nil) {
		if last = err; err == nil {
			cancel()
		}
	}
	wantErr(t, last, context.Canceled)
}

func TestItemsAndValues(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, _ *faulty) {
		put(t, v, "a", "1", "b/x", "2", "b/y", "3", "c", "")
		var got []string
		for it, err := range v.Items(t.Context(), &kvault.ListOptions{Reverse: true}) {
			if err != nil || it.Value == nil || it.Size != int64(len(it.Value)) || it.Tag == "" {
				t.Fatalf("item %+v, %v", it, err)
			}
			got = append(got, it.Key+"="+string(it.Value))
		}
		if want := []string{"c=", "b/y=3", "b/x=2", "a=1"}; !slices.Equal(got, want) {
			t.Errorf("Items = %q", got)
		}
		got = nil
		for value, err := range v.Values(t.Context(), &kvault.ListOptions{Delimiter: "/", Limit: 2}) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(value))
		}
		if want := []string{"1", ""}; !slices.Equal(got, want) {
			t.Errorf("Values = %q; want those of a and c, without the folder", got)
		}
	})
}

func TestItemsReadABoundedPage(t *testing.T) {
	v, f := newFaultyVault(t, nil)
	big := make([]byte, 3<<20)
	for i := range 4 {
		if err := v.Put(t.Context(), fmt.Sprint(i), big); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for _, err := range v.Items(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; f.count("list") != n {
			t.Fatalf("item %d came with page %d", n, f.count("list"))
		}
	}
}

// A folder's content must not be read to skip it.
func TestListFolderCostsOneLookup(t *testing.T) {
	for _, reverse := range []bool{false, true} {
		t.Run(fmt.Sprint("reverse ", reverse), func(t *testing.T) {
			v, f := newFaultyVault(t, nil)
			items := map[string][]byte{"a": nil, "z": nil}
			for i := range 5_000 {
				items[fmt.Sprintf("big/%d/x", i)] = nil
			}
			if err := v.PutAll(t.Context(), maps.All(items)); err != nil {
				t.Fatal(err)
			}
			want := []string{"a", "big/", "z"}
			if reverse {
				slices.Reverse(want)
			}
			if got := collect(t, v, &kvault.ListOptions{Delimiter: "/", Reverse: reverse}); !slices.Equal(got, want) {
				t.Errorf("listed %q", got)
			}
			if n := f.count("list"); n > 3 {
				t.Errorf("%d pages for three entries", n)
			}
		})
	}
}

func TestListFolderAtTheEndOfTheKeySpace(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, f *faulty) {
		for i := range 200 {
			put(t, v, fmt.Sprintf("\xff\xff%03d", i), "")
		}
		if got, want := collect(t, v, &kvault.ListOptions{Delimiter: "\xff"}), []string{"\xff"}; !slices.Equal(got, want) {
			t.Errorf("listed %q", got)
		}
		if n := f.count("list"); n != 1 {
			t.Errorf("%d pages, though nothing can follow the folder", n)
		}
	})
}

func TestListFoldersHaveNothingButTheirKey(t *testing.T) {
	v := newVault(t, nil)
	put(t, v, "d/x", "1")
	for e, err := range v.List(t.Context(), &kvault.ListOptions{Delimiter: "/"}) {
		if err != nil || e.Key != "d/" || !e.Folder || e.Size != 0 || e.Tag != "" || !e.ModTime.IsZero() {
			t.Errorf("folder is %+v, %v", e, err)
		}
	}
}

// A page merges what the cache and what the store hold at one moment, even if everything is flushed
// in between.
func TestPageIsOneMoment(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	enable(t, v, 1<<20, 1<<20)
	put(t, v, "a", "1", "b", "1")
	first := true
	f.on(func(_ context.Context, call string) error {
		if call == "list" && first { // the overlay is taken, the page not yet read
			first = false
			if _, err := v.Pop(t.Context(), "a"); err != nil {
				t.Error(err)
			}
			put(t, v, "c", "1")
			if _, err := v.FlushCache(t.Context()); err != nil {
				t.Error(err)
			}
		}
		return nil
	})
	if got, want := collect(t, v, nil), []string{"b", "c"}; !slices.Equal(got, want) {
		t.Errorf("listed %q, want %q", got, want)
	}
}

// However fast flushes follow each other, a listing comes to an end.
func TestListIsNotStarvedByFlushes(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	enable(t, v, 1<<20, 1<<20)
	put(t, v, "a", "1")
	flushed := 0
	f.on(func(_ context.Context, call string) error {
		if call == "list" && flushed < 8 {
			flushed++
			put(t, v, "a", fmt.Sprint(flushed))
			if _, err := v.FlushCache(t.Context()); err != nil {
				t.Error(err)
			}
			put(t, v, "a", fmt.Sprint(flushed))
		} else if call == "list" {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer cancel()
			_, err := v.FlushCache(ctx)
			wantErr(t, err, context.DeadlineExceeded)
		}
		return nil
	})
	if got := collect(t, v, nil); !slices.Equal(got, []string{"a"}) {
		t.Errorf("listed %q", got)
	}
	if n := f.count("list"); n != 9 {
		t.Errorf("%d attempts, want 8 and one that makes flushes wait", n)
	}
}

func TestCountOfAFailingStore(t *testing.T) {
	for _, call := range []string{"begin read", "count"} {
		v, f := newFaultyVault(t, quick)
		put(t, v, "a", "")
		enable(t, v, 1<<20, 1<<20)
		if call != "count" { // pending writes are counted in a transaction
			put(t, v, "b", "")
		}
		f.fail(call, -1, errBoom)
		if _, err := v.Len(t.Context()); !errors.Is(err, errBoom) {
			t.Errorf("%s: Len = %v", call, err)
		}
	}
}

// Entries without metadata are the same whether they are pending or stored.
func TestListNoMetadata(t *testing.T) {
	ctx := t.Context()
	v := openFile(t, filepath.Join(t.TempDir(), "v.kv"), &kvault.Options{OneRowLimit: 100})
	want := []kvault.Entry{{Key: "a", Size: 1}, {Key: "b/", Folder: true}, {Key: "c", Size: 300}}
	for _, cached := range []bool{true, false} {
		if cached {
			enable(t, v, 1<<20, 1<<20)
		}
		put(t, v, "a", "1", "b/1", "22", "b/2", "333", "c", strings.Repeat("4", 300))
		if !cached {
			if err := v.DisableCache(ctx); err != nil {
				t.Fatal(err)
			}
		}
		var got []kvault.Entry
		for e, err := range v.List(ctx, &kvault.ListOptions{Delimiter: "/", NoMetadata: true}) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("cached %v: %+v, want %+v", cached, got, want)
		}
	}
	for it, err := range v.Items(ctx, &kvault.ListOptions{NoMetadata: true}) {
		if err != nil || it.Tag == "" || it.Value == nil {
			t.Errorf("Items: %+v, %v", it, err)
		}
	}
}
