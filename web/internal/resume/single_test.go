package resume_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine/mem"
	"github.com/kohakuvault/kvault/internal/singletest"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/resume"
)

// TestNoUploads: a vault whose store keeps no uploads says so, and how a value is stored there.
func TestNoUploads(t *testing.T) {
	v, err := kvault.New(singletest.Of(mem.New()), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	h, err := resume.New(v, resume.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, request := range []struct{ method, path, text string }{
		{http.MethodPost, "k", "PUT the value to /v/KEY in one go"},
		{http.MethodHead, "0123456789abcdef", ""},
		{http.MethodPatch, "0123456789abcdef", "this vault cannot do that"},
		{http.MethodDelete, "0123456789abcdef", "this vault cannot do that"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), request.method, resume.Mount+request.path, nil)
		r = r.WithContext(access.With(r.Context(), access.Everything(true)))
		r.Header.Set("Tus-Resumable", "1.0.0")
		r.Header.Set("Upload-Length", "3")
		r.Header.Set("Upload-Offset", "0")
		r.Header.Set("Content-Type", "application/offset+octet-stream")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusNotImplemented || !strings.Contains(w.Body.String(), request.text) {
			t.Errorf("%s: %d %s", request.method, w.Code, w.Body)
		}
	}
	if n, err := v.Len(t.Context()); n != 0 || err != nil {
		t.Errorf("%d keys, %v", n, err)
	}
}
