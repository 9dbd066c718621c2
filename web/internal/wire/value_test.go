package wire_test

import (
	"maps"
	"mime"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

func TestDescribeValueTypes(t *testing.T) {
	for stored, want := range map[string]struct{ contentType, disposition string }{
		"image/png":                        {"image/png", "inline"},
		"IMAGE/JPEG":                       {"IMAGE/JPEG", "inline"},
		"image/svg+xml":                    {"image/svg+xml", "attachment"},
		"image/unknown":                    {"image/unknown", "attachment"},
		"video/mp4":                        {"video/mp4", "inline"},
		"audio/x+xml":                      {"audio/x+xml", "attachment"},
		"application/pdf":                  {"application/pdf", "inline"},
		"text/plain":                       {"text/plain; charset=utf-8", "inline"},
		"text/plain; charset=iso-8859-1":   {"text/plain; charset=iso-8859-1", "inline"},
		"text/html":                        {"text/html", "attachment"},
		"text/html; charset=utf-8":         {"text/html; charset=utf-8", "attachment"},
		"application/xhtml+xml":            {"application/xhtml+xml", "attachment"},
		"text/xml":                         {"text/xml", "attachment"},
		"text/javascript":                  {"text/javascript", "attachment"},
		"text/css":                         {"text/css", "attachment"},
		"text/markdown":                    {"text/markdown", "attachment"},
		"application/json":                 {"application/json", "attachment"},
		"multipart/x-mixed-replace; b=1":   {"multipart/x-mixed-replace; b=1", "attachment"},
		"application/x-shockwave-flash":    {"application/x-shockwave-flash", "attachment"},
		"":                                 {"application/octet-stream", "attachment"},
		"nonsense":                         {"application/octet-stream", "attachment"},
		"image":                            {"application/octet-stream", "attachment"},
		"image/png, text/html":             {"application/octet-stream", "attachment"},
		"image/png\r\nSet-Cookie: a=b":     {"application/octet-stream", "attachment"},
		"image/png; a=\"\r\nSet-Cookie: b": {"application/octet-stream", "attachment"},
		"text/html;image/png":              {"application/octet-stream", "attachment"},
	} {
		h := http.Header{}
		wire.DescribeValue(h, kvault.Entry{Key: "a/b.c", ContentType: stored}, false)
		disposition, _, err := mime.ParseMediaType(h.Get("Content-Disposition"))
		if h.Get("Content-Type") != want.contentType || disposition != want.disposition || err != nil {
			t.Errorf("%q: %q, %q, %v", stored, h.Get("Content-Type"), disposition, err)
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cross-Origin-Resource-Policy") != "same-origin" {
			t.Errorf("%q: %v", stored, h)
		}
		policy := h.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "script") ||
			want.contentType != "application/pdf" && !strings.HasPrefix(policy, "sandbox") {
			t.Errorf("%q: policy %q", stored, policy)
		}
		wire.DescribeValue(h, kvault.Entry{Key: "a/b.c", ContentType: stored}, true)
		if got := h.Get("Content-Disposition"); got != "attachment; filename=b.c" {
			t.Errorf("%q as a download: %q", stored, got)
		}
	}
}

