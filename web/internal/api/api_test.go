package api_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/singletest"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(singletest.Both{M: m}) }

func newVault(t testing.TB) *kvault.Vault {
	t.Helper()
	v, err := singletest.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	return v
}

func put(t testing.TB, v *kvault.Vault, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if err := v.Put(t.Context(), key, []byte(key)); err != nil {
			t.Fatal(err)
		}
	}
}

// client asks a server, as someone with a grant.
type client struct {
	t    testing.TB
	base string
}

func serve(t testing.TB, h http.Handler, grant access.Grant) client {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(access.With(r.Context(), grant)))
	}))
	t.Cleanup(s.Close)
	return client{t, s.URL + api.Mount}
}

func everything(t testing.TB, v *kvault.Vault) client {
	return serve(t, api.New(v), access.Everything(true))
}

// grantOf is the grant of a token for some prefixes.
func grantOf(write bool, prefixes ...string) access.Grant {
	var tokens []access.Token
	for _, p := range prefixes {
		tokens = append(tokens, access.Token{Secret: "s", Prefix: p, Write: write})
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer s")
	g, _ := access.NewTokens(tokens, false).Grant(r)
	return g
}

func (c client) do(method, path, body string) *http.Response {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { res.Body.Close() })
	return res
}

// status is the answer's, with the text of the error if it is one.
func (c client) status(method, path, body string) (int, string) {
	c.t.Helper()
	res := c.do(method, path, body)
	text, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if got := res.Header.Get("X-Content-Type-Options"); got != "nosniff" {
		c.t.Errorf("%s: X-Content-Type-Options %q", path, got)
	}
	if got := res.Header.Get("Cache-Control"); got != "no-store" {
		c.t.Errorf("%s: Cache-Control %q", path, got)
	}
	return res.StatusCode, string(text)
}

// get is the body of a success.
func (c client) get(path string) string {
	c.t.Helper()
	status, text := c.status("GET", path, "")
	if status != http.StatusOK {
		c.t.Fatalf("%s: %d %s", path, status, text)
	}
	return text
}

// into decodes the body of a success.
func into[T any](c client, path string) (v T) {
	c.t.Helper()
	if err := json.Unmarshal([]byte(c.get(path)), &v); err != nil {
		c.t.Fatalf("%s: %v", path, err)
	}
	return v
}

// query makes a query of names and values.
func query(pairs ...string) string {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return "?" + v.Encode()
}
