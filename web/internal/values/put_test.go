package values_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/singletest"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/values"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// tagOf returns the ETag of key, or `"none"`.
func tagOf(t testing.TB, v *kvault.Vault, key string) string {
	t.Helper()
	e, err := v.Stat(t.Context(), key)
	if err != nil {
		return `"none"`
	}
	return wire.ETag(e)
}

func valueOf(t testing.TB, v *kvault.Vault, key string) string {
	t.Helper()
	value, err := v.GetOr(t.Context(), key, []byte("(none)"))
	if err != nil {
		t.Fatal(err)
	}
	return string(value)
}

// The conditions of each method that changes a value. TAG stands for the value's ETag.
var conditionTests = []struct {
	headers []string
	old     bool // the key has a value
	holds   bool
}{
	{[]string{"If-None-Match", "*"}, false, true},
	{[]string{"If-None-Match", "*"}, true, false},
	{[]string{"If-None-Match", `"other"`}, true, true},
	{[]string{"If-None-Match", `"a", W/TAG`}, true, false},
	{[]string{"If-Match", "*"}, true, true},
	{[]string{"If-Match", "*"}, false, false},
	{[]string{"If-Match", "TAG"}, true, true},
	{[]string{"If-Match", "TAG"}, false, false},
	{[]string{"If-Match", "W/TAG"}, true, false},
	{[]string{"If-Match", `"a" , TAG,"b"`}, true, true},
	{[]string{"If-Match", `"a"`, "If-Match", "TAG"}, true, true},
	{[]string{"If-Match", `"a", "b"`}, true, false},
	{[]string{"If-Match", `""`}, true, false},
	{[]string{"If-Match", "TAG", "If-None-Match", "*"}, true, false},
	{[]string{"If-Match", "TAG", "If-Unmodified-Since", "Mon, 06 May 2004 07:08:09 GMT"}, true, true},
	{[]string{"If-Unmodified-Since", "Mon, 06 May 2004 07:08:09 GMT"}, true, false},
	{[]string{"If-Unmodified-Since", "Mon, 06 May 2104 07:08:09 GMT"}, true, true},
	{[]string{"If-Unmodified-Since", "no date"}, true, true},
}

func TestConditions(t *testing.T) {
	v := vault(t)
	s := server(t, v)
	for _, method := range []string{"PUT", "PUT range", "PUT large", "DELETE", "COPY", "MOVE", "PATCH"} {
		for _, test := range conditionTests {
			name := fmt.Sprintf("%s %q, old value: %v", method, test.headers, test.old)
			if _, err := v.DeletePrefix(t.Context(), "k"); err != nil {
				t.Fatal(err)
			}
			if test.old {
				if err := v.Put(t.Context(), "k", []byte("old")); err != nil {
					t.Fatal(err)
				}
			}
			var headers []string
			for _, h := range test.headers {
				headers = append(headers, strings.ReplaceAll(h, "TAG", tagOf(t, v, "k")))
			}
			verb, body := method, ""
			switch method {
			case "PUT", "PATCH":
				body = `{"user":{}}`
			case "PUT range":
				verb, body = "PUT", "n"
				headers = append(headers, "Content-Range", "bytes 0-0/*")
			case "PUT large":
				verb, body = "PUT", strings.Repeat("x", 3<<20)
			case "COPY", "MOVE":
				headers = append(headers, "Destination", "/v/k2")
			}
			before := tagOf(t, v, "k")
			a := ask(t, s, verb, "k", body, headers...)
			changed := tagOf(t, v, "k") != before || tagOf(t, v, "k2") != `"none"`
			switch {
			case !test.holds && (a.StatusCode != 412 || changed):
				t.Errorf("%s: %s, changed: %v", name, a.Status, changed)
			case test.holds && (test.old || verb == "PUT") && (a.StatusCode >= 300 || !changed):
				t.Errorf("%s: %s %s, changed: %v", name, a.Status, a.body, changed)
			case test.holds && !test.old && verb != "PUT" && a.StatusCode != 404:
				t.Errorf("%s: %s, want 404", name, a.Status)
			}
		}
	}
	for _, h := range []string{"k", `"open`, `"a" "b"x`, `W/`, `"a"b`, "*, \"a\""} {
		for _, name := range []string{"If-Match", "If-None-Match"} {
			if a := ask(t, s, "PUT", "k", "x", name, h); a.StatusCode != 400 {
				t.Errorf("%s: %s: %s, want 400", name, h, a.Status)
			}
		}
	}
}

