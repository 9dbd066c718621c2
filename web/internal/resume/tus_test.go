package resume

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// plain hides the length of a body, so that it is sent in chunks.
type plain struct{ io.Reader }

// A request names the key in one of three ways, and tus sends any bytes.
func TestKey(t *testing.T) {
	s := serve(t, Options{}, everything)
	for name, c := range map[string]struct{ path, meta, want string }{
		"metadata":            {"", meta("key", "a\xff\x00/../b", "filename", "no"), "a\xff\x00/../b"},
		"file name":           {"", meta("filename", "cat.jpg"), "cat.jpg"},
		"empty key":           {"", meta("key", "", "filename", "cat.jpg"), "cat.jpg"},
		"path":                {"photos/a%20%FF%2Fcat.jpg", meta("filename", "no"), "photos/a \xff/cat.jpg"},
		"path is not cleaned": {"a//b/../c", "", "a//b/../c"},
		"query":               {"?key=..%2F%FF", meta("key", "no"), "../\xff"},
	} {
		t.Run(name, func(t *testing.T) {
			s.do(t, "POST", Mount+c.path, tus(headers{
				"Upload-Length": "3", "Upload-Metadata": c.meta, "Content-Type": "application/offset+octet-stream",
			}), strings.NewReader("abc")).want(t, 201, headers{"Upload-Offset": "3", "ETag": "*", "Upload-Expires": ""})
			s.holds(t, c.want, []byte("abc"))
		})
	}
	s.do(t, "POST", "/up", tus(headers{"Upload-Length": "0", "Upload-Metadata": meta("key", "k")}), nil).
		want(t, 201, nil)
}

// An upload whose length comes later is declared by a PATCH, and one without bytes is stored at once.
func TestLength(t *testing.T) {
	s := serve(t, Options{}, everything)
	path := s.do(t, "POST", Mount+"late", tus(headers{"Upload-Defer-Length": "1"}), nil).want(t, 201, nil).header.Get("Location")
	s.do(t, "PATCH", path, patch(0), plain{strings.NewReader("abc")}).want(t, 204, headers{"Upload-Offset": "3"})
	s.do(t, "HEAD", path, tus(nil), nil).want(t, 200, headers{"Upload-Defer-Length": "1", "Upload-Offset": "3", "Upload-Length": ""})
	h := patch(3)
	h["Upload-Length"] = "5"
	s.do(t, "PATCH", path, h, strings.NewReader("de")).want(t, 204, headers{"Upload-Offset": "5", "ETag": "*"})
	s.holds(t, "late", []byte("abcde"))

	s.do(t, "POST", Mount+"empty", tus(headers{"Upload-Length": "0"}), nil).want(t, 201, headers{"ETag": "*", "Upload-Expires": ""})
	s.holds(t, "empty", nil)
}

// OPTIONS says what the server can do, and no answer lets another origin in.
func TestOptions(t *testing.T) {
	s := serve(t, Options{MaxSize: 1000}, everything)
	a := s.do(t, "OPTIONS", Mount, headers{"Origin": "https://other.example", "Access-Control-Request-Method": "POST"}, nil).
		want(t, 200, headers{
			"Tus-Version": "1.0.0", "Tus-Max-Size": "1000",
			"Tus-Extension": "creation,creation-with-upload,termination,creation-defer-length,expiration",
		})
	for name := range a.header {
		if strings.HasPrefix(name, "Access-Control") {
			t.Errorf("%s: %s", name, a.header.Get(name))
		}
	}
}

