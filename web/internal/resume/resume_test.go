package resume

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// server is a server of uploads into a vault.
type server struct {
	*httptest.Server // nil if it runs in another process
	url              string
	client           *http.Client
	v                *kvault.Vault
	h                *Handler
	pace             time.Duration
}

// paced is a body with a deadline for each Read, as the server has for all requests.
type paced struct {
	io.ReadCloser
	conn *http.ResponseController
	pace time.Duration
}

func (p paced) Read(b []byte) (int, error) {
	p.conn.SetReadDeadline(time.Now().Add(p.pace))
	defer p.conn.SetReadDeadline(time.Time{})
	n, err := p.ReadCloser.Read(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("slow: %w", err)
	}
	return n, err
}

// serve serves a new vault until the test ends.
func serve(t testing.TB, o Options, grant access.Grant) *server {
	t.Helper()
	return serveVault(t, openVault(t, ":memory:"), o, grant)
}

func openVault(t testing.TB, path string) *kvault.Vault {
	t.Helper()
	v, err := kvault.Open(context.Background(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	return v
}

func serveVault(t testing.TB, v *kvault.Vault, o Options, grant access.Grant) *server {
	t.Helper()
	h, err := New(v, o)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{v: v, h: h, pace: time.Minute}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = paced{r.Body, http.NewResponseController(w), s.pace}
		h.ServeHTTP(w, r.WithContext(access.With(r.Context(), grant)))
		// As package guard does: net/http waits for the rest of a short body before it answers.
		http.NewResponseController(w).SetReadDeadline(time.Now().Add(5 * time.Second))
	}))
	s.url, s.client = s.URL, s.Client()
	t.Cleanup(func() {
		h.Stop()
		s.Close()
		s.client.CloseIdleConnections()
	})
	return s
}

var everything = access.Everything(true)

// headers are those of a request or an answer.
type headers map[string]string

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request. A body that is an io.Reader of unknown length is sent in chunks.
func (s *server) do(t testing.TB, method, path string, h headers, body io.Reader) answer {
	t.Helper()
	r, err := http.NewRequest(method, s.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range h {
		r.Header.Set(name, value)
	}
	res, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(b)}
}

// want fails the test unless the answer has the status, and each header has the value. "*" is any
// value but none.
func (a answer) want(t testing.TB, status int, h headers) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d; %v %s", a.status, status, a.header, a.body)
	}
	for name, value := range h {
		if got := a.header.Get(name); got != value && (value != "*" || got == "") {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
	return a
}

// tus are the headers of every request of tus 1.0.0, and others.
func tus(h headers) headers {
	all := headers{"Tus-Resumable": "1.0.0"}
	maps.Copy(all, h)
	return all
}

// patch are the headers of a PATCH of tus 1.0.0 at an offset.
func patch(off int) headers {
	return tus(headers{"Content-Type": "application/offset+octet-stream", "Upload-Offset": strconv.Itoa(off)})
}

// meta is an Upload-Metadata header of names and values.
func meta(pairs ...string) string {
	var parts []string
	for i := 0; i < len(pairs); i += 2 {
		parts = append(parts, pairs[i]+" "+base64.StdEncoding.EncodeToString([]byte(pairs[i+1])))
	}
	return strings.Join(parts, ",")
}

// create starts an upload and returns its path.
func (s *server) create(t testing.TB, key string, size int, h headers) string {
	t.Helper()
	all := tus(headers{"Upload-Length": strconv.Itoa(size), "Upload-Metadata": meta("key", key)})
	maps.Copy(all, h)
	path := s.do(t, "POST", Mount, all, nil).want(t, 201, headers{"Location": "*", "Upload-Expires": "*"}).header.Get("Location")
	if !strings.HasPrefix(path, Mount) || path == Mount {
		t.Fatalf("Location is %q, want a path below %s", path, Mount)
	}
	return path
}

// holds fails the test unless key has the value.
func (s *server) holds(t testing.TB, key string, value []byte) kvault.Entry {
	t.Helper()
	item, err := s.v.GetItem(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(item.Value, value) {
		t.Fatalf("%q has %d bytes that are not the %d sent", key, len(item.Value), len(value))
	}
	return item.Entry
}

// noise returns bytes that are the same in each run.
func noise(n int) []byte {
	p := make([]byte, n)
	rand.NewChaCha8([32]byte{7}).Read(p)
	return p
}

func TestMain(m *testing.M) {
	if file := os.Getenv(serverFile); file != "" {
		runServer(file)
		return
	}
	goleak.VerifyTestMain(m)
}

// An upload in three parts, asked for in between, becomes the value with the last byte and no
// earlier.
func TestParts(t *testing.T) {
	s := serve(t, Options{}, everything)
	value, key := noise(2_500_000), "a/b \xff"
	path := s.create(t, key, len(value), headers{
		"Upload-Metadata":          meta("key", key, "filetype", "text/plain", "filename", "x"),
		wire.TimeHeader:            "2020-01-02T03:04:05.000000006Z",
		wire.UserPrefix + "Camera": "%C3%A4",
	})
	for _, part := range [][2]int{{0, 1_048_576}, {1_048_576, 2_000_000}} {
		s.do(t, "PATCH", path, patch(part[0]), bytes.NewReader(value[part[0]:part[1]])).
			want(t, 204, headers{"Upload-Offset": strconv.Itoa(part[1]), "Upload-Expires": "*", "Tus-Resumable": "1.0.0", "ETag": ""})
	}
	head := s.do(t, "HEAD", path, tus(nil), nil).want(t, 200, headers{
		"Upload-Offset": "2000000", "Upload-Length": "2500000", "Cache-Control": "no-store", "Upload-Metadata": "*", "Upload-Expires": "*",
	})
	if got := head.header.Get("Upload-Metadata"); !strings.Contains(got, meta("key", key)) {
		t.Errorf("the metadata is %q", got)
	}
	if ok, err := s.v.Exists(t.Context(), key); ok || err != nil {
		t.Errorf("the key exists before the upload is complete: %v, %v", ok, err)
	}
	done := s.do(t, "PATCH", path, patch(2_000_000), bytes.NewReader(value[2_000_000:])).
		want(t, 204, headers{"Upload-Offset": "2500000", "Upload-Expires": ""})
	e := s.holds(t, key, value)
	if e.ContentType != "text/plain" || len(e.User) != 1 || e.User["camera"] != "ä" || !e.ModTime.Equal(time.Date(2020, 1, 2, 3, 4, 5, 6, time.UTC)) {
		t.Errorf("the value has %+v", e)
	}
	if got := done.header.Get("ETag"); got != `"`+e.Tag+`"` {
		t.Errorf("ETag %s, want %q", got, e.Tag)
	}
}
