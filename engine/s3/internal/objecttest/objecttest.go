// Package objecttest is what every object.Bucket has to do, as tests.
package objecttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine/s3/internal/object"
)

// Run runs the suite. open returns an empty bucket that ends with the test.
func Run(t *testing.T, open func(t *testing.T) object.Bucket) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, object.Bucket)
	}{
		{"PutGetHead", testPutGetHead},
		{"Ranges", testRanges},
		{"Conditions", testConditions},
		{"Race", testRace},
		{"List", testList},
		{"Delete", testDelete},
		{"Multipart", testMultipart},
		{"Canceled", testCanceled},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// alphabet is every character that keys are made of.
const alphabet = "!=_~.-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func put(t *testing.T, b object.Bucket, key string, body []byte, o object.PutOptions) string {
	t.Helper()
	etag, err := b.Put(t.Context(), key, body, o)
	if err != nil {
		t.Fatal(err)
	}
	if etag == "" || strings.Contains(etag, `"`) {
		t.Fatalf("put %q: ETag %q", key, etag)
	}
	return etag
}

func get(t *testing.T, b object.Bucket, key string, r object.Range) (object.Info, []byte) {
	t.Helper()
	i, body, err := b.Get(t.Context(), key, r)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(body)
	if err := errors.Join(err, body.Close()); err != nil {
		t.Fatal(err)
	}
	return i, data
}