// What does not fit the protocol is refused, says why, and changes nothing.
func TestRefused(t *testing.T) {
	s := serve(t, Options{MaxSize: 1000}, everything)
	create := func(h headers) headers {
		all := tus(headers{"Upload-Length": "5", "Upload-Metadata": meta("key", "k")})
		maps.Copy(all, h)
		return all
	}
	at := func(h headers) headers {
		all := patch(2)
		maps.Copy(all, h)
		return all
	}
	path := s.create(t, "k", 5, nil)
	s.do(t, "PATCH", path, patch(0), strings.NewReader("ab")).want(t, 204, nil)
	late := s.do(t, "POST", Mount+"late", tus(headers{"Upload-Defer-Length": "1"}), nil).want(t, 201, nil).header.Get("Location")
	longer := s.do(t, "POST", Mount+"late", tus(headers{"Upload-Defer-Length": "1"}), nil).want(t, 201, nil).header.Get("Location")
	long := bytes.Repeat([]byte("x"), 1001)
	for name, c := range map[string]struct {
		method, path string
		h            headers
		body         io.Reader
		status       int
		text         string
	}{
		"no version":             {"POST", Mount, headers{"Upload-Length": "5"}, nil, 412, "Tus-Resumable"},
		"other version":          {"PATCH", path, at(headers{"Tus-Resumable": "0.2.2"}), nil, 412, "Tus-Resumable"},
		"other draft":            {"POST", Mount + "k", headers{"Upload-Draft-Interop-Version": "2"}, nil, 412, "Tus-Resumable"},
		"no key":                 {"POST", Mount, create(headers{"Upload-Metadata": ""}), nil, 400, "names no key"},
		"key that is no base64":  {"POST", Mount, create(headers{"Upload-Metadata": "key !!"}), nil, 400, "names no key"},
		"bad escape":             {"POST", Mount + "?key=%zz", create(nil), nil, 400, "query"},
		"long key":               {"POST", Mount, create(headers{"Upload-Metadata": meta("key", strings.Repeat("k", kvault.MaxKey+1))}), nil, 413, "too large"},
		"no length":              {"POST", Mount, create(headers{"Upload-Length": ""}), nil, 400, "Upload-Length"},
		"negative length":        {"POST", Mount, create(headers{"Upload-Length": "-1"}), nil, 400, "Upload-Length"},
		"two lengths":            {"POST", Mount, create(headers{"Upload-Defer-Length": "1"}), nil, 400, "both"},
		"length above limit":     {"POST", Mount, create(headers{"Upload-Length": "1001"}), nil, 413, "maximum"},
		"part of a whole":        {"POST", Mount, create(headers{"Upload-Concat": "partial"}), nil, 400, "does not join"},
		"bad content type":       {"POST", Mount, create(headers{"Upload-Metadata": meta("key", "k", "filetype", "a\nb")}), nil, 400, ""},
		"bad time":               {"POST", Mount, create(headers{wire.TimeHeader: "yesterday"}), nil, 400, wire.TimeHeader},
		"user metadata":          {"POST", Mount, create(headers{wire.UserPrefix + "A": "%zz"}), nil, 400, "percent-encoded"},
		"reserved user metadata": {"POST", Mount, create(headers{wire.UserPrefix + "Tus.x": "1"}), nil, 400, "tus."},
		"weak tag":               {"POST", Mount, create(headers{"If-Match": `W/"a"`}), nil, 400, "If-Match"},
		"several tags":           {"POST", Mount, create(headers{"If-Match": `"a", "b"`}), nil, 400, "If-Match"},
		"both conditions":        {"POST", Mount, create(headers{"If-Match": `"a"`, "If-None-Match": "*"}), nil, 400, "If-Match"},
		"none of a tag":          {"POST", Mount, create(headers{"If-None-Match": `"a"`}), nil, 400, "If-None-Match"},

		"offset too low":         {"PATCH", path, at(headers{"Upload-Offset": "1"}), strings.NewReader("c"), 409, "offset"},
		"offset too high":        {"PATCH", path, at(headers{"Upload-Offset": "3"}), strings.NewReader("c"), 409, "offset"},
		"negative offset":        {"PATCH", path, at(headers{"Upload-Offset": "-1"}), strings.NewReader("c"), 400, "Upload-Offset"},
		"no offset":              {"PATCH", path, at(headers{"Upload-Offset": ""}), strings.NewReader("c"), 400, "Upload-Offset"},
		"content type":           {"PATCH", path, at(headers{"Content-Type": "text/plain"}), strings.NewReader("c"), 415, "application/offset+octet-stream"},
		"compressed":             {"PATCH", path, at(headers{"Content-Encoding": "gzip"}), strings.NewReader("c"), 415, "as it comes"},
		"more than the length":   {"PATCH", path, at(nil), strings.NewReader("cdef"), 413, "size exceeded"},
		"length declared twice":  {"PATCH", path, at(headers{"Upload-Length": "6"}), strings.NewReader("c"), 400, "Upload-Length"},
		"late length over limit": {"PATCH", late, at(headers{"Upload-Offset": "0", "Upload-Length": "1001"}), strings.NewReader("c"), 400, "Upload-Length"},
		"late bytes over limit":  {"PATCH", longer, at(headers{"Upload-Offset": "0"}), bytes.NewReader(long), 413, "maximum"},

		"PATCH of none":   {"PATCH", Mount + "1-0000000000000001", patch(0), nil, 404, "no such upload"},
		"HEAD of none":    {"HEAD", Mount + "1-0000000000000001", tus(nil), nil, 404, ""},
		"DELETE of none":  {"DELETE", Mount + "nonsense", tus(nil), nil, 404, "no such upload"},
		"HEAD of all":     {"HEAD", Mount, tus(nil), nil, 404, ""},
		"GET":             {"GET", path, tus(nil), nil, 405, "GET"},
		"PUT":             {"PUT", path, tus(nil), nil, 405, "PUT"},
		"GET in disguise": {"POST", path, tus(headers{"X-HTTP-Method-Override": "GET"}), nil, 405, "GET"},
	} {
		t.Run(name, func(t *testing.T) {
			a := s.do(t, c.method, c.path, c.h, c.body).want(t, c.status, headers{"X-Content-Type-Options": "nosniff"})
			if c.method != "HEAD" && (!strings.HasPrefix(a.body, `{"error":`) || !strings.Contains(a.body, c.text) || strings.Contains(a.body, "ERR_")) {
				t.Errorf("the answer is %s, want %q", a.body, c.text)
			}
			if c.status == 412 && a.header.Get("Tus-Version") != "1.0.0" {
				t.Error("the answer names no version")
			}
		})
	}
	if n, err := s.v.Len(t.Context()); n != 0 || err != nil {
		t.Errorf("there are %d keys, %v", n, err)
	}
	// More than the length came in chunks: what fits is stored, as the value.
	s.do(t, "PATCH", path, patch(2), plain{strings.NewReader("cdef")}).want(t, 413, nil)
	s.holds(t, "k", []byte("abcde"))
}

