package page

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/kohakuvault/kvault/web/internal/access"
)

// Names that others chose are text, whatever they hold, and each leads to its key.
func TestHostileNames(t *testing.T) {
	hostile := []string{
		"<img src=x onerror=alert(1)>", "<script>alert(1)</script>", `' onmouseover='alert(1)`,
		`"><script>alert(1)</script>`, "javascript:alert(1)", "{{.}}", "&amp;", "\u2028",
		"new\nline\ttab", "nul\x00", "bidi \u202egpj.exe", "\xff\xfe", " spaces ", "C:\\x",
		"..", ".", "a//b", "../../etc/passwd", "%2e%2e", "?q=1", "#x", "a;b", "a+b c",
		"long" + strings.Repeat("x", 300),
	}
	for _, view := range []string{"list", "grid"} {
		s := newSite(t, access.Everything(true))
		for _, name := range hostile {
			if err := s.v.Put(ctx, "d/"+name, []byte("x")); err != nil {
				t.Fatal(err)
			}
			item := s.descend("/b/d/?view="+view, name)
			key, err := url.PathUnescape(attr(item, "data-key"))
			if err != nil || key != "d/"+name {
				t.Errorf("data-key of %q: %q, %v", name, key, err)
			}
			s.deleteByPage(name, item, view)
		}
	}
}

// descend follows the only entry of each folder down to the file.
func (s *site) descend(path, name string) *html.Node {
	s.t.Helper()
	for {
		doc := s.get(path, http.StatusOK)
		noScript(s.t, name, doc)
		items := find(doc, hasClass("item"))
		if len(items) != 1 {
			s.t.Fatalf("%q: %d entries at %s", name, len(items), path)
		}
		path = attr(find(items[0], hasClass("open"))[0], "href")
		if !strings.HasPrefix(path, folderMount) {
			return items[0]
		}
	}
}

// noScript checks that a page has no script but its own, and no attribute that is one.
func noScript(t *testing.T, name string, doc *html.Node) {
	t.Helper()
	for _, n := range find(doc, func(*html.Node) bool { return true }) {
		if n.Data == "script" && (n.FirstChild != nil || !strings.HasPrefix(attr(n, "src"), "/static/")) {
			t.Errorf("%q: a script: %v", name, n.Attr)
		}
		if n.Data == "img" && attr(n, "src") == "x" || n.Data == "style" {
			t.Errorf("%q: an element of its own: %s", name, n.Data)
		}
		for _, a := range n.Attr {
			runs := a.Key == "href" && strings.HasPrefix(a.Val, "javascript:")
			if runs || strings.HasPrefix(a.Key, "on") || a.Key == "style" {
				t.Errorf("%q: attribute %s=%q", name, a.Key, a.Val)
			}
		}
	}
}

// deleteByPage deletes the only key by the question page, as without script.
func (s *site) deleteByPage(name string, item *html.Node, view string) {
	s.t.Helper()
	action := link(deleteMount, "d/"+name)
	if view == "list" {
		action = attr(find(item, hasClass("delete"))[0], "href")
	}
	doc := s.get(action, http.StatusOK)
	noScript(s.t, name, doc)
	form := find(doc, func(n *html.Node) bool { return attr(n, "method") == "post" })[0]
	tag := attr(find(form, func(n *html.Node) bool { return attr(n, "name") == "tag" })[0], "value")
	body := strings.NewReader(url.Values{"tag": {tag}}.Encode())
	action = attr(form, "action")
	resp, _ := s.do(http.MethodPost, action, "application/x-www-form-urlencoded", body)
	if resp.StatusCode != http.StatusSeeOther {
		s.t.Errorf("%q: deleting: status %d", name, resp.StatusCode)
	}
	if n, _ := s.v.Len(ctx); n != 0 {
		s.t.Errorf("%q was not deleted", name)
	}
}
