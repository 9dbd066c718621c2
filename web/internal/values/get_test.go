package values_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
)

const (
	before = "Mon, 06 May 2024 07:08:08 GMT"
	at     = "Mon, 06 May 2024 07:08:09 GMT"
	after  = "Mon, 06 May 2024 07:08:10 GMT"
)

// The answers to conditions and ranges of a value of ten bytes. TAG stands for its ETag.
var rangeTests = []struct {
	headers []string
	status  int
	body    string // or "" for any
}{
	{nil, 200, "0123456789"},
	{[]string{"Range", "bytes=2-4"}, 206, "234"},
	{[]string{"Range", "bytes=7-"}, 206, "789"},
	{[]string{"Range", "bytes=-3"}, 206, "789"},
	{[]string{"Range", "bytes=0-99999999999999999"}, 206, "0123456789"},
	{[]string{"Range", "bytes=10-"}, 416, ""},
	{[]string{"Range", "bytes=5-2"}, 416, ""},
	{[]string{"Range", "bytes=99999999999999999999-"}, 416, ""},
	{[]string{"Range", "lines=1-2"}, 200, "0123456789"},
	{[]string{"Range", "bytes=0-1,4-5"}, 206, ""},
	{[]string{"Range", "bytes=0-9,0-9,0-9"}, 200, "0123456789"},
	{[]string{"Range", "bytes=2-4", "If-Range", "TAG"}, 206, "234"},
	{[]string{"Range", "bytes=2-4", "If-Range", `"other"`}, 200, "0123456789"},
	{[]string{"Range", "bytes=2-4", "If-Range", "W/TAG"}, 200, "0123456789"},
	{[]string{"Range", "bytes=2-4", "If-Range", at}, 206, "234"},
	{[]string{"Range", "bytes=2-4", "If-Range", before}, 200, "0123456789"},
	{[]string{"If-None-Match", "TAG"}, 304, ""},
	{[]string{"If-None-Match", "W/TAG"}, 304, ""},
	{[]string{"If-None-Match", `"x", TAG`}, 304, ""},
	{[]string{"If-None-Match", "*"}, 304, ""},
	{[]string{"If-None-Match", `"other"`}, 200, "0123456789"},
	{[]string{"If-Match", "TAG"}, 200, "0123456789"},
	{[]string{"If-Match", "*"}, 200, "0123456789"},
	{[]string{"If-Match", `"other"`}, 412, ""},
	{[]string{"If-Match", "W/TAG"}, 412, ""},
	{[]string{"If-Modified-Since", at}, 304, ""},
	{[]string{"If-Modified-Since", before}, 200, "0123456789"},
	{[]string{"If-Modified-Since", at, "If-None-Match", `"other"`}, 200, "0123456789"},
	{[]string{"If-Unmodified-Since", before}, 412, ""},
	{[]string{"If-Unmodified-Since", after}, 200, "0123456789"},
}

