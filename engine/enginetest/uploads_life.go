package enginetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/ctxtest"
)

func testUploadList(t *testing.T, s engine.Uploader) {
	var want []string
	for i := range 23 {
		key := fmt.Sprintf("a/%d", i/3) // several of one key
		o := engine.UploadOptions{Key: key, Size: -1, ChunkSize: 10, Expires: time.Hour}
		if _, err := s.NewUpload(t.Context(), o); err != nil {
			t.Fatalf("NewUpload: %v", err)
		}
		want = append(want, key)
	}
	for _, key := range []string{"a", "b", "a0", "\x00", "\xff\xff"} {
		o := engine.UploadOptions{Key: key, Size: -1, ChunkSize: 10, Expires: time.Hour}
		if _, err := s.NewUpload(t.Context(), o); err != nil {
			t.Fatalf("NewUpload: %v", err)
		}
	}
	for _, limit := range []int{1, 2, 5, 23, 100} {
		if diff := cmp.Diff(want, listUploads(t, s, engine.UploadQuery{Prefix: "a/", Limit: limit})); diff != "" {
			t.Errorf("limit %d (-want +got):\n%s", limit, diff)
		}
	}
	all := append(append([]string{"\x00", "a"}, want...), "a0", "b", "\xff\xff")
	if diff := cmp.Diff(all, listUploads(t, s, engine.UploadQuery{Limit: 4})); diff != "" {
		t.Errorf("all (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"\xff\xff"}, listUploads(t, s, engine.UploadQuery{Prefix: "\xff", Limit: 4})); diff != "" {
		t.Errorf("prefix FF (-want +got):\n%s", diff)
	}
	if got := listUploads(t, s, engine.UploadQuery{Prefix: "none", Limit: 4}); got != nil {
		t.Errorf("%q with a prefix that none has", got)
	}
}

// listUploads returns the keys of a query's whole result, and holds each entry against Info.
func listUploads(t *testing.T, s engine.Uploader, q engine.UploadQuery) (keys []string) {
	t.Helper()
	seen := map[string]bool{}
	for {
		page, err := s.Uploads(t.Context(), q)
		if err != nil {
			t.Fatalf("Uploads: %v", err)
		}
		if len(page.Uploads) > q.Limit || page.More && len(page.Uploads) == 0 {
			t.Fatalf("Uploads: %d, more %v, with limit %d", len(page.Uploads), page.More, q.Limit)
		}
		for _, i := range page.Uploads {
			u, err := s.OpenUpload(t.Context(), i.ID)
			if err != nil {
				t.Fatalf("OpenUpload(%q): %v", i.ID, err)
			}
			if diff := cmp.Diff(info(t, u), i); diff != "" || seen[i.ID] {
				t.Errorf("listed twice %v; entry (-Info +listed):\n%s", seen[i.ID], diff)
			}
			seen[i.ID] = true
			keys, q.AfterKey, q.AfterID = append(keys, i.Key), i.Key, i.ID
		}
		if !page.More {
			return keys
		}
	}
}

func testUploadConditions(t *testing.T, s engine.Uploader) {
	put(t, s, "k", "old")
	u := newUpload(t, s, 10, -1)
	writeAt(t, u, noise(35), 0)
	op := uploadOp("k", u)
	op.If.Absent = true
	applyFails(t, s, engine.ErrExists, 0, op)
	op.If = engine.Condition{Tag: newTag()}
	applyFails(t, s, engine.ErrTagMismatch, 0, op)
	op.Key = "missing"
	applyFails(t, s, engine.ErrNotFound, 0, op)
	applyFails(t, s, engine.ErrNotFound, 1, uploadOp("k", u), renameOp("missing", "m"))
	has(t, s, "k", "old")
	writeAt(t, u, []byte("more"), 35) // it can go on after a failure
	op = uploadOp("other key", u)
	op.If.Absent = true
	apply(t, s, op, putOp("k", "new"))
	has(t, s, "k", "new", "other key", string(append(noise(35), "more"...)))
}

// gone checks that every call fails because the upload is gone.
func gone(t *testing.T, s engine.Uploader, u engine.Upload) {
	t.Helper()
	for what, err := range uploadCalls(t.Context(), s, u) {
		if what != "NewUpload" && what != "Uploads" {
			wantErr(t, what, err(), engine.ErrNoUpload)
		}
	}
	for _, listed := range listUploads(t, s, engine.UploadQuery{Limit: 10}) {
		if listed == u.Key() {
			t.Errorf("the upload of %q is listed", listed)
		}
	}
	applyFails(t, s, engine.ErrNoUpload, 0, uploadOp("never", u))
}

func uploadCalls(ctx context.Context, s engine.Uploader, u engine.Upload) map[string]func() error {
	return map[string]func() error{
		"Info":    func() error { _, err := u.Info(ctx); return err },
		"WriteAt": func() error { return u.WriteAt(ctx, noise(35), 0) },
		"ReadAt":  func() error { _, err := u.ReadAt(ctx, make([]byte, 35), 0); return err },
		"Update":  func() error { return u.Update(ctx, func(*engine.UploadInfo) error { return nil }) },
		"Abort":   func() error { return u.Abort(ctx) },
		"OpenUpload": func() error {
			_, err := s.OpenUpload(ctx, u.ID())
			return err
		},
		"NewUpload": func() error {
			_, err := s.NewUpload(ctx, engine.UploadOptions{Key: "new", Size: -1, ChunkSize: 10, Expires: time.Hour})
			return err
		},
		"Uploads": func() error { _, err := s.Uploads(ctx, engine.UploadQuery{Limit: 1}); return err },
	}
}

func testUploadUsedUp(t *testing.T, s engine.Uploader) {
	for _, size := range []int{0, 5, 95, largeSize} {
		u := newUpload(t, s, max(size/9, 10), -1)
		writeAt(t, u, noise(size), 0)
		published(t, s, u, noise(size))
		gone(t, s, u)
	}
	u := newUpload(t, s, 10, -1)
	writeAt(t, u, noise(35), 0)
	applyFails(t, s, engine.ErrNoUpload, 1, uploadOp("m", u), uploadOp("n", u))
	lacks(t, s, "m")
	published(t, s, u, noise(35))
}

func testUploadAbort(t *testing.T, s engine.Uploader) {
	u := newUpload(t, s, 10, -1)
	writeAt(t, u, noise(95), 3)
	if err := u.Abort(t.Context()); err != nil {
		t.Errorf("Abort: %v", err)
	}
	gone(t, s, u)
	has(t, s)
	if _, ok := s.(engine.Statser); ok {
		eventually(t, "no staged value", func() bool { return staged(t, s) == 0 })
	}
	next := newUpload(t, s, 10, -1) // which may get the place of the first
	writeAt(t, next, noise(12), 0)
	_, err := u.Info(t.Context())
	wantErr(t, "Info of the first", err, engine.ErrNoUpload)
	published(t, s, next, noise(12))
}

func testUploadExpiry(t *testing.T, s engine.Uploader) {
	start := func(expires time.Duration) engine.Upload {
		u, err := s.NewUpload(t.Context(), engine.UploadOptions{Key: "k", Size: -1, ChunkSize: 10, Expires: expires})
		if err != nil {
			t.Fatalf("NewUpload: %v", err)
		}
		return u
	}
	u := start(time.Millisecond)
	eventually(t, "the upload has expired", func() bool {
		_, err := u.Info(t.Context())
		return errors.Is(err, engine.ErrNoUpload)
	})
	gone(t, s, u)
	lasting := start(time.Hour) // a store may discard the others only now
	if _, ok := s.(engine.Statser); ok {
		eventually(t, "one staged value", func() bool { return staged(t, s) <= 2 }) // "new" of gone too
	}
	first := info(t, lasting).Expires
	short := start(time.Minute)
	before := info(t, short).Expires
	eventually(t, "a write postpones the expiry", func() bool {
		writeAt(t, short, noise(1), 0)
		return info(t, short).Expires.After(before)
	})
	if got := info(t, lasting).Expires; !got.Equal(first) {
		t.Errorf("expires %v without a write, want %v", got, first)
	}
	writeAt(t, lasting, noise(7), 0)
	published(t, s, lasting, noise(7))
}

func testUploadParallel(t *testing.T, s engine.Uploader) {
	const part, parts = 33_000, 24
	u := newUpload(t, s, 50_000, part*parts)
	value := noise(part * parts)
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			own, err := s.OpenUpload(t.Context(), u.ID())
			if err != nil {
				t.Error(err)
				return
			}
			for i := worker; i < parts; i += 4 {
				if err := own.WriteAt(t.Context(), value[i*part:(i+1)*part], int64(i*part)); err != nil {
					t.Error(err)
				}
				if _, err := own.Info(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	published(t, s, u, value)
}

// testUploadSameRange has two calls write the same bytes: each chunk is of one of them.
func testUploadSameRange(t *testing.T, s engine.Uploader) {
	const chunk, size = 20_000, 90_000
	u := newUpload(t, s, chunk, -1)
	var wg sync.WaitGroup
	for _, c := range []byte("ab") {
		wg.Go(func() {
			for range 5 {
				if err := u.WriteAt(t.Context(), bytes.Repeat([]byte{c}, size), 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	value := make([]byte, size)
	if _, err := u.ReadAt(t.Context(), value, 0); err != nil {
		t.Fatal(err)
	}
	for off := 0; off < size; off += chunk {
		if p := value[off:min(off+chunk, size)]; bytes.Count(p, p[:1]) != len(p) {
			t.Errorf("the chunk at %d is a mixture", off)
		}
	}
	writeAt(t, u, bytes.Repeat([]byte("c"), size), 0)
	published(t, s, u, bytes.Repeat([]byte("c"), size))
}

func testUploadContexts(t *testing.T, s engine.Uploader) {
	u := newUpload(t, s, 10, -1)
	writeAt(t, u, noise(35), 0)
	for what := range uploadCalls(t.Context(), s, u) {
		ctxtest.Before(t, what, func(ctx context.Context) error { return uploadCalls(ctx, s, u)[what]() })
	}
	for what := range uploadCalls(t.Context(), s, u) {
		if what != "Abort" {
			ctxtest.During(t, what, func(ctx context.Context) error { return uploadCalls(ctx, s, u)[what]() })
		}
	}
	published(t, s, u, noise(35))
}

func testUploadInTx(t *testing.T, s engine.Uploader) {
	x, ok := s.(engine.Transactor)
	if !ok {
		return
	}
	u := newUpload(t, s, 10, -1)
	writeAt(t, u, noise(35), 0)
	tx := begin(t, x, true)
	apply(t, tx, uploadOp("k", u), putOp("other", "v"))
	holds(t, tx, "k", noise(35))
	applyFails(t, tx, engine.ErrNoUpload, 0, uploadOp("twice", u))
	rollback(t, tx)
	has(t, s)
	writeAt(t, u, []byte("more"), 35) // the rollback has given it back
	tx = begin(t, x, true)
	failing := uploadOp("other", u)
	failing.If.Tag = newTag()
	applyFails(t, tx, engine.ErrNotFound, 0, failing)
	apply(t, tx, uploadOp("k", u))
	commit(t, tx)
	holds(t, s, "k", append(noise(35), "more"...))
	gone(t, s, u)
}

func testUploadMaintenance(t *testing.T, s engine.Uploader) {
	u, small := newUpload(t, s, 50_000, -1), newUpload(t, s, 10, -1)
	value := noise(largeSize)
	writeAt(t, u, value[:100_000], 0)
	writeAt(t, u, value[150_000:600_007], 150_000)
	writeAt(t, small, noise(35), 0)
	want := fill(t, s)
	if _, ok := s.(engine.Statser); ok {
		eventually(t, "two staged values", func() bool { return staged(t, s) == 2 })
	}
	if c, ok := s.(engine.Checker); ok {
		err := c.Check(t.Context(), func(p engine.Problem) { t.Errorf("problem with %q: %v", p.Key, p.Err) }, nil)
		if err != nil {
			t.Errorf("Check: %v", err)
		}
	}
	if o, ok := s.(engine.Optimizer); ok {
		if err := o.Optimize(t.Context(), nil); err != nil {
			t.Errorf("Optimize: %v", err)
		}
		if _, err := o.Shrink(t.Context(), time.Second); err != nil && !errors.Is(err, engine.ErrUnsupported) {
			t.Errorf("Shrink: %v", err)
		}
	}
	filled(t, s, want)
	wantExtents(t, u, engine.Extent{End: 100_000}, engine.Extent{Start: 150_000, End: 600_007})
	writeAt(t, u, value[600_007:], 600_007)
	writeAt(t, u, value[100_000:150_000], 100_000)
	published(t, s, u, value)
	apply(t, s, rangeOp("", ""))
	published(t, s, small, noise(35))
	if l, ok := s.(engine.Layouter); ok {
		apply(t, s, renameOp("k", "moved"))
		for _, to := range []engine.Layout{engine.Chunks, engine.OneRow} {
			if err := l.Relayout(t.Context(), to, nil); err != nil {
				t.Errorf("Relayout: %v", err)
			}
			holds(t, s, "moved", noise(35))
		}
	}
}

func testUploadClosed(t *testing.T, s engine.Uploader) {
	u := newUpload(t, s, 10, -1)
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	for what, call := range uploadCalls(t.Context(), s, u) {
		wantErr(t, what, call(), engine.ErrClosed)
	}
}

// testReopenUploads goes on with an upload after the store was opened again.
func testReopenUploads(t *testing.T, d *disk) {
	s, ok := d.s.(engine.Uploader)
	if !ok {
		return
	}
	put(t, d.s, "k", "old")
	u := newUpload(t, s, 1000, -1)
	value := noise(7_777)
	writeAt(t, u, value[3_500:], 3_500)
	writeAt(t, u, value[:500], 0)
	before := info(t, u)
	for range 2 {
		d.reopen()
	}
	s = d.s.(engine.Uploader)
	again, err := s.OpenUpload(t.Context(), before.ID)
	if err != nil {
		t.Fatalf("OpenUpload: %v", err)
	}
	if diff := cmp.Diff(before, info(t, again)); diff != "" {
		t.Errorf("Info (-before +after):\n%s", diff)
	}
	_, err = u.Info(t.Context())
	wantErr(t, "Info through the handle of the closed store", err, engine.ErrClosed)
	has(t, s, "k", "old")
	writeAt(t, again, value[500:3_500], 500)
	published(t, s, again, value)
	d.reopen()
	holds(t, d.s, "k", value)
	_, err = d.s.(engine.Uploader).OpenUpload(t.Context(), before.ID)
	wantErr(t, "OpenUpload of the published one", err, engine.ErrNoUpload)
}
