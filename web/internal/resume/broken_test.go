package resume

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// begin sends the header of a PATCH of length bytes and the first ones, and leaves the connection
// open.
func begin(t *testing.T, address, path string, h headers, length int, first []byte) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	var b bytes.Buffer
	fmt.Fprintf(&b, "PATCH %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n", path, length)
	for name, value := range h {
		fmt.Fprintf(&b, "%s: %s\r\n", name, value)
	}
	b.WriteString("\r\n")
	b.Write(first)
	if _, err := conn.Write(b.Bytes()); err != nil {
		t.Fatal(err)
	}
	return conn
}

// rest is the answer on a connection.
func rest(t *testing.T, conn net.Conn) answer {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
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

func (s *server) address() string { return s.Listener.Addr().String() }

// offset is the offset that HEAD tells.
func (s *server) offset(t *testing.T, path string) int {
	t.Helper()
	n, err := strconv.Atoi(s.do(t, "HEAD", path, tus(nil), nil).want(t, 200, nil).header.Get("Upload-Offset"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// stored waits until the vault has at least n bytes of an upload.
func (s *server) stored(t *testing.T, path string, n int64) {
	t.Helper()
	u, err := s.v.OpenUpload(t.Context(), strings.TrimPrefix(path, Mount))
	if err != nil {
		t.Fatal(err)
	}
	for {
		i, err := u.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(i.Written) > 0 && i.Written[0].End >= n {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// Connections that break off anywhere, parts of any length and a stop of the server now and then
// lose nothing that was acknowledged, and the value is what was sent.
func TestRandomCuts(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 21))
			file := filepath.Join(t.TempDir(), "v.kv")
			s := serveVault(t, openVault(t, file), Options{}, everything)
			value := noise(1 + random.IntN(3<<20))
			path, acknowledged := s.create(t, "k", len(value), nil), 0
			for {
				at := s.offset(t, path)
				if at < acknowledged || at > len(value) {
					t.Fatalf("the offset is %d after %d were acknowledged", at, acknowledged)
				}
				n := min(1+random.IntN(2<<20), len(value)-at)
				if random.IntN(2) == 0 {
					a := s.do(t, "PATCH", path, patch(at), bytes.NewReader(value[at:at+n]))
					if a.status == 409 {
						continue // the server has only now seen a connection that broke off
					}
					a.want(t, 204, headers{"Upload-Offset": strconv.Itoa(at + n)})
					if acknowledged = at + n; acknowledged == len(value) {
						a.want(t, 204, headers{"ETag": "*"})
						break
					}
					continue
				}
				cut := random.IntN(n)
				conn := begin(t, s.address(), path, patch(at), n, value[at:at+cut])
				if random.IntN(2) == 0 { // else the client has gone without a word
					conn.Close()
				}
				if got := s.offset(t, path); got < at || got > at+cut {
					t.Fatalf("the offset is %d after %d and at most %d more", got, at, cut)
				}
				if random.IntN(4) == 0 {
					s.h.Stop()
					s.Close()
					if err := s.v.Close(); err != nil {
						t.Fatal(err)
					}
					s = serveVault(t, openVault(t, file), Options{}, everything)
				}
			}
			s.holds(t, "k", value)
		})
	}
}

// The bytes before a connection breaks off are stored.
func TestTail(t *testing.T) {
	s := serve(t, Options{}, everything)
	path := s.create(t, "k", 5000, nil)
	conn := begin(t, s.address(), path, patch(0), 5000, noise(1234))
	conn.Close()
	s.stored(t, path, 1234)
	if at := s.offset(t, path); at != 1234 {
		t.Errorf("the offset is %d", at)
	}
}

// leaving is a body with whose end the context of its request ends, as when a client has gone.
type leaving struct {
	io.Reader
	leave func()
}

func (l leaving) Read(p []byte) (int, error) {
	n, err := l.Reader.Read(p)
	if err == io.EOF {
		l.leave()
		time.Sleep(10 * time.Millisecond) // tusd passes it on a little later
	}
	return n, err
}

// A client that goes after its last byte has its value stored.
func TestGone(t *testing.T) {
	s := serve(t, Options{}, everything)
	path := s.create(t, "k", 3, nil)
	ctx, leave := context.WithCancel(access.With(t.Context(), everything))
	r := httptest.NewRequest("PATCH", path, leaving{strings.NewReader("abc"), leave})
	for name, value := range patch(0) {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r.WithContext(ctx))
	if w.Code != http.StatusNoContent {
		t.Errorf("status %d, %s", w.Code, w.Body)
	}
	s.holds(t, "k", []byte("abc"))
}

// A request for an upload interrupts the one before, whose client sends nothing any more. What that
// has sent stays.
func TestInterrupted(t *testing.T) {
	s := serve(t, Options{}, everything)
	value := noise(300_000)
	path := s.create(t, "k", len(value), nil)
	first := begin(t, s.address(), path, patch(0), len(value), value[:100_000])
	s.stored(t, path, smallPiece)
	at := s.offset(t, path)
	if at < smallPiece || at > 100_000 {
		t.Fatalf("the offset is %d", at)
	}
	if a := rest(t, first).want(t, 409, nil); !strings.Contains(a.body, "interrupted") {
		t.Errorf("the answer is %s", a.body)
	}
	second := begin(t, s.address(), path, patch(at), len(value)-at, value[at:at+70_000])
	s.stored(t, path, int64(at)+1)
	s.do(t, "PATCH", path, patch(0), bytes.NewReader(value)).want(t, 409, nil)
	rest(t, second).want(t, 409, nil)
	at = s.offset(t, path)
	s.do(t, "PATCH", path, patch(at), bytes.NewReader(value[at:])).want(t, 204, headers{"ETag": "*"})
	s.holds(t, "k", value)
}

// A client that is too slow for the server is told to go on later. What it has sent stays.
func TestSlow(t *testing.T) {
	s := serve(t, Options{}, everything)
	s.pace = time.Millisecond
	path := s.create(t, "k", 5000, nil)
	conn := begin(t, s.address(), path, patch(0), 5000, noise(1234))
	rest(t, conn).want(t, 503, headers{"Retry-After": "*"})
	s.stored(t, path, 1)
}

// A request whose predecessor does not give the upload up in time is told to come back.
func TestLocked(t *testing.T) {
	s := serve(t, Options{}, everything)
	path := s.create(t, "k", 5, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l, err := newLocker().NewLock("id")
	if err != nil {
		t.Fatal(err)
	}
	lock := func(ctx context.Context) *call {
		c := newCall(httptest.NewRecorder(), httptest.NewRequest("HEAD", path, nil))
		l.Lock(context.WithValue(ctx, callKey{}, c), nil)
		return c
	}
	if c := lock(ctx); c.failed != nil {
		t.Fatal(c.failed)
	}
	var e *wire.Error
	if c := lock(ctx); !errors.As(c.failed, &e) || e.Status != http.StatusLocked {
		t.Errorf("the answer is %v", c.failed)
	}
	if err := l.Unlock(); err != nil {
		t.Error(err)
	}
}

// The same in HTTP/2, where the requests share a connection.
func TestInterruptedHTTP2(t *testing.T) {
	s := serve(t, Options{}, everything)
	two := httptest.NewUnstartedServer(s.Config.Handler)
	two.EnableHTTP2 = true
	two.StartTLS()
	defer two.Close()
	s.url, s.client = two.URL, two.Client()
	value := noise(100_000)
	path := s.create(t, "k", len(value), nil)
	in, out := io.Pipe()
	first := make(chan answer)
	go func() { first <- s.do(t, "PATCH", path, patch(0), in) }()
	if _, err := out.Write(value[:50_000]); err != nil {
		t.Fatal(err)
	}
	s.stored(t, path, 1)
	at := s.offset(t, path)
	(<-first).want(t, 409, nil)
	out.Close()
	s.do(t, "PATCH", path, patch(at), bytes.NewReader(value[at:])).want(t, 204, headers{"ETag": "*"})
	s.holds(t, "k", value)
}

// Of many requests for one upload at once at most one stores its bytes.
func TestAtOnce(t *testing.T) {
	s := serve(t, Options{}, everything)
	path := s.create(t, "k", 10, nil)
	var all sync.WaitGroup
	statuses := make(chan int, 16)
	for range cap(statuses) {
		all.Go(func() {
			statuses <- s.do(t, "PATCH", path, patch(0), strings.NewReader("abcde")).status
		})
	}
	all.Wait()
	close(statuses)
	stored := 0
	for status := range statuses {
		switch status {
		case 204:
			stored++
		case 409:
		default:
			t.Errorf("status %d", status)
		}
	}
	if at := s.offset(t, path); at != 5*stored || stored > 1 {
		t.Errorf("%d requests stored their bytes, and the offset is %d", stored, at)
	}
}

// Stop interrupts requests that receive bytes, at once and whatever their clients do, so that a
// server can shut down.
func TestStop(t *testing.T) {
	s := serve(t, Options{}, everything)
	value := noise(300_000)
	path := s.create(t, "k", len(value), nil)
	conn := begin(t, s.address(), path, patch(0), len(value), value[:100_000])
	s.stored(t, path, smallPiece)
	s.h.Stop()
	rest(t, conn).want(t, 503, headers{"Retry-After": "*"})
	if err := s.Config.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	again := serveVault(t, s.v, Options{}, everything)
	at := again.offset(t, path)
	if at < smallPiece {
		t.Errorf("the offset is %d", at)
	}
	again.do(t, "PATCH", path, patch(at), bytes.NewReader(value[at:])).want(t, 204, headers{"ETag": "*"})
	again.holds(t, "k", value)
}

// deadlines counts the deadlines that are set.
type deadlines struct {
	*httptest.ResponseRecorder
	set int
}

func (d *deadlines) SetReadDeadline(time.Time) error { d.set++; return nil }

// An interruption leaves the connection alone once no Read runs, as it may serve another request.
func TestInterruptLate(t *testing.T) {
	w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	b := newCall(w, httptest.NewRequest("PATCH", Mount+"id", strings.NewReader("abc"))).body
	b.interrupt(handler.ErrServerShutdown)
	if _, err := b.Read(make([]byte, 3)); !errors.Is(err, handler.ErrServerShutdown) {
		t.Errorf("Read: %v", err)
	}
	before := w.set
	b.interrupt(handler.ErrUploadInterrupted)
	if w.set != before {
		t.Error("an interruption after the last Read sets a deadline")
	}
}