// acting does something before its first byte is read.
type acting struct {
	io.ReadCloser
	act func() error
}

func (a *acting) Read(p []byte) (int, error) {
	if a.act != nil {
		if err := a.act(); err != nil {
			return 0, err
		}
		a.act = nil
	}
	return a.ReadCloser.Read(p)
}

// A condition holds when the value is stored, not only when the request begins.
func TestConditionsAtTheEnd(t *testing.T) {
	for _, headers := range [][]string{
		{"If-None-Match", "*"}, {"If-Match", "TAG"}, {"If-Match", `"x", TAG`}, {"If-Match", "*"},
		{"If-Match", "TAG", "Content-Range", "bytes 0-299999/*"}, {"Content-Range", "bytes 0-299999/*"},
	} {
		v := vault(t)
		exists := headers[0] != "If-None-Match"
		if exists {
			if err := v.Put(t.Context(), "k", []byte("old")); err != nil {
				t.Fatal(err)
			}
		}
		h := values.New(v)
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Body = &acting{r.Body, func() (err error) {
				if headers[1] == "*" && exists {
					_, err = v.Delete(r.Context(), "k")
					return err
				}
				return v.Put(r.Context(), "k", []byte("other"))
			}}
			h.ServeHTTP(w, r.WithContext(access.With(r.Context(), access.Everything(true))))
		}))
		defer s.Close()
		var sent []string
		for _, h := range headers {
			sent = append(sent, strings.ReplaceAll(h, "TAG", tagOf(t, v, "k")))
		}
		a := ask(t, s, "PUT", "k", strings.Repeat("x", 300_000), sent...)
		want := 412
		if len(headers) == 2 && headers[0] == "Content-Range" {
			want = 409
		}
		if got := valueOf(t, v, "k"); a.StatusCode != want || len(got) > 10 {
			t.Errorf("%q: %s, want %d; the value has %d bytes", headers, a.Status, want, len(got))
		}
	}
}