func TestDisposition(t *testing.T) {
	for key, want := range map[string]string{
		"a/b/cat.jpg":         "cat.jpg",
		"a cat.jpg":           "a cat.jpg",
		`say "hi".txt`:        `say "hi".txt`,
		"back\\slash":         "back_slash",
		"ключ.txt":            "ключ.txt",
		"line\r\nX-Evil: 1":   "line__X-Evil: 1",
		"nul\x00":             "nul_",
		"\xff\xfe.txt":        "__.txt",
		"photo\u202egpj.exe":  "photo_gpj.exe",
		"semi;colon=a.txt":    "semi;colon=a.txt",
		"100%.txt":            "100%.txt",
		"%22quoted%22":        "%22quoted%22",
		"folder/":             "folder",
		"/":                   "download",
		"..":                  "download",
		"a/..":                "download",
		" . ":                 "download",
		"\u2028":              "_",
		"tab\tx":              "tab_x",
		"'single' *star?.txt": "'single' *star?.txt",
	} {
		h := wire.Disposition("attachment", key)
		kind, parameters, err := mime.ParseMediaType(h)
		if err != nil || kind != "attachment" || parameters["filename"] != want {
			t.Errorf("%q: %q: name %q, want %q (%v)", key, h, parameters["filename"], want, err)
		}
		for _, r := range h {
			if r < ' ' || r > '~' {
				t.Errorf("%q: %q has the character %q", key, h, r)
			}
		}
	}
	long := wire.Disposition("inline", "a/"+strings.Repeat("ö", 30_000)+".jpg")
	if _, parameters, err := mime.ParseMediaType(long); err != nil || len(long) > 1000 ||
		!strings.HasSuffix(parameters["filename"], "ö.jpg") || !utf8.ValidString(parameters["filename"]) {
		t.Errorf("a long name: %q %v", long, err)
	}
}

func TestUserMetadata(t *testing.T) {
	user := map[string]string{
		"lang": "en", "Lang": "EN", "naïve": "日本", "a b": " x ", "100%": "100%", "x:y\r\n": "a\r\nSet-Cookie: b",
		"empty": "", "%41": "%41", "tab\t": "\t", "quote\"": "\"'\\", "z": "a, b; c=d",
	}
	h := http.Header{}
	wire.DescribeValue(h, kvault.Entry{Key: "k", User: user}, false)
	for name, values := range h {
		if strings.ContainsAny(name+values[0], "\r\n\t") {
			t.Errorf("%q: %q", name, values)
		}
	}
	over := http.Header{} // as net/http gives it to the server
	for name, values := range h {
		over[http.CanonicalHeaderKey(name)] = []string{strings.TrimSpace(values[0])}
	}
	got, err := wire.UserOf(over)
	if err != nil || !maps.Equal(got, user) {
		t.Errorf("%q became %q, %v", user, got, err)
	}
	if got, err := wire.UserOf(http.Header{"Content-Type": {"x"}}); got != nil || err != nil {
		t.Errorf("no metadata: %v %v", got, err)
	}
}

func TestUserMetadataTooLong(t *testing.T) {
	user := map[string]string{"a": "x", "b": strings.Repeat("ö", 100_000), "c": "y", "": "no name"}
	h := http.Header{}
	wire.DescribeValue(h, kvault.Entry{Key: "k", User: user}, false)
	as := map[string][]string(h) // as they are, whatever case is usual in headers
	if h.Get(wire.OmittedHeader) != "2" || len(as["X-Kvault-Meta-a"]) != 1 || len(as["X-Kvault-Meta-c"]) != 1 {
		t.Errorf("%v", h)
	}
}

// What the headers say of one version does not stay for the next.
func TestDescribeValueAgain(t *testing.T) {
	h := http.Header{"Server": {"x"}}
	e := kvault.Entry{Key: "k", Tag: "abc", ModTime: time.Unix(1e9, 0), User: map[string]string{"aB": "c"}}
	wire.DescribeValue(h, e, false)
	if h.Get("ETag") != `"abc"` || h.Get("Last-Modified") != "Sun, 09 Sep 2001 01:46:40 GMT" || h.Get(wire.TimeHeader) != "2001-09-09T01:46:40Z" {
		t.Errorf("%v", h)
	}
	wire.DescribeValue(h, kvault.Entry{Key: "k"}, false)
	for name := range h {
		if strings.HasPrefix(name, "X-Kvault") || name == "Etag" || name == "Last-Modified" {
			t.Errorf("%s: %q", name, h[name])
		}
	}
	if h.Get("Server") != "x" {
		t.Errorf("%v", h)
	}
}

func TestETag(t *testing.T) {
	for tag, want := range map[string]string{"abc123": `"abc123"`, "": "", `a"b`: "", "a b": "", "a\r\nb": "", "ü": ""} {
		if got := wire.ETag(kvault.Entry{Tag: tag}); got != want {
			t.Errorf("%q: %q, want %q", tag, got, want)
		}
	}
}