func wantError(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func testPutGetHead(t *testing.T, b object.Bucket) {
	header := strings.Repeat("kv1 +/=;,", 1+object.MaxHeader/9)[:object.MaxHeader]
	for _, test := range []struct {
		key  string
		body []byte
		o    object.PutOptions
	}{
		{"empty", nil, object.PutOptions{}},
		{"one", []byte{0}, object.PutOptions{Header: "x"}},
		{"a/" + alphabet + "//b", []byte("all characters"), object.PutOptions{ContentType: "image/png"}},
		{strings.Repeat("k", 1000), []byte("a long key"), object.PutOptions{}},
		{"large", bytes.Repeat([]byte("0123456789abcdef"), 1<<16), object.PutOptions{Header: header, ContentType: "text/html"}},
		{"one", []byte("overwritten"), object.PutOptions{}},
	} {
		etag := put(t, b, test.key, test.body, test.o)
		head, err := b.Head(t.Context(), test.key)
		if err != nil {
			t.Fatal(err)
		}
		got, data := get(t, b, test.key, object.Range{Length: -1})
		if !bytes.Equal(data, test.body) {
			t.Errorf("%q: %d bytes, which are not the %d stored", test.key, len(data), len(test.body))
		}
		for _, i := range []object.Info{head, got} {
			if i.Key != test.key || i.Size != int64(len(test.body)) || i.ETag != etag || i.Header != test.o.Header ||
				test.o.ContentType != "" && i.ContentType != test.o.ContentType {
				t.Errorf("%q: %+v, want size %d, ETag %q and %+v", test.key, i, len(test.body), etag, test.o)
			}
			if age := time.Since(i.Modified).Abs(); age > time.Hour {
				t.Errorf("%q: modified %v", test.key, i.Modified)
			}
		}
	}
	_, err := b.Head(t.Context(), "missing")
	wantError(t, "head of a missing object", err, object.ErrNotFound)
	_, _, err = b.Get(t.Context(), "missing", object.Range{Length: -1})
	wantError(t, "get of a missing object", err, object.ErrNotFound)
	_, _, err = b.Get(t.Context(), "missing", object.Range{})
	wantError(t, "get of nothing of a missing object", err, object.ErrNotFound)
}

func testRanges(t *testing.T, b object.Bucket) {
	body := []byte("0123456789")
	etag := put(t, b, "k", body, object.PutOptions{})
	put(t, b, "empty", nil, object.PutOptions{})
	for _, test := range []struct {
		key         string
		off, length int64
		want        string
		err         error
	}{
		{"k", 0, -1, "0123456789", nil},
		{"k", 0, 10, "0123456789", nil},
		{"k", 3, 4, "3456", nil},
		{"k", 9, 1, "9", nil},
		{"k", 4, -1, "456789", nil},
		{"k", 10, -1, "", nil},
		{"k", 10, 0, "", nil},
		{"k", 2, 0, "", nil},
		{"k", 11, -1, "", io.ErrUnexpectedEOF},
		{"k", 11, 0, "", io.ErrUnexpectedEOF},
		{"k", 8, 3, "", io.ErrUnexpectedEOF},
		{"k", 10, 1, "", io.ErrUnexpectedEOF},
		{"empty", 0, -1, "", nil},
		{"empty", 0, 0, "", nil},
		{"empty", 0, 1, "", io.ErrUnexpectedEOF},
		{"empty", 1, -1, "", io.ErrUnexpectedEOF},
	} {
		i, r, err := b.Get(t.Context(), test.key, object.Range{Off: test.off, Length: test.length})
		if test.err != nil {
			wantError(t, fmt.Sprintf("%q from %d, %d bytes", test.key, test.off, test.length), err, test.err)
			continue
		}
		if err != nil {
			t.Errorf("%q from %d, %d bytes: %v", test.key, test.off, test.length, err)
			continue
		}
		data, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil || string(data) != test.want {
			t.Errorf("%q from %d, %d bytes: %q, %v", test.key, test.off, test.length, data, err)
		}
		if test.key == "k" && (i.Size != 10 || i.ETag != etag) {
			t.Errorf("%q from %d, %d bytes: %+v", test.key, test.off, test.length, i)
		}
	}
	_, r, err := b.Get(t.Context(), "k", object.Range{Off: 1, Length: 2, IfMatch: etag})
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	put(t, b, "k", []byte("another version"), object.PutOptions{})
	for _, length := range []int64{-1, 0, 2} {
		_, _, err = b.Get(t.Context(), "k", object.Range{Off: 1, Length: length, IfMatch: etag})
		wantError(t, "get of a version that is gone", err, object.ErrPrecondition)
	}
}

func testConditions(t *testing.T, b object.Bucket) {
	ctx := t.Context()
	first := put(t, b, "k", []byte("1"), object.PutOptions{IfAbsent: true})
	_, err := b.Put(ctx, "k", []byte("2"), object.PutOptions{IfAbsent: true})
	wantError(t, "put if absent over an object", err, object.ErrPrecondition)
	second := put(t, b, "k", []byte("2"), object.PutOptions{IfMatch: first})
	_, err = b.Put(ctx, "k", []byte("3"), object.PutOptions{IfMatch: first})
	wantError(t, "put over another version", err, object.ErrPrecondition)
	_, err = b.Put(ctx, "missing", []byte("3"), object.PutOptions{IfMatch: second})
	wantError(t, "put over a missing version", err, object.ErrPrecondition)
	_, err = b.Head(ctx, "missing")
	wantError(t, "head after that", err, object.ErrNotFound)
	if i, data := get(t, b, "k", object.Range{Length: -1}); string(data) != "2" || i.ETag != second {
		t.Errorf("%q with ETag %q, want 2 with %q", data, i.ETag, second)
	}
}

// Of writers that race under a condition, one wins.
func testRace(t *testing.T, b object.Bucket) {
	const writers = 16
	base := put(t, b, "over", []byte("base"), object.PutOptions{})
	for _, test := range []struct {
		key string
		o   object.PutOptions
	}{{"absent", object.PutOptions{IfAbsent: true}}, {"over", object.PutOptions{IfMatch: base}}} {
		errs := make([]error, writers)
		var all sync.WaitGroup
		for w := range writers {
			all.Go(func() { _, errs[w] = b.Put(t.Context(), test.key, fmt.Append(nil, w), test.o) })
		}
		all.Wait()
		_, data := get(t, b, test.key, object.Range{Length: -1})
		won := 0
		for w, err := range errs {
			switch {
			case err == nil:
				if won++; string(data) != fmt.Sprint(w) {
					t.Errorf("%q: %d won, but %q is there", test.key, w, data)
				}
			case !errors.Is(err, object.ErrPrecondition) && !errors.Is(err, object.ErrUnknown):
				t.Errorf("%q: %v", test.key, err)
			}
		}
		unknown := slices.ContainsFunc(errs, func(err error) bool { return errors.Is(err, object.ErrUnknown) })
		if won > 1 || won == 0 && !unknown {
			t.Errorf("%q: %d writers won: %v", test.key, won, errs)
		}
	}
}

func testList(t *testing.T, b object.Bucket) {
	var want []string
	for _, c := range alphabet {
		want = append(want, "l/"+string(c)+"/x", "l/a"+string(c))
	}
	want = append(want, "l/")
	for _, key := range append([]string{"k", "l", "m/x"}, want...) {
		put(t, b, key, []byte(key), object.PutOptions{Header: "h"})
	}
	slices.Sort(want)
	for _, limit := range []int{1, 7, len(want), 2000} {
		if limit == 1 && testing.Short() {
			continue
		}
		var got []string
		q := object.Query{Prefix: "l/", Limit: limit}
		for {
			p, err := b.List(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range p.Objects {
				got = append(got, i.Key)
				if i.Size != int64(len(i.Key)) || i.ETag == "" || i.Modified.IsZero() {
					t.Errorf("%+v", i)
				}
			}
			if len(p.Objects) > limit || p.More && len(p.Objects) == 0 {
				t.Fatalf("%d objects of at most %d", len(p.Objects), limit)
			}
			if !p.More {
				break
			}
			q.After = p.Objects[len(p.Objects)-1].Key
		}
		if !slices.Equal(got, want) {
			t.Errorf("limit %d: %q, want %q", limit, got, want)
		}
	}
	p, err := b.List(t.Context(), object.Query{Prefix: "none/", Limit: 5})
	if err != nil || p.More || len(p.Objects) > 0 {
		t.Errorf("%+v, %v", p, err)
	}
	// After need not exist, nor have the prefix.
	p, err = b.List(t.Context(), object.Query{Prefix: "l/", After: "a", Limit: 1})
	if err != nil || len(p.Objects) != 1 || p.Objects[0].Key != "l/" || !p.More {
		t.Errorf("%+v, %v", p, err)
	}
}

func testDelete(t *testing.T, b object.Bucket) {
	ctx := t.Context()
	etag := put(t, b, "k", []byte("1"), object.PutOptions{})
	can := b.Abilities()
	if can.DeleteIfMatch {
		err := b.Delete(ctx, "k", object.DeleteOptions{IfMatch: "00000000000000000000000000000000"})
		wantError(t, "delete of another version", err, object.ErrPrecondition)
	}
	if can.DeleteIfUnmodified {
		err := b.Delete(ctx, "k", object.DeleteOptions{UnmodifiedSince: time.Now().Add(-48 * time.Hour)})
		wantError(t, "delete of one that is too new", err, object.ErrPrecondition)
	}
	if _, err := b.Head(ctx, "k"); err != nil {
		t.Fatal(err)
	}
	o := object.DeleteOptions{IfMatch: etag, UnmodifiedSince: time.Now().Add(time.Hour)}
	for range 2 { // a missing one is no error
		if err := b.Delete(ctx, "k", o); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Delete(ctx, "k", object.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err := b.Head(ctx, "k")
	wantError(t, "head of what was deleted", err, object.ErrNotFound)

	keys := []string{"missing"}
	for i := range 40 {
		keys = append(keys, fmt.Sprint("all/", i))
		put(t, b, keys[i+1], nil, object.PutOptions{})
	}
	if err := errors.Join(b.DeleteAll(ctx, keys), b.DeleteAll(ctx, nil)); err != nil {
		t.Fatal(err)
	}
	if p, err := b.List(ctx, object.Query{Prefix: "all/", Limit: 10}); err != nil || len(p.Objects) > 0 {
		t.Errorf("%+v, %v", p, err)
	}
}

func testMultipart(t *testing.T, b object.Bucket) {
	ctx := t.Context()
	m, err := b.Begin(ctx, "m/done")
	if err != nil {
		t.Fatal(err)
	}
	parts := [][]byte{bytes.Repeat([]byte("a"), object.MinPart), bytes.Repeat([]byte("b"), object.MinPart), []byte("c")}
	errs := make([]error, len(parts))
	var all sync.WaitGroup
	for n, p := range parts {
		all.Go(func() { errs[n] = m.Part(ctx, n+1, p) })
	}
	all.Wait()
	// A part may be sent again.
	if err := errors.Join(append(errs, m.Part(ctx, 3, parts[2]))...); err != nil {
		t.Fatal(err)
	}
	_, err = b.Head(ctx, "m/done")
	wantError(t, "head before the end", err, object.ErrNotFound)
	list, err := b.Unfinished(ctx, "m/")
	if err != nil || len(list) != 1 || list[0].Key != "m/done" || list[0].ID != m.ID() || time.Since(list[0].Begun).Abs() > time.Hour {
		t.Errorf("%+v, %v", list, err)
	}
	etag, err := m.Complete(ctx)
	if err != nil {
		t.Fatal(err)
	}
	i, data := get(t, b, "m/done", object.Range{Off: 2*object.MinPart - 1, Length: 2, IfMatch: etag})
	if string(data) != "bc" || i.Size != 2*object.MinPart+1 || i.ETag != etag {
		t.Errorf("%q of %+v", data, i)
	}
	if _, whole := get(t, b, "m/done", object.Range{Length: -1}); !bytes.Equal(whole, bytes.Join(parts, nil)) {
		t.Error("the object is not its parts")
	}

	dropped, err := b.Begin(ctx, "m/dropped")
	if err != nil {
		t.Fatal(err)
	}
	if err := dropped.Part(ctx, 1, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(dropped.Abort(ctx), dropped.Abort(ctx), b.Abort(ctx, "m/dropped", dropped.ID())); err != nil {
		t.Error(err)
	}
	if err := dropped.Part(ctx, 2, []byte("x")); err == nil {
		t.Error("a part was added to what was given up")
	}
	if list, err := b.Unfinished(ctx, ""); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

func testCanceled(t *testing.T, b object.Bucket) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.Put(ctx, "k", nil, object.PutOptions{})
	wantError(t, "put", err, context.Canceled)
	_, err = b.Head(ctx, "k")
	wantError(t, "head", err, context.Canceled)
	_, _, err = b.Get(ctx, "k", object.Range{Length: -1})
	wantError(t, "get", err, context.Canceled)
	_, err = b.List(ctx, object.Query{Limit: 1})
	wantError(t, "list", err, context.Canceled)
	wantError(t, "delete", b.Delete(ctx, "k", object.DeleteOptions{}), context.Canceled)
	wantError(t, "delete all", b.DeleteAll(ctx, []string{"k"}), context.Canceled)
	_, err = b.Begin(ctx, "k")
	wantError(t, "begin", err, context.Canceled)
	_, err = b.Unfinished(ctx, "")
	wantError(t, "unfinished", err, context.Canceled)
	if _, err := b.Head(t.Context(), "k"); !errors.Is(err, object.ErrNotFound) {
		t.Errorf("a canceled put: %v", err)
	}
}
