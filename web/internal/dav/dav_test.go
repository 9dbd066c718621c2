package dav_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/singletest"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/dav"
	"github.com/kohakuvault/kvault/web/internal/values"
)

// TestMain leaves out, for stores without transactions, what a transaction keeps whole.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(singletest.Both{M: m, Skip: "^TestCopyCutOff$"})
}

// server serves a vault below /dav/.
type server struct {
	*httptest.Server
	t     *testing.T
	v     *kvault.Vault
	grant access.Grant // of every request
	watch func(*http.Request)
}

// newServer serves a vault that holds the keys, each with itself as its value.
func newServer(t *testing.T, v *kvault.Vault, keys ...string) *server {
	t.Helper()
	s := &server{t: t, v: v, grant: access.Everything(true)}
	if v == nil {
		var err error
		s.v, err = singletest.Open(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.v.Close() })
	}
	for _, key := range keys {
		if err := s.v.Put(t.Context(), key, []byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	h := dav.New(s.v, values.New(s.v))
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.watch != nil {
			s.watch(r)
		}
		h.ServeHTTP(w, r.WithContext(access.With(r.Context(), s.grant)))
	}))
	t.Cleanup(s.Close)
	return s
}

// header is a line of a request's header.
type header struct{ name, value string }

// do sends a request, and returns the answer with its body read.
func (s *server) do(method, path, body string, headers ...header) (*http.Response, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, h := range headers {
		if h.name == "Host" {
			r.Host = h.value
		}
		r.Header.Set(h.name, strings.ReplaceAll(h.value, "URL/", s.URL+"/"))
	}
	a, err := s.Client().Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return a, string(text)
}

// want sends a request that is to have that status, and returns the body of the answer.
func (s *server) want(status int, method, path, body string, headers ...header) string {
	s.t.Helper()
	a, text := s.do(method, path, body, headers...)
	if a.StatusCode != status {
		s.t.Errorf("%s %s %v is %d, want %d: %s", method, path, headers, a.StatusCode, status, text)
	}
	return text
}

// wantKeys compares the keys of the vault, each with its value if that is not the key.
func (s *server) wantKeys(want ...string) {
	s.t.Helper()
	got := []string{}
	for it, err := range s.v.Items(s.t.Context(), nil) {
		if err != nil {
			s.t.Fatal(err)
		}
		text := it.Key
		if value := string(it.Value); value != text && !strings.HasSuffix(text, "/") {
			text += "=" + value
		}
		got = append(got, text)
	}
	if !slices.Equal(got, want) {
		s.t.Errorf("the vault has %q, want %q", got, want)
	}
}

func to(path string) header { return header{"Destination", path} }

// change is a test of a request that changes the vault.
type change struct {
	keys    []string
	method  string
	path    string
	headers []header
	body    string
	status  int
	want    []string
}

func runChanges(t *testing.T, changes []change) {
	for _, c := range changes {
		t.Run(fmt.Sprint(c.method, c.path, c.headers, len(c.keys)), func(t *testing.T) {
			s := newServer(t, openMemory(t), c.keys...)
			s.want(c.status, c.method, c.path, c.body, c.headers...)
			if c.want == nil {
				c.want = c.keys
			}
			s.wantKeys(c.want...)
		})
	}
}

