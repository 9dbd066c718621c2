package page

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/net/html"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/access"
)

// node is the first element with that id.
func node(t *testing.T, page, id string) *html.Node {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if attr(n, "id") == id {
			return n
		}
	}
	return nil
}

func textIn(n *html.Node) string {
	if n == nil {
		return "(nothing)"
	}
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

// view returns the page of a file.
func (s *site) view(path string) string {
	s.t.Helper()
	resp, body := s.do(http.MethodGet, path, "", nil)
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %s\n%s", path, resp.Status, body)
	}
	return body
}

func (s *site) put(key, contentType string, value []byte) {
	s.t.Helper()
	if _, err := s.v.PutWith(ctx, key, value, &kvault.PutOptions{ContentType: contentType}); err != nil {
		s.t.Fatal(err)
	}
}

var hostile = []byte("<script>alert(1)</script><img src=x onerror=alert(1)>")

// kinds are values, and the elements that show them.
var kinds = []struct {
	key, contentType, class, id, element, source string
	value                                        []byte
}{
	{"a.png", "", "image", "image", "img", "/v/a.png", []byte("\x89PNG")},
	{"a.svg", "", "image", "image", "img", "/v/a.svg", []byte(`<svg onload="alert(1)"/>`)},
	{"a.mp4", "", "video", "media", "video", "/v/a.mp4", []byte("x")},
	{"a.mp3", "", "audio", "media", "audio", "/v/a.mp3", []byte("x")},
	{"a.pdf", "", "pdf", "document", "iframe", "/v/a.pdf", []byte("%PDF-1.4")},
	{"a.md", "", "rendered", "document", "iframe", "/render/a.md", hostile},
	{"a.json", "", "tree", "tree", "div", "", []byte(`{"a": "<script>alert(1)</script>"}`)},
	{"broken.json", "", "text", "text", "pre", "", hostile},
	{"a.html", "", "text", "text", "pre", "", hostile},
	{"a.xml", "", "text", "text", "pre", "", []byte("<?xml version='1.0'?><script/>")},
	{"a.csv", "", "text", "text", "pre", "", []byte("a,b\n1,2\n")},
	{"typed", "application/x-yaml", "text", "text", "pre", "", hostile},
	{"untyped", kvault.NoContentType, "text", "text", "pre", "", hostile},
	{"untyped.png", kvault.NoContentType, "image", "image", "img", "/v/untyped.png", []byte("\x89PNG")},
	{"untyped picture", kvault.NoContentType, "image", "image", "img", "/v/untyped%20picture", []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR")},
	{"a.bin", "", "hex", "text", "pre", "", []byte{0, 1, 2, 0xFF}},
	{"a.zip", "", "hex", "text", "pre", "", []byte("PK\x03\x04\x00")},
	{"odd type", "x<script>", "hex", "text", "pre", "", []byte{0}},
	{"untyped.pdf", kvault.NoContentType, "text", "text", "pre", "", []byte("%PDF-1.4")},
	{"untyped.md", "application/octet-stream", "text", "text", "pre", "", hostile},
	{"empty", kvault.NoContentType, "text", "", "", "", nil},
}

// Each kind of value has its own element, and no value becomes markup of the page.
func TestKinds(t *testing.T) {
	s := newSite(t, access.Everything(true))
	for _, test := range kinds {
		s.put(test.key, test.contentType, test.value)
		body := s.view(link("/view/", test.key))
		if class := attr(node(t, body, "viewer"), "class"); class != "viewer "+test.class {
			t.Errorf("%s is shown as %s", test.key, class)
		}
		if test.id == "" {
			continue
		}
		n := node(t, body, test.id)
		if n == nil || n.Data != test.element || attr(n, "src") != test.source {
			t.Errorf("%s: there is no %s for it", test.key, test.element)
			continue
		}
		doc, err := html.Parse(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for n := range doc.Descendants() {
			if n.Data == "script" && (n.Type != html.ElementNode || n.FirstChild != nil) ||
				attr(n, "onerror")+attr(n, "onload")+attr(n, "style") != "" {
				t.Errorf("%s: the page has %s %v", test.key, n.Data, n.Attr)
			}
		}
		if len(node(t, body, "as-hex").Attr) == 0 ||
			!strings.Contains(s.view(link("/view/", test.key, "as", "hex")), "|") {
			t.Errorf("%s is not shown in hexadecimal", test.key)
		}
	}
	if sandbox := attr(node(t, s.view("/view/a.md"), "document"), "sandbox"); sandbox == "" ||
		strings.Contains(sandbox, "scripts") {
		t.Errorf("the frame of Markdown has the sandbox %q", sandbox)
	}
	if got := textIn(node(t, s.view("/view/a.html"), "text")); got != string(hostile) {
		t.Errorf("the text is %q", got)
	}
}

// A text comes in parts that end with a line or a character; together they are the whole.
func TestTextInParts(t *testing.T) {
	s := newSite(t, access.Everything(false))
	for name, text := range map[string]string{
		"lines":    strings.Repeat("a line of a text: \u00e4\u00f6\u00fc\n", 10_000),
		"one line": strings.Repeat("\u20ac", 50_000),
	} {
		s.put("a.txt", "", []byte(text))
		var got strings.Builder
		parts := 0
		for path := "/view/a.txt"; path != ""; parts++ {
			body := s.view(path)
			n := node(t, body, "text")
			if n.FirstChild != nil {
				got.WriteString(n.FirstChild.Data)
			}
			path = ""
			if next := node(t, body, "part-next"); next != nil {
				path = attr(next, "href")
			}
			if parts > 20 {
				t.Fatal("it does not end")
			}
		}
		if got.String() != text || parts < 3 || !utf8.ValidString(got.String()) {
			t.Errorf("%s: %d bytes of %d in %d parts", name, got.Len(), len(text), parts)
		}
	}
	s.put("latin1.txt", "text/plain", []byte("caf\xe9"))
	if got := textIn(node(t, s.view("/view/latin1.txt"), "text")); got != "caf\uFFFD" {
		t.Errorf("text in another encoding: %q", got)
	}
}

func TestHex(t *testing.T) {
	s := newSite(t, access.Everything(false))
	data := make([]byte, 10_000)
	for i := range data {
		data[i] = byte(i * 7)
	}
	s.put("a.bin", "", data)
	if got, want := hexDump(data[:20], 0x12340), "00012340  00 07 0e 15 1c 23 2a 31  38 3f 46 4d 54 5b 62 69  |.....#*18?FMT[bi|\n"+
		"00012350  70 77 7e 85                                       |pw~.|\n"; got != want {
		t.Errorf("the dump is\n%s", got)
	}
	for at, first := range map[string]string{"": "00000000", "4096": "00001000", "0x1003": "00001000", " 0X10 ": "00000010", "999999": "00002710", "9990": "00002700"} {
		body := s.view("/view/a.bin?as=hex&at=" + url.QueryEscape(at))
		text := textIn(node(t, body, "text"))
		if line, _, _ := strings.Cut(text, "  "); line != first && text != "" {
			t.Errorf("at %q: %.30s", at, text)
		}
		if next := node(t, body, "part-next"); (next != nil) != (len(text) == 256*79) {
			t.Errorf("at %q: the next part is %v", at, next)
		}
	}
	for _, at := range []string{"-1", "x", "0x", "1e3", "99999999999999999999"} {
		if resp, _ := s.do(http.MethodGet, "/view/a.bin?at="+at, "", nil); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("at %s: %s", at, resp.Status)
		}
	}
}

func TestNeighbours(t *testing.T) {
	keys := []string{
		"a/1.txt",
		"a/2.txt",
		"a/2/deep.txt",
		"a/3/deep.txt",
		"a/4.txt",
		"a/\xff.txt",
		"b.txt",
	}
	s := newSite(t, access.Everything(false), keys...)
	for key, want := range map[string][2]string{
		"a/1.txt": {"", "/view/a/2.txt"}, "a/2.txt": {"/view/a/1.txt", "/view/a/4.txt"}, "a/4.txt": {"/view/a/2.txt", "/view/a/%FF.txt"},
		"a/\xff.txt": {"/view/a/4.txt", ""}, "a/3/deep.txt": {"", ""}, "b.txt": {"", ""},
	} {
		body := s.view(link("/view/", key))
		for i, id := range []string{"previous", "next"} {
			got := ""
			if n := node(t, body, id); n != nil {
				got = attr(n, "href")
			}
			if got != want[i] {
				t.Errorf("%q: %s is %q, not %q", key, id, got, want[i])
			}
		}
	}
	s.put("a/", "", nil) // the folder's own value is no file in it
	if n := node(t, s.view("/view/a/1.txt"), "previous"); n != nil {
		t.Errorf("the folder is before its first file: %s", attr(n, "href"))
	}
	part := newSite(t, grantOf(t, access.Token{Prefix: "a/1"}, access.Token{Prefix: "a/4"}), keys...)
	if got := attr(node(t, part.view("/view/a/1.txt"), "next"), "href"); got != "/view/a/4.txt" {
		t.Errorf("the next that the token reads is %q", got)
	}
}

func TestViewRefusals(t *testing.T) {
	s := newSite(t, grantOf(t, access.Token{Prefix: "mine/"}), "mine/a.txt", "other.txt")
	for path, want := range map[string]int{
		"/view/mine/a.txt": 200, "/view/other.txt": 403, "/view/absent": 403, "/view/mine/absent": 404, "/view/": 400,
	} {
		if resp, body := s.do(http.MethodGet, path, "", nil); resp.StatusCode != want ||
			strings.Contains(body, "value of other") {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	s.put("mine/a.txt", kvault.NoContentType, nil)
	body := s.view("/view/mine/a.txt")
	if n := node(t, body, "metadata"); n == nil || n.Data != "p" {
		t.Errorf("no metadata is shown as %v", n)
	}
	for _, id := range []string{"rename", "copy", "delete", "save", "curl-put"} {
		if node(t, body, id) != nil {
			t.Errorf("who may only read sees %s", id)
		}
	}
	resp, _ := s.do(
		http.MethodPost,
		"/view/mine/a.txt",
		"application/x-www-form-urlencoded",
		strings.NewReader("type=text/html"),
	)
	if e, err := s.v.Stat(ctx, "mine/a.txt"); err != nil || resp.StatusCode != http.StatusForbidden ||
		strings.Contains(e.ContentType, "html") {
		t.Errorf("a change by who may only read: %s, %v", resp.Status, e.ContentType)
	}
}
