package kvault_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/mem"
)

func newUpload(t *testing.T, v *kvault.Vault, o *kvault.UploadOptions) *kvault.Upload {
	t.Helper()
	u, err := v.NewUpload(t.Context(), "k", o)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func memVault(t *testing.T, o *kvault.Options) *kvault.Vault {
	t.Helper()
	v := newOn(t, mem.New(), o)
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	return v
}

// Pieces of any length from any offset on come out as they went in.
func TestUploadReadFrom(t *testing.T) {
	v := memVault(t, quick)
	text := strings.Repeat("0123456789", 10)
	for _, from := range []int{0, 1, 7, 8, 9, 64, 100} {
		u := newUpload(t, v, nil)
		for _, part := range []struct{ start, end int }{{from, len(text)}, {0, from}} {
			r := iotest.OneByteReader(strings.NewReader(text[part.start:part.end]))
			n, err := u.ReadFrom(t.Context(), r, int64(part.start))
			if n != int64(part.end-part.start) || err != nil {
				t.Errorf("ReadFrom at %d: %d, %v", part.start, n, err)
			}
		}
		if _, err := u.Publish(t.Context(), nil); err != nil {
			t.Error(err)
		}
		wantGet(t, v, "k", text)
	}
}

// What came before the source failed is stored, and counted.
func TestUploadKeepsWhatCameBeforeAFailure(t *testing.T) {
	v := memVault(t, quick)
	u := newUpload(t, v, nil)
	r := io.MultiReader(strings.NewReader("0123456789abc"), iotest.ErrReader(errBoom))
	n, err := u.ReadFrom(t.Context(), r, 3)
	wantErr(t, err, errBoom)
	var io *kvault.IOError
	if n != 13 || !errors.As(err, &io) {
		t.Errorf("ReadFrom: %d, %v; want 13 and an *IOError", n, err)
	}
	info, err := u.Info(t.Context())
	if err != nil || len(info.Written) != 1 || info.Written[0] != (kvault.Extent{Start: 3, End: 16}) {
		t.Errorf("Info: %+v, %v", info, err)
	}
}

func TestUploadArguments(t *testing.T) {
	v, ctx := memVault(t, nil), t.Context()
	for what, tt := range map[string]struct {
		key  string
		o    kvault.UploadOptions
		want error
	}{
		"no key":       {"", kvault.UploadOptions{}, kvault.ErrInvalid},
		"long key":     {strings.Repeat("k", kvault.MaxKey+1), kvault.UploadOptions{}, kvault.ErrTooLarge},
		"size":         {"k", kvault.UploadOptions{Size: -1}, kvault.ErrInvalid},
		"chunk size":   {"k", kvault.UploadOptions{ChunkSize: -1}, kvault.ErrInvalid},
		"expiry":       {"k", kvault.UploadOptions{Expires: -1}, kvault.ErrInvalid},
		"content type": {"k", kvault.UploadOptions{ContentType: "a\nb"}, kvault.ErrInvalid},
		"user":         {"k", kvault.UploadOptions{User: map[string]string{"a": "\xff"}}, kvault.ErrInvalid},
	} {
		_, err := v.NewUpload(ctx, tt.key, &tt.o)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", what, err, tt.want)
		}
	}
	_, err := v.OpenUpload(ctx, "none")
	wantErr(t, err, kvault.ErrNoUpload)
	u := newUpload(t, v, nil)
	_, err = u.ReadFrom(ctx, strings.NewReader("x"), -1)
	wantErr(t, err, kvault.ErrInvalid)
	wantErr(t, u.WriteAt(ctx, []byte("x"), -1), kvault.ErrInvalid)
	wantErr(t, u.SetSize(ctx, -1), kvault.ErrInvalid)
	wantErr(t, u.SetMetadata(ctx, &kvault.MetadataOptions{ContentType: "\x00"}), kvault.ErrInvalid)
	wantErr(t, u.SetMetadata(ctx, &kvault.MetadataOptions{IfTag: "tag"}), kvault.ErrInvalid)
	_, err = u.Publish(ctx, &kvault.PublishOptions{IfAbsent: true, IfTag: "tag"})
	wantErr(t, err, kvault.ErrInvalid)
	plain := newOn(t, struct{ engine.Store }{mem.New()}, nil)
	_, err = plain.NewUpload(ctx, "k", nil)
	wantErr(t, err, kvault.ErrUnsupported)
	if err := u.Abort(ctx); err != nil { // arguments are looked at first
		t.Fatal(err)
	}
	wantErr(t, u.SetMetadata(ctx, &kvault.MetadataOptions{ContentType: "\x00"}), kvault.ErrInvalid)
}

