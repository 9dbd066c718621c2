package page

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/access"
)

// metadataSite has a file with metadata.
type metadataSite struct{ *site }

func newMetadataSite(t *testing.T) metadataSite {
	t.Helper()
	s := metadataSite{newSite(t, access.Everything(true))}
	user := map[string]string{"lang": "de", "note": "\nfirst\nsecond", "<b>": "\"'&<script>"}
	o := &kvault.PutOptions{User: user}
	if _, err := s.v.PutWith(ctx, "a.txt", []byte("x"), o); err != nil {
		t.Fatal(err)
	}
	return s
}

// fields are what a browser would send of the form as it is.
func (s metadataSite) fields() url.Values {
	form := url.Values{}
	for n := range node(s.t, s.view("/view/a.txt"), "metadata").Descendants() {
		switch n.Data {
		case "input":
			form.Add(attr(n, "name"), attr(n, "value"))
		case "textarea":
			form.Add(attr(n, "name"), strings.ReplaceAll(textIn(n), "\n", "\r\n"))
		}
	}
	return form
}

const formType = "application/x-www-form-urlencoded"

func (s metadataSite) post(form url.Values) (*http.Response, string) {
	return s.do(http.MethodPost, "/view/a.txt", formType, strings.NewReader(form.Encode()))
}

func (s metadataSite) stat() kvault.Entry {
	e, err := s.v.Stat(ctx, "a.txt")
	if err != nil {
		s.t.Fatal(err)
	}
	return e
}

func TestMetadata(t *testing.T) {
	s := newMetadataSite(t)
	before := s.stat()
	if resp, body := s.post(s.fields()); resp.StatusCode != http.StatusSeeOther ||
		resp.Header.Get("Location") != "/view/a.txt?saved=1" {
		t.Fatalf("%s\n%s", resp.Status, body)
	}
	if after := s.stat(); fmt.Sprint(after.User) != fmt.Sprint(before.User) ||
		after.ContentType != before.ContentType ||
		after.Tag == before.Tag {
		t.Errorf("a form that nobody changed changes %v to %v", before, after)
	}
	form := s.fields()
	form["name"], form["value"] = []string{"lang", "", "new"}, []string{"en", "", "1"}
	form["type"] = []string{""}
	s.post(form)
	if e := s.stat(); fmt.Sprint(e.User) != "map[lang:en new:1]" || e.ContentType != "" {
		t.Errorf("saved: %v %q", e.User, e.ContentType)
	}
}

func TestMetadataRefused(t *testing.T) {
	s := newMetadataSite(t)
	stale := s.fields()
	s.post(stale)
	before := fmt.Sprint(s.stat())
	for name, test := range map[string]struct {
		change url.Values
		status int
		text   string
	}{
		"two of a name": {url.Values{"name": {"a", "a"}, "value": {"1", "2"}}, 400,
			`"a" is there twice`},
		"a nameless value":   {url.Values{"name": {""}, "value": {"1"}}, 400, "has no name"},
		"fewer values":       {url.Values{"value": nil}, 400, "0 values"},
		"a type with breaks": {url.Values{"type": {"a\x01b"}}, 400, "cannot store"},
		"an old version":     {url.Values{"tag": stale["tag"]}, 409, "changed meanwhile"},
	} {
		form := s.fields()
		maps.Copy(form, test.change)
		resp, body := s.post(form)
		if resp.StatusCode != test.status ||
			!strings.Contains(textIn(node(t, body, "problem")), test.text) {
			t.Errorf("%s: %s, %s", name, resp.Status, textIn(node(t, body, "problem")))
		}
	}
	if e := s.stat(); fmt.Sprint(e) != before {
		t.Errorf("a refused form changed %v", e.User)
	}
	for path, test := range map[string]struct {
		body   string
		status int
	}{
		"/view/a.txt":  {"type=" + strings.Repeat("a", maxMetadataForm), 413},
		"/view/absent": {"type=a/b", 404},
	} {
		resp, _ := s.do(http.MethodPost, path, formType, strings.NewReader(test.body))
		if resp.StatusCode != test.status {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
}

// What a form cannot carry is shown, and not changed by it.
func TestFixedMetadata(t *testing.T) {
	s := newSite(t, access.Everything(true))
	for _, user := range []map[string]string{
		{"a": "1\r2"}, {"a": "\x00"}, {" a": "1"}, {"a\nb": "1"}, {"": "1"},
	} {
		o := &kvault.PutOptions{User: user}
		if _, err := s.v.PutWith(ctx, "a.txt", []byte("x"), o); err != nil {
			t.Fatal(err)
		}
		body := s.view("/view/a.txt")
		if node(t, body, "save") != nil || !strings.Contains(body, "A form cannot carry") {
			t.Errorf("%q has a form", user)
		}
	}
}
