package values_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/singletest"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/values"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// server serves v with a grant for everything.
func server(t testing.TB, v *kvault.Vault) *httptest.Server {
	return serverFor(t, v, access.Everything(true))
}

func serverFor(t testing.TB, v *kvault.Vault, g access.Grant) *httptest.Server {
	t.Helper()
	h := values.New(v)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(access.With(r.Context(), g)))
	}))
	t.Cleanup(s.Close)
	return s
}

func TestMain(m *testing.M) { os.Exit(singletest.Both{M: m}.Run()) }

func vault(t testing.TB) *kvault.Vault {
	t.Helper()
	v, err := singletest.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

// answer is what a server said.
type answer struct {
	*http.Response
	body string
}

// ask sends a request for a key, with headers as pairs of name and value.
func ask(t testing.TB, s *httptest.Server, method, key, body string, headers ...string) answer {
	t.Helper()
	var b io.Reader
	if body != "" {
		b = strings.NewReader(body)
	}
	return askPath(t, s, method, wire.PathOf(values.Mount, key), b, headers...)
}

func askPath(t testing.TB, s *httptest.Server, method, path string, body io.Reader, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, s.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header[headers[i]] = append(req.Header[headers[i]], headers[i+1])
	}
	if req.Header.Get("Accept-Encoding") == "" {
		req.Header.Set("Accept-Encoding", "identity")
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer{resp, string(all)}
}

func TestPutGetDelete(t *testing.T) {
	s := server(t, vault(t))
	for _, key := range []string{
		"a", "photos/a cat.jpg", "ключ", "a\x00b", "line\nbreak", "\xff\xfe", "../etc/passwd", "a//b",
		"/", "a/", "?key=x#%2F", "%41", strings.Repeat("k/", kvault.MaxKey/2),
	} {
		if a := ask(t, s, "PUT", key, "value of it", "Content-Type", "text/plain"); a.StatusCode != 201 || a.Header.Get("Etag") == "" {
			t.Fatalf("PUT %.40q: %s %q", key, a.Status, a.body)
		}
		a := ask(t, s, "GET", key, "")
		if a.StatusCode != 200 || a.body != "value of it" || a.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Fatalf("GET %.40q: %s %q %v", key, a.Status, a.body, a.Header)
		}
		if a := ask(t, s, "PUT", key, "other"); a.StatusCode != 204 {
			t.Fatalf("PUT %.40q: %s %q", key, a.Status, a.body)
		}
		if a := ask(t, s, "HEAD", key, ""); a.StatusCode != 200 || a.ContentLength != 5 {
			t.Fatalf("HEAD %.40q: %s", key, a.Status)
		}
		if a := ask(t, s, "DELETE", key, ""); a.StatusCode != 204 {
			t.Fatalf("DELETE %.40q: %s", key, a.Status)
		}
		for _, method := range []string{"GET", "DELETE"} {
			if a := ask(t, s, method, key, ""); a.StatusCode != 404 {
				t.Fatalf("%s %.40q: %s", method, key, a.Status)
			}
		}
	}
}
