package web_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web"
)

// TestNoBodyFromReaders: whoever may change nothing is refused before a byte of the body comes, so
// that it takes no memory.
func TestNoBodyFromReaders(t *testing.T) {
	v, err := kvault.Open(t.Context(), ":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	const secret = "a secret that reads"
	h, err := web.New(v, &web.Options{Tokens: []web.Token{{Secret: secret, Prefix: "photos/"}}})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	defer s.Close()
	for _, target := range []string{"POST /api/v1/delete", "PATCH /v/photos/a", "PUT /v/photos/a", "POST /view/photos/a",
		"PROPPATCH /dav/photos/a", "LOCK /dav/photos/a", "POST /up/photos/a", "POST /b/photos/"} {
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Length: 100000\r\n\r\n", target, secret)
		conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", target, err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %s", target, answer.Status)
		}
		conn.Close()
	}
	// With a method that changes nothing a body means nothing.
	r, err := http.NewRequest("GET", s.URL+"/api/v1/keys?prefix=photos/", strings.NewReader("a body"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("GET with a body: %s", answer.Status)
	}
}

// TestStalledBody: a client that stops in the middle of a short body gets its answer, and the
// connection is closed, where net/http would wait for the rest of the body first.
func TestStalledBody(t *testing.T) {
	v, err := kvault.Open(t.Context(), ":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	h, err := web.New(v, &web.Options{StallTimeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	defer s.Close()
	for _, target := range []string{"PUT /v/slow", "PUT /dav/slow", "PATCH /v/slow", "POST /api/v1/delete", "PROPFIND /dav/"} {
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"a", target)
		conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		r := bufio.NewReader(conn)
		answer, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("%s: %v", target, err)
		}
		io.Copy(io.Discard, answer.Body)
		if answer.StatusCode != http.StatusRequestTimeout {
			t.Errorf("%s: %s", target, answer.Status)
		}
		if _, err := r.ReadByte(); err != io.EOF {
			t.Errorf("%s: the connection stays open: %v", target, err)
		}
		conn.Close()
	}
}
