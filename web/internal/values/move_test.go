package values_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/access"
)

// HOST stands for the host and port of the server.
var destinationTests = []struct {
	destination string
	to          string // key, if it is stored
	status      int
	headers     []string
}{
	{"/v/new", "new", 201, nil},
	{"/v/taken", "taken", 204, nil},
	{"/v/taken", "taken", 204, []string{"Overwrite", "T"}},
	{"/v/taken", "", 412, []string{"Overwrite", "F"}},
	{"/v/new", "new", 201, []string{"Overwrite", "F"}},
	{"/v/new", "", 400, []string{"Overwrite", "maybe"}},
	{"http://HOST/v/new", "new", 201, nil},
	{"https://HOST/v/a/new%20b", "a/new b", 201, nil},
	{"/v/?key=..%2Fup", "../up", 201, nil},
	{"/v/a%2Fb", "a/b", 201, nil},
	{"/v/k", "", 403, nil},
	{"/v/../v/new", "", 400, nil},
	{"/v/a/../new", "", 400, nil},
	{"/v/%2e%2e/new", "", 400, nil},
	{"/v/a%2F..%2Fnew", "", 400, nil},
	{"/v/./new", "", 400, nil},
	{"/v/", "", 400, nil},
	{"/new", "", 404, nil},
	{"/dav/new", "", 404, nil},
	{"/v", "", 404, nil},
	{"new", "", 502, nil},
	{"//evil.example/v/new", "", 502, nil},
	{"//HOST/v/new", "", 502, nil},
	{"http://evil.example/v/new", "", 502, nil},
	{"http://evil.example:PORT/v/new", "", 502, nil},
	{"http://user@HOST/v/new", "", 502, nil},
	{"http://HOST@evil.example/v/new", "", 502, nil},
	{"file:///v/new", "", 502, nil},
	{"/v/%zz", "", 400, nil},
	{"/v/" + strings.Repeat("k", kvault.MaxKey+1), "", 414, nil},
	{"", "", 400, nil},
	{"/v/new", "", 400, []string{"Destination", "/v/other"}},
}