func TestRangesAndConditions(t *testing.T) {
	v := vault(t)
	s := server(t, v)
	mtime := time.Date(2024, 5, 6, 7, 8, 9, 123456789, time.UTC)
	e, err := v.PutWith(t.Context(), "k", []byte("0123456789"), &kvault.PutOptions{ContentType: "text/plain", ModTime: mtime})
	if err != nil {
		t.Fatal(err)
	}
	tag := `"` + e.Tag + `"`
	for _, test := range rangeTests {
		var headers []string
		for _, h := range test.headers {
			headers = append(headers, strings.ReplaceAll(h, "TAG", tag))
		}
		for _, method := range []string{"GET", "HEAD"} {
			a := ask(t, s, method, "k", "", headers...)
			if method == "HEAD" && len(headers) > 0 && headers[0] == "Range" {
				test.status, test.body = 200, "0123456789" // a range is for GET alone
			}
			if a.StatusCode != test.status {
				t.Errorf("%s %q: %s, want %d", method, test.headers, a.Status, test.status)
			}
			if method == "HEAD" && a.body != "" || method == "GET" && test.body != "" && a.body != test.body {
				t.Errorf("%s %q: %q, want %q", method, test.headers, a.body, test.body)
			}
			if method == "HEAD" && test.body != "" && a.ContentLength != int64(len(test.body)) {
				t.Errorf("%s %q: length %d", method, test.headers, a.ContentLength)
			}
			if a.StatusCode < 400 && a.Header.Get("Etag") != tag || a.StatusCode >= 400 && a.Header.Get("Content-Type") != "application/json; charset=utf-8" {
				t.Errorf("%s %q: %v", method, test.headers, a.Header)
			}
			if ranged := a.StatusCode == 206 && len(test.body) > 0 || a.StatusCode == 416; !ranged && a.Header.Get("Content-Range") != "" {
				t.Errorf("%s %q: Content-Range %q", method, test.headers, a.Header.Get("Content-Range"))
			}
			if a.StatusCode == 416 && a.Header.Get("Content-Range") != "bytes */10" {
				t.Errorf("%s %q: Content-Range %q", method, test.headers, a.Header.Get("Content-Range"))
			}
		}
	}
	a := ask(t, s, "GET", "k", "", "Range", "bytes=2-4")
	for name, want := range map[string]string{
		"Content-Range": "bytes 2-4/10", "Last-Modified": at, "X-Kvault-Mtime": "2024-05-06T07:08:09.123456789Z",
		"Accept-Ranges": "bytes", "Content-Length": "3", "Cache-Control": "private, no-cache",
	} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestManyRanges(t *testing.T) {
	v := vault(t)
	s := server(t, v)
	if err := v.Put(t.Context(), "k", make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	ranges := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, ",%d-%d", 10*i, 10*i+5)
		}
		return "bytes=" + b.String()[1:]
	}
	for n, status := range map[int]int{1: 206, 2: 206, 16: 206, 17: 200, 1000: 200} {
		if a := ask(t, s, "GET", "k", "", "Range", ranges(n)); a.StatusCode != status || (status == 200) != (len(a.body) == 1<<20) {
			t.Errorf("%d ranges: %s with %d bytes, want %d", n, a.Status, len(a.body), status)
		}
	}
	many := strings.Split(strings.Repeat("Range|bytes=0-1|", 300), "|")
	if a := ask(t, s, "GET", "k", "", many[:600]...); a.StatusCode != 200 {
		t.Errorf("300 headers: %s", a.Status)
	}
}

// Every value that can be read is read as it was stored, whatever its size and whichever way.
func TestSizes(t *testing.T) {
	v, err := kvault.Open(t.Context(), t.TempDir()+"/v.kv", &kvault.Options{OneRowLimit: 3 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	s := server(t, v)
	for _, size := range []int{0, 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 512 << 10, 512<<10 + 1, 1<<20 + 1, 2 << 20, 5<<20 + 3} {
		value := make([]byte, size)
		for i := range value {
			value[i] = byte(i>>16) ^ byte(i)
		}
		if a := ask(t, s, "PUT", "k", string(value)); a.StatusCode >= 300 {
			t.Fatalf("PUT of %d bytes: %s %s", size, a.Status, a.body)
		}
		if a := ask(t, s, "GET", "k", ""); a.body != string(value) || a.ContentLength != int64(size) {
			t.Errorf("GET of %d bytes: %s, %d bytes", size, a.Status, len(a.body))
		}
		if first := size / 3; size > 1 {
			a := ask(t, s, "GET", "k", "", "Range", fmt.Sprintf("bytes=%d-%d", first, size-2))
			if a.StatusCode != 206 || a.body != string(value[first:size-1]) {
				t.Errorf("range of %d bytes: %s, %d bytes", size, a.Status, len(a.body))
			}
		}
	}
}

func TestMethods(t *testing.T) {
	v := vault(t)
	s := server(t, v)
	if err := v.Put(t.Context(), "k", []byte("value")); err != nil {
		t.Fatal(err)
	}
	for method, status := range map[string]int{"OPTIONS": 204, "POST": 405, "PROPFIND": 405, "TRACE": 405, "get": 405} {
		a := ask(t, s, method, "k", "")
		if a.StatusCode != status || !strings.Contains(a.Header.Get("Allow"), "GET, HEAD, PUT") {
			t.Errorf("%s: %s, Allow %q", method, a.Status, a.Header.Get("Allow"))
		}
	}
	for path, status := range map[string]int{"/v/": 400, "/v/?key=": 400, "/v/?key=%zz": 400, "/v/?key=" + strings.Repeat("k", kvault.MaxKey+1): 414} {
		for _, method := range []string{"GET", "PUT", "DELETE"} {
			if a := askPath(t, s, method, path, http.NoBody); a.StatusCode != status {
				t.Errorf("%s %.30s: %s, want %d", method, path, a.Status, status)
			}
		}
	}
}
