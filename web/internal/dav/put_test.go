package dav_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/transact"
)

// cutOff sends the start of a request, ends its own side of the connection, and reads the answer.
func (s *server) cutOff(start string) string {
	s.t.Helper()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, start); err != nil {
		s.t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		s.t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(answer)
}

// TestPutCutOff has bodies break off anywhere, in values of one chunk and of several.
func TestPutCutOff(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	v, err := kvault.Open(t.Context(), ":memory:", &kvault.Options{ChunkSize: 4096})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	s := newServer(t, v, "old")
	value := strings.Repeat("0123456789abcdef", 2000)
	chunked := ""
	for at := 0; at < len(value); at += 1000 {
		chunked += fmt.Sprintf("%x\r\n%s\r\n", len(value[at:at+1000]), value[at:at+1000])
	}
	chunked += "0\r\n\r\n"
	for i := range 60 {
		head, body := fmt.Sprintf("Content-Length: %d", len(value)), value
		if i%2 == 1 {
			head, body = "Transfer-Encoding: chunked", chunked
		}
		if i%4 == 3 {
			head += "\r\nX-Expected-Entity-Length: 32000"
		}
		cut := random.IntN(len(body) - len("0\r\n\r\n"))
		if i < 8 { // right before the end, or the last chunk
			cut = len(body) - len("0\r\n\r\n") - i/4
		}
		for _, path := range []string{"/dav/old", "/dav/new"} {
			start := "PUT " + path + " HTTP/1.1\r\nHost: x\r\n" + head + "\r\n\r\n"
			answer := s.cutOff(start + body[:cut])
			if !strings.Contains(answer, " 400 ") {
				t.Errorf("cut off after %d of %d: %s", cut, len(body), answer)
			}
		}
		s.wantKeys("old")
	}
	s.want(204, "PUT", "/dav/old", value)
	if got, err := v.Get(t.Context(), "old"); err != nil || string(got) != value {
		t.Errorf("the whole is %d bytes, %v", len(got), err)
	}
}

// TestCopyCutOff has clients go while a folder is copied: it is there as a whole, or not at all.
func TestCopyCutOff(t *testing.T) {
	const files = 2000
	v := openMemory(t)
	err := transact.Update(t.Context(), v, func(in transact.Store) error {
		for i := range files {
			if _, err := in.PutWith(t.Context(), fmt.Sprintf("d/%d", i), nil, nil); err != nil {
				return err
			}
		}
		_, err := in.PutWith(t.Context(), "e/old", nil, nil)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, v)
	for i := range 10 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*3*time.Millisecond)
		r, err := http.NewRequestWithContext(ctx, "COPY", s.URL+"/dav/d", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Destination", "/dav/e")
		if a, err := s.Client().Do(r); err == nil {
			a.Body.Close()
		}
		cancel()
		n, err := v.Count(t.Context(), &kvault.ListOptions{Prefix: "e/"})
		if err != nil || n != 1 && n != files {
			t.Errorf("e/ has %d keys, %v", n, err)
		}
	}
}

func TestHeadersOfClients(t *testing.T) {
	s := newServer(t, openMemory(t), "a")
	// Finder: chunks of a length that it says before.
	chunked := func(status int, path, length, body string) {
		t.Helper()
		unsized := io.MultiReader(strings.NewReader(body))
		r, err := http.NewRequestWithContext(t.Context(), "PUT", s.URL+path, unsized)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Expected-Entity-Length", length)
		a, err := s.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
		if a.StatusCode != status {
			t.Errorf("%s of %s bytes is %d, want %d", path, length, a.StatusCode, status)
		}
	}
	chunked(201, "/dav/._a", "3", "._a")
	chunked(400, "/dav/a", "4", "new")
	chunked(400, "/dav/a", "2", "new")
	chunked(400, "/dav/a", "-1", "new")
	chunked(400, "/dav/a", "x", "new")
	s.wantKeys("._a", "a")
	// rclone and Nextcloud's clients.
	a, _ := s.do("PUT", "/dav/a", "a", header{"X-OC-Mtime", "981173106.5"})
	if a.StatusCode != 204 || a.Header.Get("X-OC-Mtime") != "accepted" {
		t.Errorf("X-OC-Mtime is %d %v", a.StatusCode, a.Header)
	}
	if e, err := s.v.Stat(t.Context(), "a"); err != nil || e.ModTime.Unix() != 981173106 {
		t.Errorf("the time is %v, %v", e.ModTime, err)
	}
	s.want(204, "PUT", "/dav/a", "a", header{"X-OC-Mtime", "99999999999999"}) // the nearest possible
}

// TestWindows does what Windows does to store a file.
func TestWindows(t *testing.T) {
	s := newServer(t, openMemory(t), "d/x")
	plain := header{"Translate", "f"}
	s.want(200, "OPTIONS", "/dav/", "", plain)
	s.want(207, "PROPFIND", "/dav/d", "", plain, header{"Depth", "0"})
	s.want(404, "PROPFIND", "/dav/d/new.docx", "", plain, header{"Depth", "0"})
	s.want(201, "PUT", "/dav/d/new.docx", "", plain)
	token := s.lock("/dav/d/new.docx", plain, header{"Timeout", "Second-3600"})
	s.want(207, "PROPPATCH", "/dav/d/new.docx", `<?xml version="1.0" encoding="utf-8" ?>`+
		`<D:propertyupdate xmlns:D="DAV:" xmlns:Z="urn:schemas-microsoft-com:"><D:set><D:prop>`+
		`<Z:Win32CreationTime>Sat, 03 Feb 2001 04:05:06 GMT</Z:Win32CreationTime>`+
		`<Z:Win32LastModifiedTime>Sat, 03 Feb 2001 04:05:06 GMT</Z:Win32LastModifiedTime>`+
		`<Z:Win32FileAttributes>00000020</Z:Win32FileAttributes>`+
		`</D:prop></D:set></D:propertyupdate>`, plain, ifHeader("(<%s>)", token))
	s.want(200, "HEAD", "/dav/d/new.docx", "", plain)
	s.want(204, "PUT", "/dav/d/new.docx", "d/new.docx", plain, ifHeader("(<%s>)", token))
	s.want(204, "UNLOCK", "/dav/d/new.docx", "", plain, header{"Lock-Token", "<" + token + ">"})
	got := s.propfind("/dav/d/", "1", "")["/dav/d/new.docx"]
	if got["urn:schemas-microsoft-com:Win32FileAttributes"] != "00000020" {
		t.Errorf("got %v", got)
	}
	s.wantKeys("d/new.docx", "d/x")
}