func TestCopyMove(t *testing.T) {
	v := vault(t)
	s := server(t, v)
	host := s.Listener.Addr().String()
	_, port, _ := strings.Cut(host, ":")
	for _, test := range destinationTests {
		test.destination = strings.ReplaceAll(test.destination, "HOST", host)
		test.destination = strings.ReplaceAll(test.destination, "PORT", port)
		for _, method := range []string{"COPY", "MOVE"} {
			if _, err := v.Clear(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := v.PutWith(t.Context(), "k", []byte("value"), &kvault.PutOptions{User: map[string]string{"a": "b"}}); err != nil {
				t.Fatal(err)
			}
			if err := v.Put(t.Context(), "taken", []byte("taken")); err != nil {
				t.Fatal(err)
			}
			tag := tagOf(t, v, "k")
			a := ask(t, s, method, "k", "", append([]string{"Destination", test.destination}, test.headers...)...)
			if a.StatusCode != test.status {
				t.Errorf("%s %.50q %q: %s %s, want %d", method, test.destination, test.headers, a.Status, a.body, test.status)
			}
			if test.to == "" {
				if n, err := v.Len(t.Context()); n != 2 || err != nil || tagOf(t, v, "k") != tag || valueOf(t, v, "taken") != "taken" {
					t.Errorf("%s %.50q changed the vault", method, test.destination)
				}
				continue
			}
			e, err := v.Stat(t.Context(), test.to)
			if err != nil || valueOf(t, v, test.to) != "value" || e.User["a"] != "b" || a.Header.Get("Etag") != tagOf(t, v, test.to) {
				t.Errorf("%s to %q: %v %v", method, test.to, e, err)
			}
			if got := valueOf(t, v, "k"); (method == "MOVE") != (got == "(none)") {
				t.Errorf("%s to %q: the old key has %q", method, test.to, got)
			}
			if (method == "MOVE") != (a.Header.Get("Etag") == tag) {
				t.Errorf("%s: ETag %q, was %q", method, a.Header.Get("Etag"), tag)
			}
			if at := a.Header.Get("Location"); test.status == 201 && ask(t, s, "GET", test.to, "").body != "value" || (at == "") != (test.status == 204) {
				t.Errorf("%s: Location %q", method, at)
			}
		}
	}
	for _, method := range []string{"COPY", "MOVE"} {
		if a := ask(t, s, method, "none", "", "Destination", "/v/x"); a.StatusCode != 404 {
			t.Errorf("%s of no key: %s", method, a.Status)
		}
		if a := ask(t, s, method, "k", ""); a.StatusCode != 400 {
			t.Errorf("%s without Destination: %s", method, a.Status)
		}
	}
}

func TestGrants(t *testing.T) {
	v := vault(t)
	tokens := access.NewTokens([]access.Token{
		{Secret: "s", Prefix: "read/"}, {Secret: "s", Prefix: "write/", Write: true},
	}, false)
	grant, _ := tokens.Grant(&http.Request{Header: http.Header{"Authorization": {"Bearer s"}}})
	s := serverFor(t, v, grant)
	for _, test := range []struct {
		method, key, destination string
		status                   int
	}{
		{"GET", "read/k", "", 200}, {"HEAD", "read/k", "", 200}, {"GET", "write/k", "", 200},
		{"GET", "other/k", "", 403}, {"HEAD", "other/k", "", 403}, {"GET", "none", "", 403}, {"GET", "read", "", 403},
		{"PUT", "read/k", "", 403}, {"PUT", "other/k", "", 403}, {"PUT", "write/k", "", 204},
		{"PATCH", "read/k", "", 403}, {"PATCH", "other/k", "", 403}, {"PATCH", "write/k", "", 204},
		{"DELETE", "read/k", "", 403}, {"DELETE", "other/k", "", 403}, {"DELETE", "write/k", "", 204},
		{"COPY", "read/k", "/v/write/new", 201}, {"COPY", "read/k", "/v/read/new", 403}, {"COPY", "read/k", "/v/other/new", 403},
		{"COPY", "other/k", "/v/write/new", 403}, {"COPY", "read/k", "/v/?key=read%2Fnew", 403},
		{"MOVE", "read/k", "/v/write/new", 403}, {"MOVE", "write/k", "/v/write/new", 201}, {"MOVE", "write/k", "/v/read/new", 403},
		{"MOVE", "other/k", "/v/write/new", 403},
	} {
		v.Clear(t.Context())
		for _, key := range []string{"read/k", "write/k", "other/k"} {
			if err := v.Put(t.Context(), key, []byte("v")); err != nil {
				t.Fatal(err)
			}
		}
		var headers []string
		if test.destination != "" {
			headers = []string{"Destination", test.destination}
		}
		if a := ask(t, s, test.method, test.key, "{}", headers...); a.StatusCode != test.status {
			t.Errorf("%s %s %s: %s, want %d", test.method, test.key, test.destination, a.Status, test.status)
		}
	}
}

func TestPatch(t *testing.T) {
	v := vault(t)
	s := server(t, v)
	for _, test := range []struct {
		body   string
		status int
	}{
		{`{"contentType": "a/b", "modTime": "2020-01-02T03:04:05.678Z", "user": {"x": "ü\n"}}`, 204},
		{`{}`, 204},
		{`{"contentType": "", "user": {}}`, 204},
		{`{"contentType": "a\nb"}`, 400},
		{`{"contentType": "` + strings.Repeat("x", 300) + `"}`, 400},
		{`{"modTime": "3000-01-02T03:04:05Z"}`, 400},
		{`{"modTime": "0001-01-01T00:00:00Z"}`, 400},
		{`{"modTime": 5}`, 400},
		{`{"user": {"x": 5}}`, 400},
		{"{\"user\": {\"x\": \"\xff\"}}", 400},
		{`{"other": 5}`, 400},
		{`{} {}`, 400},
		{`{`, 400},
		{``, 400},
		{`[]`, 400},
		{`{"user": {"x": "` + strings.Repeat("x", kvault.MaxUserMetadata) + `"}}`, 400},
		{`{"user": {"x": "` + strings.Repeat("x", 8*kvault.MaxUserMetadata) + `"}}`, 413},
	} {
		if _, err := v.PutWith(t.Context(), "k", []byte("v"), &kvault.PutOptions{ContentType: "o/ld", User: map[string]string{"o": "ld"}}); err != nil {
			t.Fatal(err)
		}
		before := tagOf(t, v, "k")
		a := ask(t, s, "PATCH", "k", test.body)
		if a.StatusCode != test.status || (test.status == 204) != (tagOf(t, v, "k") != before) {
			t.Errorf("%.60s: %s %s, want %d", test.body, a.Status, a.body, test.status)
		}
		e, err := v.Stat(t.Context(), "k")
		if err != nil {
			t.Fatal(err)
		}
		switch test.body {
		case `{}`:
			if e.ContentType != "o/ld" || e.User["o"] != "ld" {
				t.Errorf("%s: %v", test.body, e)
			}
		case `{"contentType": "", "user": {}}`:
			if e.ContentType != "" || len(e.User) != 0 {
				t.Errorf("%s: %v", test.body, e)
			}
			if a := ask(t, s, "GET", "k", ""); a.Header.Get("Content-Type") != "application/octet-stream" {
				t.Errorf("without a content type it is %q", a.Header.Get("Content-Type"))
			}
		}
		if test.status == 204 && len(test.body) > 50 && (e.ContentType != "a/b" || e.User["x"] != "ü\n" || e.ModTime.Nanosecond() != 678e6) {
			t.Errorf("%s: %v", test.body, e)
		}
	}
	if a := ask(t, s, "PATCH", "none", "{}"); a.StatusCode != 404 {
		t.Errorf("no such key: %s", a.Status)
	}
}
