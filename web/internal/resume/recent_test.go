package resume

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault/web/internal/access"
)

// A client that did not get the answer to its last byte learns that the upload is complete, from the
// same process. Others do not.
func TestAnswerLost(t *testing.T) {
	s := serve(t, Options{}, everything)
	path := s.create(t, "k", 3, nil)
	tag := s.do(t, "PATCH", path, patch(0), strings.NewReader("abc")).want(t, 204, headers{"ETag": "*"}).header.Get("ETag")
	s.do(t, "HEAD", path, tus(nil), nil).
		want(t, 200, headers{"Upload-Offset": "3", "Upload-Length": "3", "ETag": tag, "Upload-Expires": ""})
	s.do(t, "HEAD", path, headers{"Upload-Draft-Interop-Version": "6"}, nil).
		want(t, 204, headers{"Upload-Offset": "3", "Upload-Complete": "?1", "ETag": tag})
	s.do(t, "PATCH", path, patch(3), nil).want(t, 204, headers{"Upload-Offset": "3", "ETag": tag})
	s.do(t, "PATCH", path, patch(0), strings.NewReader("xyz")).want(t, 409, nil)
	s.do(t, "DELETE", path, tus(nil), nil).want(t, 404, nil)
	s.holds(t, "k", []byte("abc"))

	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.h.ServeHTTP(w, r.WithContext(access.With(r.Context(), access.Everything(false))))
	})
	s.do(t, "HEAD", path, tus(nil), nil).want(t, 403, headers{"Upload-Offset": ""})
	again := serveVault(t, s.v, Options{}, everything)
	again.do(t, "HEAD", path, tus(nil), nil).want(t, 404, nil)
}

// A request that waited for the lock while the one before published the upload learns it as well.
func TestPublishedMeanwhile(t *testing.T) {
	s := serve(t, Options{}, everything)
	path := s.create(t, "k", 3, nil)
	r := httptest.NewRequest("HEAD", path, nil)
	r = r.WithContext(access.With(t.Context(), everything))
	waiting, err := s.h.open(r, strings.TrimPrefix(path, Mount))
	if err != nil {
		t.Fatal(err)
	}
	s.do(t, "PATCH", path, patch(0), strings.NewReader("abc")).want(t, 204, headers{"ETag": "*"})
	c := newCall(httptest.NewRecorder(), r)
	info, err := waiting.GetInfo(context.WithValue(t.Context(), callKey{}, c))
	if err != nil || info.Offset != 3 || info.Size != 3 || c.etag == "" {
		t.Errorf("the upload is %+v, %v, ETag %q", info, err, c.etag)
	}
}

// The memory of published uploads is bounded.
func TestRecent(t *testing.T) {
	r := newRecent()
	for i := range 3 * manyRecent {
		r.add(&published{id: fmt.Sprint(i)})
		if _, ok := r.find(fmt.Sprint(i)); !ok {
			t.Fatalf("upload %d is forgotten at once", i)
		}
	}
	if _, ok := r.find(fmt.Sprint(2*manyRecent - 1)); ok || len(r.byID) != manyRecent {
		t.Errorf("%d are remembered, among them an old one: %v", len(r.byID), ok)
	}
}