// A DELETE, also as a POST that says so, ends an upload.
func TestDelete(t *testing.T) {
	s := serve(t, Options{}, everything)
	for method, h := range map[string]headers{"DELETE": tus(nil), "POST": tus(headers{"X-HTTP-Method-Override": "DELETE"})} {
		path := s.create(t, "k", 5, nil)
		s.do(t, method, path, h, nil).want(t, 204, headers{"Upload-Expires": ""})
		s.do(t, "HEAD", path, tus(nil), nil).want(t, 404, nil)
		s.do(t, "DELETE", path, tus(nil), nil).want(t, 404, nil)
	}
}

// The upload expires as the options say, and every part postpones that.
func TestExpires(t *testing.T) {
	s := serve(t, Options{Expires: time.Hour}, everything)
	path := s.create(t, "k", 5, nil)
	h := s.do(t, "HEAD", path, tus(nil), nil).want(t, 200, nil).header
	at, err := http.ParseTime(h.Get("Upload-Expires"))
	if left := time.Until(at); err != nil || left > time.Hour || left < time.Hour/2 {
		t.Errorf("the upload expires in %v, %v", left, err)
	}

	u, err := s.v.NewUpload(t.Context(), "k", &kvault.UploadOptions{Expires: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Millisecond)
	s.do(t, "PATCH", Mount+u.ID(), patch(0), strings.NewReader("abcde")).want(t, 404, nil)
}

// The conditions of the request that creates count when the last byte comes, and those that cannot
// hold are told before.
func TestConditions(t *testing.T) {
	s := serve(t, Options{}, everything)
	old, err := s.v.PutWith(t.Context(), "old", []byte("1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	absent, tag := headers{"If-None-Match": "*"}, headers{"If-Match": `"` + old.Tag + `"`}

	for name, h := range map[string]headers{"old": absent, "none": tag} {
		all := tus(headers{"Upload-Length": "3"})
		maps.Copy(all, h)
		s.do(t, "POST", Mount+name, all, nil).want(t, 412, headers{"Location": ""})
	}

	made, replaced := s.create(t, "new", 3, absent), s.create(t, "old", 3, tag)
	tooLate, gone := s.create(t, "new", 3, absent), s.create(t, "old", 3, tag)
	s.do(t, "PATCH", made, patch(0), strings.NewReader("abc")).want(t, 204, headers{"ETag": "*"})
	s.do(t, "PATCH", replaced, patch(0), strings.NewReader("abc")).want(t, 204, headers{"ETag": "*"})
	for _, path := range []string{tooLate, gone} {
		s.do(t, "PATCH", path, patch(0), strings.NewReader("xyz")).want(t, 412, headers{"ETag": "", "Upload-Offset": ""})
		s.do(t, "PATCH", path, patch(3), strings.NewReader("")).want(t, 412, nil)
		s.do(t, "HEAD", path, tus(nil), nil).want(t, 412, headers{"Upload-Offset": ""})
	}
	for _, key := range []string{"old", "new"} {
		if e := s.holds(t, key, []byte("abc")); len(e.User) > 0 {
			t.Errorf("%s has user metadata %v", key, e.User)
		}
	}
	// It is not lost: when the condition holds, the next request stores it.
	if _, err := s.v.Delete(t.Context(), "new"); err != nil {
		t.Fatal(err)
	}
	s.do(t, "HEAD", tooLate, tus(nil), nil).want(t, 200, headers{"Upload-Offset": "3", "ETag": "*"})
	s.holds(t, "new", []byte("xyz"))
	if _, err := s.v.Delete(t.Context(), "old"); err != nil {
		t.Fatal(err)
	}
	s.do(t, "HEAD", gone, tus(nil), nil).want(t, 412, nil)
	s.do(t, "DELETE", gone, tus(nil), nil).want(t, 204, nil)
}

// A token for other keys, or for reading, opens no upload, whatever the method.
func TestGrant(t *testing.T) {
	tokens := access.NewTokens([]access.Token{
		{Secret: "mine", Prefix: "mine/", Write: true}, {Secret: "mine", Prefix: ""}, {Secret: "other", Prefix: "other/", Write: true},
	}, false)
	s := serve(t, Options{}, everything)
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g, _ := tokens.Grant(r)
		s.h.ServeHTTP(w, r.WithContext(access.With(r.Context(), g)))
	})
	as := func(secret string, h headers) headers { h["Authorization"] = "Bearer " + secret; return h }
	created := as("mine", tus(headers{"Upload-Length": "3"}))
	path := s.do(t, "POST", Mount+"mine/k", created, nil).want(t, 201, nil).header.Get("Location")
	s.do(t, "POST", Mount+"k", created, nil).want(t, 403, headers{"Location": ""})
	created["Upload-Metadata"] = meta("key", "other/k")
	s.do(t, "POST", Mount, created, nil).want(t, 403, nil)
	for _, secret := range []string{"other", "wrong"} {
		s.do(t, "HEAD", path, as(secret, tus(nil)), nil).want(t, 403, headers{"Upload-Offset": ""})
		s.do(t, "PATCH", path, as(secret, patch(0)), strings.NewReader("abc")).want(t, 403, nil)
		s.do(t, "DELETE", path, as(secret, tus(nil)), nil).want(t, 403, nil)
		s.do(t, "POST", path, as(secret, tus(headers{"X-HTTP-Method-Override": "DELETE"})), nil).want(t, 403, nil)
	}
	s.do(t, "PATCH", path, as("mine", patch(0)), strings.NewReader("abc")).want(t, 204, headers{"Upload-Offset": strconv.Itoa(3)})
	s.holds(t, "mine/k", []byte("abc"))
}

// failing is a ResponseWriter that keeps the cause of a failure for the log.
type failing struct {
	*httptest.ResponseRecorder
	cause error
}

func (f *failing) Failed(cause error) { f.cause = cause }

// The log gets the cause of a failure, and the client does not.
func TestCause(t *testing.T) {
	s := serve(t, Options{}, everything)
	path := s.create(t, "secret", 3, nil)
	if err := s.v.Close(); err != nil {
		t.Fatal(err)
	}
	ctx := access.With(t.Context(), everything)
	for _, r := range []*http.Request{
		httptest.NewRequest("POST", Mount+"secret", nil), httptest.NewRequest("HEAD", path, nil),
	} {
		r.Header.Set("Tus-Resumable", "1.0.0")
		r.Header.Set("Upload-Length", "3")
		w := &failing{ResponseRecorder: httptest.NewRecorder()}
		s.h.ServeHTTP(w, r.WithContext(ctx))
		if w.Code != 503 || !errors.Is(w.cause, kvault.ErrClosed) || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: status %d, cause %v, %s", r.Method, w.Code, w.cause, w.Body)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, o := range []Options{{MaxSize: -1}, {Expires: -1}} {
		if _, err := New(nil, o); !errors.Is(err, kvault.ErrInvalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
