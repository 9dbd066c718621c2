package page

import (
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/kohakuvault/kvault/web/internal/access"
)

func TestDelete(t *testing.T) {
	s := newSite(t, access.Everything(true), "a", "d/1", "d/2", "d/3/4", "e")
	form := "application/x-www-form-urlencoded"
	equal(t, "keys after a question", s.keys(), []string{"a", "d/1", "d/2", "d/3/4", "e"})
	text := textOf(s.get("/delete-folder/d/", http.StatusOK))
	if !strings.Contains(text, "3 files, 38 B, will be deleted") {
		t.Errorf("the question about a folder: %s", text)
	}
	resp, _ := s.do(http.MethodPost, "/delete/a", form, strings.NewReader("tag=other"))
	equal(t, "status for another version", resp.StatusCode, http.StatusConflict)
	resp, _ = s.do(http.MethodPost, "/delete-folder/d/", form, nil)
	equal(t, "back to", resp.Header.Get("Location"), "/?deleted=3")
	equal(t, "keys", s.keys(), []string{"a", "e"})
	refused := map[string]int{
		"/delete/none": 404, "/delete/": 400, "/delete-folder/": 400, "/delete-folder/a": 400,
	}
	for path, status := range refused {
		resp, body := s.do(http.MethodPost, path, form, nil)
		if resp.StatusCode != status || !strings.Contains(body, "<html") {
			t.Errorf("POST %s: status %d, not %d: %.100s", path, resp.StatusCode, status, body)
		}
	}
	long := strings.NewReader("tag=" + strings.Repeat("x", formLimit))
	resp, _ = s.do(http.MethodPost, "/delete/a", form, long)
	equal(t, "status of a long form", resp.StatusCode, http.StatusRequestEntityTooLarge)
	equal(t, "keys", s.keys(), []string{"a", "e"})
}

// A prefix that ends within a name is no folder: neither the question nor its answer takes it.
func TestDeleteFolderOnly(t *testing.T) {
	s := newSite(t, access.Everything(true), "ab", "apple/1")
	s.get("/delete-folder/a", http.StatusBadRequest)
	s.do(http.MethodPost, "/delete-folder/a", "application/x-www-form-urlencoded", nil)
	equal(t, "keys", s.keys(), []string{"ab", "apple/1"})
}

// A folder that holds more files, or fewer, than the question named is asked about again.
func TestDeleteFolderChanged(t *testing.T) {
	s := newSite(t, access.Everything(true), "d/1", "d/2", "e")
	answer := func(doc *html.Node) (*http.Response, string) {
		field := find(doc, func(n *html.Node) bool { return attr(n, "name") == "files" })
		if len(field) != 1 {
			t.Fatal("the question does not send how many files it named")
		}
		return s.do(http.MethodPost, "/delete-folder/d/", "application/x-www-form-urlencoded",
			strings.NewReader("files="+attr(field[0], "value")))
	}
	question := s.get("/delete-folder/d/", http.StatusOK)
	s.put("d/3", "", []byte("new"))
	resp, body := answer(question)
	equal(t, "status of a changed folder", resp.StatusCode, http.StatusConflict)
	equal(t, "keys", s.keys(), []string{"d/1", "d/2", "d/3", "e"})
	if text := textOf(s.parse(body)); !strings.Contains(text, "was changed") ||
		!strings.Contains(text, "3 files") {
		t.Errorf("the second question: %s", text)
	}
	resp, _ = answer(s.parse(body))
	equal(t, "status of the second answer", resp.StatusCode, http.StatusSeeOther)
	equal(t, "keys", s.keys(), []string{"e"})
	long := strings.NewReader("files=" + strings.Repeat("1", formLimit))
	resp, _ = s.do(http.MethodPost, "/delete-folder/e/", "application/x-www-form-urlencoded", long)
	equal(t, "status of a long form", resp.StatusCode, http.StatusRequestEntityTooLarge)
}