// An upload has the metadata that a put of the same bytes would have.
func TestUploadMetadata(t *testing.T) {
	v, ctx := memVault(t, nil), t.Context()
	png := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
	u := newUpload(t, v, nil)
	if err := u.WriteAt(ctx, png, 0); err != nil {
		t.Fatal(err)
	}
	if e, err := u.Publish(ctx, nil); e.ContentType != "image/png" || time.Since(e.ModTime) > time.Minute || err != nil {
		t.Errorf("published %+v, %v", e, err)
	}
	when := time.Unix(1700000000, 0).UTC()
	u = newUpload(t, v, &kvault.UploadOptions{ContentType: "a/b", ModTime: when, User: map[string]string{"a": "b"}})
	if err := u.SetSize(ctx, 0); err != nil {
		t.Fatal(err)
	}
	if err := u.SetMetadata(ctx, nil); err != nil {
		t.Fatal(err)
	}
	if err := u.SetMetadata(ctx, &kvault.MetadataOptions{User: map[string]string{"a": "c"}}); err != nil {
		t.Fatal(err)
	}
	info, err := u.Info(ctx)
	if err != nil || !info.SizeKnown || info.Size != 0 || info.ContentType != "a/b" || info.User["a"] != "c" ||
		info.ID != u.ID() || info.Expires.Sub(info.Created) != kvault.DefaultUploadExpiry {
		t.Errorf("Info: %+v, %v", info, err)
	}
	e, err := u.Publish(ctx, nil)
	if e.ContentType != "a/b" || !e.ModTime.Equal(when) || e.User["a"] != "c" || e.Size != 0 || err != nil {
		t.Errorf("published %+v, %v", e, err)
	}
}

// Parts go past the cache, and publishing flushes it first.
func TestUploadBesideTheCache(t *testing.T) {
	v, ctx := memVault(t, nil), t.Context()
	enable(t, v, 1<<20, 1<<20)
	put(t, v, "k", "cached", "other", "cached")
	u := newUpload(t, v, nil)
	if err := u.WriteAt(ctx, []byte("uploaded"), 0); err != nil {
		t.Fatal(err)
	}
	wantGet(t, v, "k", "cached")
	_, err := u.Publish(ctx, &kvault.PublishOptions{IfAbsent: true})
	wantErr(t, err, kvault.ErrExists)
	if _, err := u.Publish(ctx, nil); err != nil {
		t.Fatal(err)
	}
	wantGet(t, v, "k", "uploaded")
	wantGet(t, v, "other", "cached")
}

// Listings go through all pages, and may end early.
func TestUploadsInPages(t *testing.T) {
	v, ctx := memVault(t, nil), t.Context()
	for range 250 {
		newUpload(t, v, nil)
	}
	n := 0
	for _, err := range v.Uploads(ctx, "") {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	for range v.Uploads(ctx, "") {
		break
	}
	if n != 250 {
		t.Errorf("%d uploads, want 250", n)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	for _, err := range v.Uploads(ended, "") {
		wantErr(t, err, context.Canceled)
	}
}

func TestUploadReadOnlyAndClosed(t *testing.T) {
	ctx := t.Context()
	s := mem.New()
	v := newOn(t, s, nil)
	u := newUpload(t, v, nil)
	ro := newOn(t, s, &kvault.Options{ReadOnly: true})
	again, err := ro.OpenUpload(ctx, u.ID())
	if err != nil {
		t.Fatal(err)
	}
	wantErr(t, again.WriteAt(ctx, []byte("x"), 0), kvault.ErrReadOnly)
	wantErr(t, again.Abort(ctx), kvault.ErrReadOnly)
	_, err = again.Publish(ctx, nil)
	wantErr(t, err, kvault.ErrReadOnly)
	err = v.View(ctx, func(tx *kvault.Tx) error { _, err := tx.PublishUpload(ctx, u, nil); return err })
	wantErr(t, err, kvault.ErrReadOnly)
	if err := errors.Join(ro.Close(), v.Close()); err != nil {
		t.Fatal(err)
	}
	wantErr(t, u.WriteAt(ctx, []byte("x"), 0), kvault.ErrClosed)
	_, err = u.Info(ctx)
	wantErr(t, err, kvault.ErrClosed)
	_, err = u.ReadAt(ctx, bytes.Repeat([]byte("x"), 3), 0)
	wantErr(t, err, kvault.ErrClosed)
}