func openMemory(t *testing.T) *kvault.Vault {
	t.Helper()
	v, err := singletest.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

type keys = []string
type headers = []header

func TestPutAndDelete(t *testing.T) {
	runChanges(t, []change{
		{keys{}, "PUT", "/dav/a", nil, "a", 201, keys{"a"}},
		{keys{"a"}, "PUT", "/dav/a", nil, "new", 204, keys{"a=new"}},
		{keys{"a"}, "PUT", "/dav/a", headers{{"If-None-Match", "*"}}, "new", 412, nil},
		{keys{"d/x"}, "PUT", "/dav/d/%C3%BC%20%25%23", nil, "d/ü %#", 201, keys{"d/x", "d/ü %#"}},
		{keys{"d/x"}, "PUT", "/dav/e/y", nil, "e/y", 409, nil},   // no such folder
		{keys{"d"}, "PUT", "/dav/d/y", nil, "d/y", 409, nil},     // a file
		{keys{"d/x"}, "PUT", "/dav/d", nil, "d", 405, nil},       // a folder
		{keys{"d/x"}, "PUT", "/dav/d/y/", nil, "d/y/", 405, nil}, // would be one
		{keys{"a"}, "PUT", "/dav/", nil, "", 405, nil},           // the root
		{keys{"x"}, "PUT", "/dav/" + strings.Repeat("a/", 300), nil, "", 404, nil},
		{keys{"x"}, "PUT", "/dav/a//b", nil, "a//b", 404, nil},         // no name
		{keys{"x"}, "PUT", "/dav/%2e%2e/v", nil, "../v", 404, nil},     // traversal
		{keys{"d/x"}, "PUT", "/dav/d/..%2fe", nil, "d/../e", 404, nil}, // traversal
		{keys{"x"}, "PUT", "/dav/a%00", nil, "a\x00", 404, nil},        // NUL
		{keys{"x"}, "PUT", "/dav/%ff", nil, "\xff", 404, nil},          // not UTF-8
		{keys{}, "PUT", "/dav/" + strings.Repeat("k", 65536), nil, "", 414, nil},
		{keys{"x"}, "PUT", "/dav/a", headers{{"X-OC-Mtime", "soon"}}, "a", 400, nil},

		{keys{"a", "b"}, "DELETE", "/dav/a", nil, "", 204, keys{"b"}},
		{keys{"a"}, "DELETE", "/dav/b", nil, "", 404, nil},
		{keys{"a"}, "DELETE", "/dav/a", headers{{"If-Match", `"other"`}}, "", 412, nil},
		{keys{"a"}, "DELETE", "/dav/a", headers{{"If-Match", `*`}}, "", 204, keys{}},
		{keys{"d/x"}, "DELETE", "/dav/d", headers{{"Depth", "0"}}, "", 400, nil},
		{keys{"d/x"}, "DELETE", "/dav/d", headers{{"Depth", "infinity"}}, "", 204, keys{}},
		{keys{"a"}, "DELETE", "/dav/", nil, "", 403, nil},
		{keys{"a"}, "DELETE", "/dav//", nil, "", 404, nil},
		{keys{"d", "d-", "d/", "d/e/f", "d/x", "d0", "e/d/x"}, "DELETE", "/dav/d/", nil, "", 204,
			keys{"d", "d-", "d0", "e/d/x"}},
		{keys{"d/x", "d0"}, "DELETE", "/dav/d", nil, "", 204, keys{"d0"}},
		{keys{"d/e/x"}, "DELETE", "/dav/d/e/x", nil, "", 204, keys{"d/e/"}}, // the folder stays
		{keys{"d/e/x"}, "DELETE", "/dav/d/e", nil, "", 204, keys{"d/"}},
		{keys{"d/e/x"}, "DELETE", "/dav/d/e/../..", nil, "", 404, nil},

		{keys{}, "MKCOL", "/dav/d", nil, "", 201, keys{"d/"}},
		{keys{"d/x"}, "MKCOL", "/dav/d/e/", nil, "", 201, keys{"d/e/", "d/x"}},
		{keys{"d/x"}, "MKCOL", "/dav/d", nil, "", 405, nil},
		{keys{"d"}, "MKCOL", "/dav/d", nil, "", 405, nil},
		{keys{"d"}, "MKCOL", "/dav/d/e", nil, "", 409, nil},
		{keys{}, "MKCOL", "/dav/d/e", nil, "", 409, nil},
		{keys{}, "MKCOL", "/dav/", nil, "", 405, nil},
		{keys{}, "MKCOL", "/dav/d", nil, "<a/>", 415, nil},

		{keys{"a"}, "POST", "/dav/a", nil, "", 405, nil},
		{keys{"a"}, "PATCH", "/dav/a", nil, "", 405, nil},
	})
}

func TestCopyAndMove(t *testing.T) {
	depth := func(d string) header { return header{"Depth", d} }
	keep := header{"Overwrite", "F"}
	runChanges(t, []change{
		{keys{"a"}, "COPY", "/dav/a", headers{to("URL/dav/b")}, "", 201, keys{"a", "b=a"}},
		{keys{"a", "b"}, "COPY", "/dav/a", headers{to("/dav/b")}, "", 204, keys{"a", "b=a"}},
		{keys{"a", "b"}, "COPY", "/dav/a", headers{to("/dav/b"), keep}, "", 412, nil},
		{keys{"a", "b/c"}, "COPY", "/dav/a", headers{to("/dav/b"), keep}, "", 412, nil},
		{keys{"a", "b/c"}, "COPY", "/dav/a", headers{to("/dav/b/")}, "", 204, keys{"a", "b=a"}},
		{keys{"a", "b", "b/c"}, "COPY", "/dav/a", headers{to("/dav/b")}, "", 409, nil}, // b is hidden
		{keys{"a"}, "COPY", "/dav/a", headers{to("/dav/c/b")}, "", 409, nil},
		{keys{"a"}, "COPY", "/dav/x", headers{to("/dav/b")}, "", 404, nil},
		{keys{"d/x", "d/y/z", "dd"}, "COPY", "/dav/d/", headers{to("/dav/e/")}, "", 201,
			keys{"d/x", "d/y/z", "dd", "e/x=d/x", "e/y/z=d/y/z"}},
		{keys{"d/x", "e/old", "e/x"}, "COPY", "/dav/d/", headers{to("/dav/e/")}, "", 204,
			keys{"d/x", "e/x=d/x"}},
		{keys{"d/x", "e/old"}, "COPY", "/dav/d/", headers{to("/dav/e/"), keep}, "", 412, nil},
		{keys{"d/x", "e"}, "COPY", "/dav/d", headers{to("/dav/e")}, "", 204, keys{"d/x", "e/x=d/x"}},
		{keys{"d/x", "e/y"}, "COPY", "/dav/d", headers{to("/dav/f"), depth("0")}, "", 201,
			keys{"d/x", "e/y", "f/"}},
		{keys{"d/x", "e/y"}, "COPY", "/dav/d", headers{to("/dav/e"), depth("0")}, "", 204,
			keys{"d/x", "e/"}},
		{keys{"a"}, "COPY", "/dav/a", headers{to("/dav/b"), depth("1")}, "", 400, nil},
		{keys{"a"}, "COPY", "/dav/a", headers{to("/dav/b"), {"Overwrite", "maybe"}}, "", 400, nil},
		{keys{"a"}, "COPY", "/dav/a", headers{to("/dav/a")}, "", 403, nil},
		{keys{"d/x"}, "COPY", "/dav/d", headers{to("/dav/d/e")}, "", 403, nil},
		{keys{"d/e/x"}, "COPY", "/dav/d/e", headers{to("/dav/d")}, "", 403, nil},
		{keys{"d/x"}, "COPY", "/dav/", headers{to("/dav/e")}, "", 403, nil},
		{keys{"d/x"}, "COPY", "/dav/d", headers{to("/dav/")}, "", 403, nil},

		{keys{"a"}, "MOVE", "/dav/a", headers{to("/dav/b%20%3f")}, "", 201, keys{"b ?=a"}},
		{keys{"a", "b"}, "MOVE", "/dav/a", headers{to("/dav/b")}, "", 204, keys{"b=a"}},
		{keys{"a", "b"}, "MOVE", "/dav/a", headers{to("/dav/b"), keep}, "", 412, nil},
		{keys{"a", "b", "b/c"}, "MOVE", "/dav/a", headers{to("/dav/b")}, "", 409, nil},
		{keys{"d/x"}, "MOVE", "/dav/d/x", headers{to("/dav/x")}, "", 201, keys{"d/", "x=d/x"}},
		{keys{"d", "d/x", "dd", "e/y"}, "MOVE", "/dav/d", headers{to("/dav/e")}, "", 204,
			keys{"d", "dd", "e/x=d/x"}},
		{keys{"d/x", "f"}, "MOVE", "/dav/d/", headers{to("/dav/f/")}, "", 204, keys{"f/x=d/x"}},
		{keys{"d/x"}, "MOVE", "/dav/d/", headers{to("/dav/e/f/")}, "", 409, nil},
		{keys{"d/x"}, "MOVE", "/dav/d/", headers{to("/dav/e"), depth("infinity")}, "", 201,
			keys{"e/x=d/x"}},
		{keys{"d/x"}, "MOVE", "/dav/d/", headers{to("/dav/e"), depth("0")}, "", 400, nil},
		{keys{"d/x"}, "MOVE", "/dav/d/", headers{to("/dav/d/e")}, "", 403, nil},
		{keys{"a"}, "MOVE", "/dav/a", headers{to("/dav/b"), {"If-Match", `"other"`}}, "", 412, nil},

		{keys{"a"}, "MOVE", "/dav/a", nil, "", 400, nil},
		{keys{"a"}, "MOVE", "/dav/a", headers{to("http://elsewhere/dav/b")}, "", 502, nil},
		{keys{"a"}, "MOVE", "/dav/a", headers{to("URL/v/b")}, "", 502, nil},
		{keys{"a"}, "MOVE", "/dav/a", headers{to("URL/davb")}, "", 502, nil},
		{keys{"a"}, "MOVE", "/dav/a", headers{to("b")}, "", 502, nil},
		{keys{"a"}, "MOVE", "/dav/a", headers{to("/dav/../v/b")}, "", 404, nil},
		{keys{"a"}, "MOVE", "/dav/a", headers{to("/dav/%2e%2e/b")}, "", 404, nil},
		{keys{"a"}, "MOVE", "/dav/a", headers{to("/dav/b%zz")}, "", 400, nil},
		{keys{"a"}, "MOVE", "/dav/a", headers{to("mailto:b")}, "", 400, nil},
		{keys{"a"}, "MOVE", "/dav/a", headers{to("//dav/b")}, "", 502, nil},
		{keys{"a"}, "MOVE", "/dav/a", headers{to("/dav/b\\..")}, "", 201, keys{"b\\..=a"}},
	})
}
