package web

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/singletest"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// No test leaves a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(singletest.Both{M: m}) }

func openVault(t *testing.T) *kvault.Vault {
	t.Helper()
	v, err := singletest.Open(t.Context(), nil)
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

// newHandler returns a Handler with a section at /t/ in place of the real ones.
func newHandler(t *testing.T, v *kvault.Vault, o *Options, answer http.HandlerFunc) *Handler {
	t.Helper()
	h, err := New(v, o)
	if err != nil {
		t.Fatal(err)
	}
	h.sections = []section{{"/t/", answer}}
	return h
}

// serve starts the handler's own server on a loopback address.
func serve(t *testing.T, h *Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	s.Config = h.Server()
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func get(t *testing.T, s *httptest.Server, path string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(text)
}

// Numbers keep to the rule for options: zero is the default, and a negative one none or an error.
func TestOptions(t *testing.T) {
	v := openVault(t)
	typ := reflect.TypeFor[Options]()
	for _, o := range []*Options{nil, {}} {
		if _, err := New(v, o); err != nil {
			t.Errorf("%v: %v", o, err)
		}
	}
	for f := range typ.Fields() {
		if f.Type.Kind() != reflect.Int && f.Type.Kind() != reflect.Int64 {
			continue
		}
		var o Options
		reflect.ValueOf(&o).Elem().FieldByIndex(f.Index).SetInt(-7)
		_, err := New(v, &o)
		if slices.Contains([]string{"StallTimeout", "MaxRequests"}, f.Name) {
			if err != nil {
				t.Errorf("%s: %v", f.Name, err)
			}
		} else if !errors.Is(err, kvault.ErrInvalid) || !strings.Contains(err.Error(), f.Name+" -7") {
			t.Errorf("%s: error %v, want one that names it", f.Name, err)
		}
	}
	for want, o := range map[string]Options{
		"Tokens[1] has no secret": {Tokens: []Token{{Secret: "s"}, {Prefix: "p"}}},
		`"" is no name`:           {Hosts: []string{""}},
		`"a.example:80" is no`:    {Hosts: []string{"a.example:80"}},
		`"http://a" is no`:        {Hosts: []string{"http://a"}},
		`"a/b" is no`:             {Hosts: []string{"a/b"}},
	} {
		if _, err := New(v, &o); !errors.Is(err, kvault.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	if _, err := New(nil, nil); err == nil {
		t.Error("a nil vault")
	}
}

// Paths reach a section as the client wrote them.
func TestSections(t *testing.T) {
	h := newHandler(t, openVault(t), nil, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.URL.EscapedPath())
	})
	s := serve(t, h)
	for _, path := range []string{"/t/", "/t/a//b", "/t//", "/t/../x", "/t/./x", "/t/%2e%2e%2fx", "/t/a%2Fb", "/t", "/t/%00"} {
		if res, text := get(t, s, path); res.StatusCode != 200 || text != path {
			t.Errorf("%s: %s, %q", path, res.Status, text)
		}
	}
	for _, path := range []string{"/", "/other", "/tt", "/x/../t/", "/%74/", "//t/"} {
		if res, text := get(t, s, path); res.StatusCode != 404 || !strings.Contains(text, "nothing at this path") {
			t.Errorf("%s: %s, %q", path, res.Status, text)
		}
	}
}

// What a section may do is in the context.
func TestGrants(t *testing.T) {
	for _, tt := range []struct {
		o                 *Options
		secret            string
		read, write, rest bool
	}{
		{nil, "", true, true, true},
		{&Options{ReadOnly: true}, "", true, false, true},
		{&Options{Tokens: []Token{{Secret: "s", Prefix: "p/"}}}, "s", true, false, false},
		{&Options{Tokens: []Token{{Secret: "s", Prefix: "p/", Write: true}}}, "s", true, true, false},
		{&Options{Tokens: []Token{{Secret: "s", Write: true}}, ReadOnly: true}, "s", true, false, true},
		{&Options{Tokens: []Token{{Secret: "s"}, {Secret: "s", Prefix: "p/", Write: true}}}, "s", true, true, true},
	} {
		var g access.Grant
		h := newHandler(t, openVault(t), tt.o, func(w http.ResponseWriter, r *http.Request) { g = access.Of(r.Context()) })
		r := httptest.NewRequestWithContext(t.Context(), "GET", "http://127.0.0.1/t/", nil)
		r.Header.Set("Authorization", "Bearer "+tt.secret)
		ctx := context.WithValue(r.Context(), http.LocalAddrContextKey, serve(t, h).Listener.Addr())
		h.ServeHTTP(httptest.NewRecorder(), r.WithContext(ctx))
		if g.Read("p/k") != tt.read || g.Write("p/k") != tt.write || g.Read("q") != tt.rest {
			t.Errorf("%+v: %+v", tt.o, g)
		}
	}
}

// Shutdown lets a request under way end, and then flushes the cache.
func TestShutdown(t *testing.T) {
	v := openVault(t)
	if err := v.EnableCache(t.Context(), &kvault.CacheOptions{IdleFlush: time.Hour}); err != nil {
		t.Fatal(err)
	}
	entered, leave := make(chan bool), make(chan bool)
	h := newHandler(t, v, nil, func(w http.ResponseWriter, r *http.Request) {
		entered <- true
		<-leave
		if err := v.Put(r.Context(), "k", []byte("v")); err != nil {
			wire.Fail(w, r, err)
		}
	})
	s := serve(t, h)
	done := make(chan string)
	go func() {
		res, err := s.Client().Get(s.URL + "/t/")
		if err != nil {
			t.Error(err)
			done <- ""
			return
		}
		res.Body.Close()
		done <- res.Status
	}()
	<-entered
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := h.Shutdown(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a request under way: %v", err)
	}
	leave <- true
	if status := <-done; status != "200 OK" {
		t.Errorf("the request under way: %s", status)
	}
	if err := h.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if c := v.CacheStats(); c.Entries != 0 || c.Flushes == 0 {
		t.Errorf("not flushed: %+v", c)
	}
	if res, _ := get(t, s, "/t/"); res.StatusCode != 503 || !res.Close {
		t.Errorf("afterwards: %s", res.Status)
	}
}

// HTTP/2 passes through the same checks, and large bodies through both directions.
func TestHTTP2(t *testing.T) {
	h := newHandler(t, openVault(t), nil, func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(w, r.Body); err != nil {
			t.Error(err)
		}
	})
	s := httptest.NewUnstartedServer(nil)
	s.Config = h.Server()
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	body := strings.Repeat("x", 3<<20)
	r, err := http.NewRequestWithContext(t.Context(), "PUT", s.URL+"/t/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || string(text) != body || res.ProtoMajor != 2 {
		t.Errorf("%s, %d bytes, %v", res.Proto, len(text), err)
	}
}

// stuck is a connection whose reads wait once it was told so.
type stuck struct {
	net.Conn
	stop, closed chan struct{}
	once         sync.Once
}

func (c *stuck) Read(p []byte) (int, error) {
	select {
	case <-c.stop:
		<-c.closed
		return 0, net.ErrClosed
	default:
		return c.Conn.Read(p)
	}
}

func (c *stuck) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// A client that takes nothing from its connection any more holds no request for ever.
func TestStuckConnection(t *testing.T) {
	v := openVault(t)
	for _, version := range []int{1, 2} {
		var failed error
		var took time.Duration
		h := newHandler(t, v, nil, func(w http.ResponseWriter, r *http.Request) {
			if r.ProtoMajor != version {
				t.Errorf("HTTP/%d", r.ProtoMajor)
			}
			start := time.Now()
			for failed == nil && time.Since(start) < time.Hour {
				_, failed = w.Write(make([]byte, 1<<20))
			}
			took = time.Since(start)
		})
		synctest.Test(t, func(t *testing.T) { getStuck(t, h.Server(), version) })
		if failed == nil || took > 5*time.Minute {
			t.Errorf("HTTP/%d: after %v: %v", version, took, failed)
		}
	}
}

// getStuck sends a request to srv, and stops to read once the header has come.
func getStuck(t *testing.T, srv *http.Server, version int) {
	client, side := net.Pipe()
	c := &stuck{Conn: client, stop: make(chan struct{}), closed: make(chan struct{})}
	srv.Protocols = new(http.Protocols)
	srv.Protocols.SetHTTP1(version == 1)
	srv.Protocols.SetUnencryptedHTTP2(version == 2)
	go srv.Serve(&oneConn{conn: side, done: make(chan struct{})})
	tr := &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return c, nil },
		Protocols:   srv.Protocols,
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/t/", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := tr.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	close(c.stop)
	time.Sleep(2 * time.Hour)
	res.Body.Close()
	c.Close()
	srv.Close()
	time.Sleep(time.Hour)
}

// oneConn is a listener for one connection.
type oneConn struct {
	conn net.Conn
	done chan struct{}
	once sync.Once
}

func (l *oneConn) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return loopbackConn{c}, nil
	}
	<-l.done
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *oneConn) Addr() net.Addr { return loopbackConn{}.LocalAddr() }

// loopbackConn says that it is a TCP connection to a loopback address.
type loopbackConn struct{ net.Conn }

func (loopbackConn) LocalAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }
