package dav

import (
	"context"
	"errors"
	"io/fs"
	"net/http/httptest"
	"testing"
	"time"

	"golang.org/x/net/webdav"

	"github.com/kohakuvault/kvault/internal/singletest"
	"github.com/kohakuvault/kvault/internal/transact"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/values"
)

// newRequest returns a request for "d" in a new vault that has "a", "b" and "d".
func newRequest(t *testing.T, method string) *request {
	t.Helper()
	v, err := singletest.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	for _, key := range []string{"a", "b", "d"} {
		if err := v.Put(t.Context(), key, nil); err != nil {
			t.Fatal(err)
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), method, "/dav/d", nil)
	h := New(v, values.New(v)).(*handler)
	return &request{h, httptest.NewRecorder(), r, access.Everything(true), "d", false}
}

// TestForget has the locks of what is gone end within change, before another client can make a new
// one, and those of what is still there stay.
func TestForget(t *testing.T) {
	for _, method := range []string{"DELETE", "MOVE", "COPY", "MKCOL"} {
		for _, failure := range []error{nil, errors.New("no")} {
			q := newRequest(t, method)
			lock := webdav.LockDetails{Root: "/dav/d", Duration: time.Minute}
			token, err := q.locks.Create(time.Now(), lock)
			if err != nil {
				t.Fatal(err)
			}
			if err := q.change(func(transact.Store) error { return failure }); err != failure {
				t.Errorf("%s is %v", method, err)
			}
			gone := failure == nil && (method == "DELETE" || method == "MOVE")
			if q.locks.holds(token, "d") == gone {
				t.Errorf("after %s with %v the lock is gone: %v", method, failure, !gone)
			}
		}
	}
}

// TestIfInTransaction has another client replace the file right before the transaction.
func TestIfInTransaction(t *testing.T) {
	q := newRequest(t, "DELETE")
	e, err := q.v.Stat(t.Context(), "d")
	if err != nil {
		t.Fatal(err)
	}
	q.r.Header.Set("If", `(["`+e.Tag+`"])`)
	if err := q.conditions(q.v); err != nil {
		t.Fatal(err)
	}
	if err := q.v.Put(t.Context(), "d", []byte("new")); err != nil {
		t.Fatal(err)
	}
	called := false
	err = q.change(func(transact.Store) error { called = true; return nil })
	if called || err == nil {
		t.Errorf("the change is made, %v", err)
	}
}

// TestClientGoes has a listing end once the client is gone.
func TestClientGoes(t *testing.T) {
	q := newRequest(t, "PROPFIND")
	page, err := fs.ReadDir(q.v.FS(t.Context()), ".")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	q.r = q.r.WithContext(ctx)
	m := &multistatus{q: q}
	if err := m.addPage(page); !errors.Is(err, context.Canceled) || m.buf.Len() > 0 {
		t.Errorf("the listing goes on, %v", err)
	}
}
