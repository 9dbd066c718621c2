package page

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/singletest"
	"github.com/kohakuvault/kvault/internal/transact"
	"github.com/kohakuvault/kvault/web/internal/access"
)

var ctx = context.Background()

// site is a page of a vault in memory, for one grant.
type site struct {
	t   *testing.T
	v   *kvault.Vault
	srv *httptest.Server
}

func TestMain(m *testing.M) { os.Exit(singletest.Both{M: m}.Run()) }

func newSite(t *testing.T, grant access.Grant, keys ...string) *site {
	t.Helper()
	v, err := singletest.Open(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	h, err := New(v, Options{})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(access.With(r.Context(), grant)))
	}))
	t.Cleanup(func() {
		srv.Close()
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	err = transact.Update(ctx, v, func(in transact.Store) error {
		for _, k := range keys {
			if _, err := in.PutWith(ctx, k, []byte("value of "+k), nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return &site{t, v, srv}
}

func grantOf(t *testing.T, tokens ...access.Token) access.Grant {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer s")
	for i := range tokens {
		tokens[i].Secret = "s"
	}
	grant, ok := access.NewTokens(tokens, false).Grant(r)
	if !ok {
		t.Fatal("the token is not known")
	}
	return grant
}

// do sends a request to a path as it is, and returns the answer and its body. It follows nothing.
func (s *site) do(method, path, contentType string, body io.Reader) (*http.Response, string) {
	s.t.Helper()
	req, err := http.NewRequest(method, s.srv.URL+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp, string(b)
}

func (s *site) get(path string, status int) *html.Node {
	s.t.Helper()
	resp, body := s.do(http.MethodGet, path, "", nil)
	if resp.StatusCode != status {
		s.t.Fatalf("GET %s: status %d, not %d: %.300s", path, resp.StatusCode, status, body)
	}
	return s.parse(body)
}

func (s *site) parse(body string) *html.Node {
	s.t.Helper()
	doc, err := html.Parse(strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	return doc
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// find returns the elements for which match holds.
func find(doc *html.Node, match func(*html.Node) bool) []*html.Node {
	var found []*html.Node
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && match(n) {
			found = append(found, n)
		}
	}
	return found
}

func hasClass(class string) func(*html.Node) bool {
	return func(n *html.Node) bool { return strings.Contains(" "+attr(n, "class")+" ", " "+class+" ") }
}

func byID(doc *html.Node, id string) *html.Node {
	found := find(doc, func(n *html.Node) bool { return attr(n, "id") == id })
	if len(found) != 1 {
		return nil
	}
	return found[0]
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

// names are the names that a folder page shows, folders with a slash.
func names(doc *html.Node) []string {
	var list []string
	for _, item := range find(doc, hasClass("item")) {
		for _, n := range find(item, func(n *html.Node) bool { return n.Data == "bdi" }) {
			name := textOf(n)
			for _, a := range item.Attr {
				if a.Key == "data-folder" {
					name += "/"
				}
			}
			list = append(list, name)
		}
	}
	return list
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("%s: %v, not %v", what, got, want)
	}
}

func (s *site) keys() []string {
	s.t.Helper()
	var list []string
	for k, err := range s.v.Keys(ctx, nil) {
		if err != nil {
			s.t.Fatal(err)
		}
		list = append(list, k)
	}
	return list
}
