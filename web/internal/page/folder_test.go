package page

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/kohakuvault/kvault/web/internal/access"
)

func TestFolder(t *testing.T) {
	s := newSite(t, access.Everything(true),
		"a.txt", "photos/b.jpg", "photos/2026/c.jpg", "photos/2026/d.jpg", "photos/", "z")
	root := s.get("/", http.StatusOK)
	equal(t, "the root", names(root), []string{"a.txt", "photos/", "z"})
	links := find(root, hasClass("open"))
	equal(t, "link of a file", attr(links[0], "href"), "/view/a.txt")
	equal(t, "link of a folder", attr(links[1], "href"), "/b/photos/")
	photos := s.get("/b/photos/", http.StatusOK)
	equal(t, "the folder", names(photos), []string{"(value of the folder itself)", "2026/", "b.jpg"})
	equal(t, "an empty folder", names(s.get("/b/nothing/", http.StatusOK)), []string(nil))
	for _, view := range []string{"grid", "list"} {
		resp, body := s.do(http.MethodGet, "/b/photos/?view="+view, "", nil)
		equal(t, "names as a "+view, names(s.parse(body)), names(photos))
		equal(t, "cookie", resp.Cookies()[0].Value, view)
	}
	grid := s.get("/b/photos/?view=grid", http.StatusOK)
	images := find(grid, func(n *html.Node) bool { return attr(n, "loading") == "lazy" })
	if len(images) != 1 || attr(images[0], "src") != "/thumb/photos/b.jpg?size=256" {
		t.Errorf("thumbnails: %v", images)
	}
}

func TestPaging(t *testing.T) {
	var keys, want []string
	for i := range 2*pageSize + 7 {
		for _, format := range []string{"p/%04d/x", "p/%04d/y", "p/%04d+"} {
			keys = append(keys, fmt.Sprintf(format, i))
		}
		want = append(want, fmt.Sprintf("%04d+", i), fmt.Sprintf("%04d/", i))
	}
	s := newSite(t, access.Everything(false), keys...)
	s.put("p/", "", nil) // keeps the folder, and is no entry of a page
	var got []string
	pages := 0
	for path := "/b/p/"; path != ""; pages++ {
		doc := s.get(path, http.StatusOK)
		got = append(got, names(doc)...)
		path = ""
		if more := byID(doc, "more"); more != nil {
			path = attr(more, "href")
		}
	}
	equal(t, "the pages", strings.Join(got, " "), strings.Join(want, " "))
	equal(t, "number of pages", pages, 5)
}

// The empty value that keeps a folder is no entry, so it hides neither a file nor the way to more.
func TestPageOfMarkedFolder(t *testing.T) {
	for extra := range 3 {
		var keys []string
		for i := range pageSize + extra {
			keys = append(keys, fmt.Sprintf("d/%04d", i))
		}
		s := newSite(t, access.Everything(false), keys...)
		s.put("d/", "", nil)
		doc := s.get("/b/d/", http.StatusOK)
		equal(t, "files on the page", len(names(doc)), pageSize)
		equal(t, "there are more", byID(doc, "more") != nil, extra > 0)
	}
}

func TestSearch(t *testing.T) {
	var keys []string
	for i := range 2*pageSize + 7 {
		keys = append(keys, fmt.Sprintf("p/%04d/Cat.jpg", i))
	}
	s := newSite(t, access.Everything(false), append(keys, "cat", "p/dog")...)
	var got int
	for path := "/b/p/?q=cAt"; path != ""; {
		doc := s.get(path, http.StatusOK)
		got += len(names(doc))
		path = ""
		if more := byID(doc, "more"); more != nil {
			path = attr(more, "href")
		}
	}
	equal(t, "found", got, len(keys))
	none := s.get("/b/p/?q=%3Cb%3E", http.StatusOK)
	bold := find(none, func(n *html.Node) bool { return n.Data == "b" })
	if byID(none, "empty") == nil || len(bold) > 0 {
		t.Error("a search that finds nothing does not say so, or runs its query")
	}
	equal(t, "the query", attr(byID(none, "q"), "value"), "<b>")
}

// What the token does not allow is neither shown nor done, and the page has no controls for it.
func TestGrants(t *testing.T) {
	keys := []string{"photos/a", "photos/b", "private/c", "shared/d"}
	reader := newSite(t, grantOf(t, access.Token{Prefix: "photos/"},
		access.Token{Prefix: "shared/", Write: true}, access.Token{Prefix: "photos/"}), keys...)
	equal(t, "the root", names(reader.get("/", http.StatusOK)), []string{"photos//", "shared//"})
	equal(t, "a folder", names(reader.get("/b/photos/", http.StatusOK)), []string{"a", "b"})
	reader.get("/b/private/", http.StatusForbidden)
	reader.get("/b/p", http.StatusOK) // has roots below
	reader.get("/b/private/?q=c", http.StatusForbidden)
	reader.get("/status", http.StatusForbidden)
	reader.get("/delete/photos/a", http.StatusForbidden)
	reader.get("/delete-folder/photos/", http.StatusForbidden)
	reader.get("/delete-folder/s", http.StatusForbidden)
	reader.get("/delete/private/c", http.StatusForbidden)
	for path, status := range map[string]int{
		"/": 403, "/b/photos/": 403, "/b/private/": 403, "/b/shared/": 303, "/delete/photos/a": 403,
		"/delete-folder/photos/": 403, "/delete-folder/private/": 403, "/delete/shared/d": 303,
	} {
		body, contentType := form(t, "replace", "1", "a", "new")
		if strings.HasPrefix(path, "/delete") {
			body, contentType = bytes.NewBufferString(""), "application/x-www-form-urlencoded"
		} else {
			resp, _ := reader.do(http.MethodPost, path, "application/x-www-form-urlencoded",
				strings.NewReader("folder=new"))
			equal(t, "status of a new folder in "+path, resp.StatusCode, status)
		}
		if resp, _ := reader.do(http.MethodPost, path, contentType, body); resp.StatusCode != status {
			t.Errorf("POST %s: status %d, not %d", path, resp.StatusCode, status)
		}
	}
	equal(t, "keys", reader.keys(),
		[]string{"photos/a", "photos/b", "private/c", "shared/a", "shared/new/"})
	for path, controls := range map[string]bool{"/b/photos/": false, "/b/shared/": true} {
		doc := reader.get(path, http.StatusOK)
		if got := byID(doc, "upload") != nil; got != controls {
			t.Errorf("%s: upload form %t", path, got)
		}
		if got := len(find(doc, hasClass("delete"))) > 0; got != controls {
			t.Errorf("%s: delete %t", path, got)
		}
		if byID(doc, "status") != nil {
			t.Errorf("%s shows the state of the vault", path)
		}
	}
	nobody := newSite(t, access.Grant{}, keys...)
	nobody.get("/", http.StatusForbidden)
}