func TestPutKeeps(t *testing.T) {
	s := server(t, vault(t))
	a := ask(t, s, "PUT", "k.png", "data", "Content-Type", "text/x-own; charset=utf-8", wire.TimeHeader, "2020-02-03T04:05:06.789Z",
		"X-Kvault-Meta-Lang", "na%C3%AFve 100%25", "X-Kvault-Meta-%4Cang", " spaces inside ", "X-Kvault-Meta-A%2Fb", "")
	if a.StatusCode != 201 {
		t.Fatal(a.Status, a.body)
	}
	a = ask(t, s, "HEAD", "k.png", "")
	for name, want := range map[string]string{
		"Content-Type": "text/x-own; charset=utf-8", "Last-Modified": "Mon, 03 Feb 2020 04:05:06 GMT",
		wire.TimeHeader: "2020-02-03T04:05:06.789Z", "X-Kvault-Meta-Lang": "na%C3%AFve 100%25",
		"X-Kvault-Meta-%4cang": "spaces inside", "X-Kvault-Meta-A%2fb": "",
	} {
		if got := a.Header[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if a := ask(t, s, "PUT", "guess.png", "data"); a.StatusCode != 201 {
		t.Fatal(a.Status)
	}
	if a := ask(t, s, "HEAD", "guess.png", ""); a.Header.Get("Content-Type") != "image/png" {
		t.Errorf("guessed %q", a.Header.Get("Content-Type"))
	}
}

func TestPutRefused(t *testing.T) {
	v := vault(t)
	s := server(t, v)
	if err := v.Put(t.Context(), "k", []byte("old")); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		status  int
		headers []string
	}{
		{415, []string{"Content-Encoding", "gzip"}},
		{204, []string{"Content-Encoding", "identity"}},
		{400, []string{"Content-Type", strings.Repeat("x", 300)}},
		{400, []string{"Content-Type", "text/plain\xff"}},
		{400, []string{wire.TimeHeader, "yesterday"}},
		{400, []string{wire.TimeHeader, "0001-01-01T00:00:00Z"}},
		{400, []string{wire.TimeHeader, "9999-01-01T00:00:00Z"}},
		{400, []string{"X-Kvault-Meta-Lang", "na\xc3\xafve"}},
		{400, []string{"X-Kvault-Meta-Lang", "%zz"}},
		{400, []string{"X-Kvault-Meta-Lang", "%ff"}},
		{400, []string{"X-Kvault-Meta-%ff", "x"}},
		{400, []string{"X-Kvault-Meta-", "x"}},
		{400, []string{"X-Kvault-Meta-Lang", "a", "X-Kvault-Meta-Lang", "b"}},
		{400, []string{"X-Kvault-Meta-A", "a", "X-Kvault-Meta-%61", "b"}},
	} {
		before := valueOf(t, v, "k")
		a := ask(t, s, "PUT", "k", "new", test.headers...)
		if a.StatusCode != test.status || test.status >= 400 && valueOf(t, v, "k") != before {
			t.Errorf("%q: %s %s, want %d; value %q", test.headers, a.Status, a.body, test.status, valueOf(t, v, "k"))
		}
		if test.status == 415 && a.Header.Get("Accept-Encoding") != "identity" {
			t.Errorf("no Accept-Encoding")
		}
	}
}

// A body that breaks off leaves the old value, or none.
func TestBodyBreaksOff(t *testing.T) {
	v := vault(t)
	s := server(t, v)
	if err := v.Put(t.Context(), "old", []byte("old")); err != nil {
		t.Fatal(err)
	}
	large := strings.Repeat("x", 3<<20)
	for name, request := range map[string]string{
		"short":              "Content-Length: 10\r\n\r\nabc",
		"short, large":       "Content-Length: 9000000\r\n\r\n" + large,
		"chunked":            "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
		"chunked, in a part": "Transfer-Encoding: chunked\r\n\r\n30\r\nabc",
		"chunked, large":     "Transfer-Encoding: chunked\r\n\r\n300000\r\n" + large,
		"chunked, wrong":     "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n",
		"range":              "Content-Range: bytes 0-9/*\r\nContent-Length: 10\r\n\r\nabc",
		"condition":          "If-Match: \"a\", *\r\nContent-Length: 10\r\n\r\nabc",
		"existing":           "If-Match: *\r\nContent-Length: 10\r\n\r\nabc",
	} {
		for _, key := range []string{"old", "new"} {
			c, err := net.Dial("tcp", s.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(c, "PUT /v/%s HTTP/1.1\r\nHost: x\r\n%s", key, request)
			c.(*net.TCPConn).CloseWrite()
			c.SetReadDeadline(time.Now().Add(time.Minute))
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err == nil && resp.StatusCode < 400 {
				t.Errorf("%s of %s: %s", name, key, resp.Status)
			}
			c.Close()
		}
	}
	s.Close() // waits for the requests
	if got := valueOf(t, v, "old"); got != "old" {
		t.Errorf("the old value became %.20q", got)
	}
	if got := valueOf(t, v, "new"); got != "(none)" {
		t.Errorf("the new key has %.20q", got)
	}
	for u, err := range v.Uploads(t.Context(), "") {
		if singletest.On && errors.Is(err, kvault.ErrUnsupported) {
			break
		}
		t.Errorf("an upload is left: %v %v", u, err)
	}
}

var putRangeTests = []struct {
	old, span, body string
	status          int
	want            string
}{
	{"0123456789", "bytes 2-4/10", "abc", 204, "01abc56789"},
	{"0123456789", "bytes 2-4/*", "abc", 204, "01abc56789"},
	{"0123456789", "bytes 0-9/10", "abcdefghij", 204, "abcdefghij"},
	{"0123456789", "bytes 10-12/13", "abc", 204, "0123456789abc"},
	{"0123456789", "bytes 8-12/*", "abcde", 204, "01234567abcde"},
	{"", "bytes 0-2/3", "abc", 204, "abc"},
	{"(none)", "bytes 0-2/3", "abc", 201, "abc"},
	{"(none)", "bytes 0-2/*", "abc", 201, "abc"},
	{"(none)", "bytes 1-3/*", "abc", 416, ""},
	{"0123456789", "bytes 11-13/*", "abc", 416, ""},
	{"0123456789", "bytes 2-4/11", "abc", 416, ""},
	{"0123456789", "bytes 2-4/5", "abc", 416, ""},
	{"0123456789", "bytes 8-12/10", "abcde", 400, ""},
	{"0123456789", "bytes 2-4/*", "abcd", 400, ""},
	{"0123456789", "bytes 2-4/*", "ab", 400, ""},
	{"0123456789", "bytes 2-4/*", "", 400, ""},
	{"0123456789", "bytes 4-2/*", "abc", 400, ""},
	{"0123456789", "bytes 2-/*", "abc", 400, ""},
	{"0123456789", "bytes -3/*", "abc", 400, ""},
	{"0123456789", "bytes */10", "abc", 400, ""},
	{"0123456789", "bytes 2-4", "abc", 400, ""},
	{"0123456789", "2-4/10", "abc", 400, ""},
	{"0123456789", "lines 2-4/10", "abc", 400, ""},
	{"0123456789", "bytes 2-4/-1", "abc", 400, ""},
	{"0123456789", "bytes +2-4/*", "abc", 400, ""},
	{"0123456789", "bytes 0-9223372036854775807/*", "abc", 400, ""},
	{"0123456789", "bytes 9223372036854775806-9223372036854775807/*", "ab", 400, ""},
	{"0123456789", "bytes 9223372036854775804-9223372036854775806/*", "abc", 416, ""},
	{"0123456789", "bytes 18446744073709551616-18446744073709551618/*", "abc", 400, ""},
	{"0123456789", "bytes 2-18446744073709551620/*", "abc", 400, ""},
	{"0123456789", "bytes 2-4/99999999999999999999999", "abc", 400, ""},
}

func TestPutRange(t *testing.T) {
	v := vault(t)
	s := server(t, v)
	for _, test := range putRangeTests {
		for _, chunked := range []bool{false, true} {
			v.Delete(t.Context(), "k")
			if test.old != "(none)" {
				o := &kvault.PutOptions{ContentType: "x/y", User: map[string]string{"a": "b"}}
				if _, err := v.PutWith(t.Context(), "k", []byte(test.old), o); err != nil {
					t.Fatal(err)
				}
			}
			var body io.Reader = strings.NewReader(test.body)
			if chunked {
				body = struct{ io.Reader }{body}
			}
			a := askPath(t, s, "PUT", "/v/k", body, "Content-Range", test.span)
			want := test.want
			if test.status >= 400 {
				want = test.old
			}
			if got := valueOf(t, v, "k"); a.StatusCode != test.status || got != want {
				t.Errorf("%q of %q: %s %s, want %d; value %q, want %q", test.span, test.old, a.Status, a.body, test.status, got, want)
			}
			if a.StatusCode == 416 && a.Header.Get("Content-Range") != fmt.Sprintf("bytes */%d", len(strings.TrimPrefix(test.old, "(none)"))) {
				t.Errorf("%q: Content-Range %q", test.span, a.Header.Get("Content-Range"))
			}
			if a.StatusCode == 204 {
				if e, err := v.Stat(t.Context(), "k"); err != nil || e.ContentType != "x/y" || e.User["a"] != "b" || wire.ETag(e) != a.Header.Get("Etag") {
					t.Errorf("%q: %v %v", test.span, e, err)
				}
			}
		}
	}
	for u, err := range v.Uploads(t.Context(), "") {
		if singletest.On && errors.Is(err, kvault.ErrUnsupported) {
			break
		}
		t.Errorf("an upload is left: %v %v", u, err)
	}
}

// A part of a large value, over the bounds of its chunks.
func TestPutRangeLarge(t *testing.T) {
	v := vault(t)
	s := server(t, v)
	old := bytes.Repeat([]byte("0123456789abcdef"), 300_000)
	if err := v.Put(t.Context(), "k", old); err != nil {
		t.Fatal(err)
	}
	part := strings.Repeat("x", 2_000_001)
	if a := ask(t, s, "PUT", "k", part, "Content-Range", "bytes 1000003-3000003/4800000"); a.StatusCode != 204 {
		t.Fatal(a.Status, a.body)
	}
	copy(old[1000003:], part)
	if got := valueOf(t, v, "k"); got != string(old) {
		t.Errorf("%d bytes differ from what they should be", len(got))
	}
	if _, err := v.Check(t.Context(), nil); err != nil {
		t.Error(err)
	}
}
