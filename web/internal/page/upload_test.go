package page

import (
	"bytes"
	"github.com/kohakuvault/kvault/internal/filetree"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault/web/internal/access"
)

// form makes the body of the form of uploads: fields in the order of their pairs.
func form(t *testing.T, pairs ...string) (body *bytes.Buffer, contentType string) {
	t.Helper()
	body = &bytes.Buffer{}
	w := multipart.NewWriter(body)
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] == "replace" {
			w.WriteField("replace", pairs[i+1])
			continue
		}
		part, err := w.CreateFormFile("file", pairs[i])
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(part, pairs[i+1])
	}
	w.Close()
	return body, w.FormDataContentType()
}

func TestUpload(t *testing.T) {
	big := strings.Repeat("0123456789", 300_000)
	s := newSite(t, access.Everything(true), "d/old")
	body, contentType := form(t, "new.txt", "text", "big", big, "x y%20é", "e", "empty", "")
	resp, _ := s.do(http.MethodPost, "/b/d/", contentType, body)
	equal(t, "status", resp.StatusCode, http.StatusSeeOther)
	equal(t, "back to", resp.Header.Get("Location"), "/b/d/?stored=4")
	equal(t, "keys", s.keys(), []string{"d/big", "d/empty", "d/new.txt", "d/old", "d/x y%20é"})
	if got, err := s.v.Get(ctx, "d/big"); err != nil || string(got) != big {
		t.Errorf("the large file has %d bytes: %v", len(got), err)
	}
	said := strings.TrimSpace(textOf(byID(s.get("/b/d/?stored=4", http.StatusOK), "notice")))
	equal(t, "notice", said, "4 files were stored.")
	body, contentType = form(t, "old", "other", "more", "m", "..", "dots")
	resp, page := s.do(http.MethodPost, "/b/d/", contentType, body)
	problems := textOf(byID(s.parse(page), "problems"))
	equal(t, "status for a name that exists", resp.StatusCode, http.StatusConflict)
	for _, want := range []string{"old: a file of this name exists already", "..: this is no name"} {
		if !strings.Contains(problems, want) {
			t.Errorf("the page does not say %q: %s", want, problems)
		}
	}
	s.holds("d/old", "value of d/old")
	s.holds("d/more", "m")
	body, contentType = form(t, "replace", "1", "old", "other")
	s.do(http.MethodPost, "/b/d/", contentType, body)
	s.holds("d/old", "other")
	body, contentType = form(t, "", "")
	resp, page = s.do(http.MethodPost, "/", contentType, body)
	if resp.StatusCode != http.StatusBadRequest || !strings.Contains(page, "no file was chosen") {
		t.Errorf("no file: status %d", resp.StatusCode)
	}
	for _, kind := range []string{"text/plain", "", "multipart/form-data"} {
		resp, _ = s.do(http.MethodPost, "/", kind, strings.NewReader("x"))
		equal(t, "status for "+kind, resp.StatusCode, http.StatusBadRequest)
	}
}

func (s *site) holds(key, want string) {
	s.t.Helper()
	if got, err := s.v.Get(ctx, key); err != nil || string(got) != want {
		s.t.Errorf("%s holds %.40q, not %.40q: %v", key, got, want, err)
	}
}

// A body that ends within a file leaves what the key held, or nothing.
func TestUploadBreaksOff(t *testing.T) {
	for _, size := range []int{10, 5 << 20} {
		s := newSite(t, access.Everything(true), "d/old")
		long := strings.Repeat("n", size)
		body, contentType := form(t, "replace", "1", "whole", "w", "old", long, "new", long)
		for _, cut := range []int{size + size/2, size / 2} {
			whole := bytes.Index(body.Bytes(), []byte("nnnnn")) + cut
			resp, page := s.do(http.MethodPost, "/b/d/", contentType, bytes.NewReader(body.Bytes()[:whole]))
			if resp.StatusCode != http.StatusBadRequest || !strings.Contains(page, "broke off") {
				t.Errorf("cut at %d: status %d", cut, resp.StatusCode)
			}
			if cut < size {
				s.holds("d/old", "value of d/old")
			}
			if ok, _ := s.v.Exists(ctx, "d/new"); ok {
				t.Error("a part of a file was stored")
			}
			s.holds("d/whole", "w")
			if err := s.v.Put(ctx, "d/old", []byte("value of d/old")); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A folder is the key that import and WebDAV make, and no file in itself.
func TestNewFolder(t *testing.T) {
	s := newSite(t, access.Everything(true), "d/x")
	for name, want := range map[string]string{
		"new": "/b/d/new/", "/a/b/": "/b/d/a/b/", "é<": "/b/d/%C3%A9%3C/",
		"": "", "..": "", "/": "", strings.Repeat("x", formLimit): "",
	} {
		for range 2 { // one that exists is opened
			body := strings.NewReader(url.Values{"folder": {name}}.Encode())
			resp, _ := s.do(http.MethodPost, "/b/d/", "application/x-www-form-urlencoded", body)
			if got := resp.Header.Get("Location"); got != want || want == "" && resp.StatusCode < 400 {
				t.Errorf("%.20q: status %d, %q, not %q", name, resp.StatusCode, got, want)
			}
		}
	}
	e, err := s.v.Stat(ctx, "d/new/")
	if err != nil || e.Size != 0 || filetree.KindOf(e.ContentType, e.User) != filetree.Folder {
		t.Errorf("the folder's key: %+v, %v", e, err)
	}
	equal(t, "in the folder", names(s.get("/b/d/new/", http.StatusOK)), []string(nil))
	equal(t, "beside it", names(s.get("/b/d/", http.StatusOK)), []string{"a/", "new/", "x", "é</"})
}
