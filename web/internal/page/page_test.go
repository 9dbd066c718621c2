package page

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/access"
)

func TestStatus(t *testing.T) {
	s := newSite(t, access.Everything(false), "a", "b")
	doc := s.get("/status", http.StatusOK)
	equal(t, "files", textOf(byID(doc, "stat-keys")), "2")
	if byID(s.get("/", http.StatusOK), "status") == nil {
		t.Error("the folder has no place for the card")
	}
}

func TestFrame(t *testing.T) {
	s := newSite(t, access.Everything(true))
	for _, path := range []string{"/", "/b/x/", "/nothing", "/status", "/b/%ff/", "/view"} {
		resp, body := s.do(http.MethodGet, path, "", nil)
		if got := resp.Header.Get("Content-Security-Policy"); got != policy(resp.Request.URL.Host) {
			t.Errorf("%s: policy %q", path, got)
		}
		equal(t, path, resp.Header.Get("X-Content-Type-Options"), "nosniff")
		equal(t, path, resp.Header.Get("Content-Type"), "text/html; charset=utf-8")
		noScript(t, path, s.parse(body))
	}
	s.get("/nothing", http.StatusNotFound)
	s.get("/b/"+strings.Repeat("x", kvault.MaxKey+1), http.StatusRequestURITooLong)
	s.get("/b/?in=%25zz", http.StatusBadRequest)
	searched := s.get("/b/?in=..%2F&q=a", http.StatusOK)
	equal(t, "the folder of a search", attr(byID(searched, "list"), "data-prefix"), "../")
	if attr(byID(searched, "search"), "action") != "/b/" {
		t.Error("the form of the search goes to a path that browsers change")
	}
	for path, allowed := range map[string]string{"/": "GET, HEAD, POST", "/status": "GET, HEAD"} {
		resp, _ := s.do(http.MethodDelete, path, "", nil)
		equal(t, "DELETE "+path, []any{resp.StatusCode, resp.Header.Get("Allow")}, []any{405, allowed})
	}
}

// Every asset that a page names is there, with its type, and may be kept for good.
func TestAssets(t *testing.T) {
	s := newSite(t, access.Everything(true))
	doc := s.get("/", http.StatusOK)
	seen := 0
	for _, n := range find(doc, func(*html.Node) bool { return true }) {
		for _, a := range n.Attr {
			if !strings.HasPrefix(a.Val, "/static/") {
				continue
			}
			seen++
			resp, _ := s.do(http.MethodGet, strings.Split(a.Val, "#")[0], "", nil)
			kept := strings.Contains(resp.Header.Get("Cache-Control"), "immutable")
			if resp.StatusCode != http.StatusOK || !kept {
				t.Errorf("%s: status %d, %v", a.Val, resp.StatusCode, resp.Header)
			}
		}
	}
	if seen < 4 {
		t.Errorf("the page names %d assets", seen)
	}
	for _, path := range []string{"/static/", "/static/app.js", "/static/../page.go"} {
		resp, _ := s.do(http.MethodGet, path, "", nil)
		equal(t, path, resp.StatusCode, http.StatusNotFound)
	}
}

func TestShow(t *testing.T) {
	for name, want := range map[string]string{
		"a b": "a b", "é日": "é日", "": `""`, "a\nb": `"a\nb"`, "\xff": `"\xff"`, " a": `" a"`,
		`"a"`: `"\"a\""`, "\u202e": `"\u202e"`, "\u00a0x": `"\u00a0x"`,
	} {
		equal(t, "show", show(name), want)
	}
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	if back, err := url.PathUnescape(encode(string(all))); err != nil || back != string(all) {
		t.Errorf("encode: %q, %v", back, err)
	}
}

func TestNew(t *testing.T) {
	if _, err := New(nil, Options{}); err == nil {
		t.Error("a nil vault was taken")
	}
}
