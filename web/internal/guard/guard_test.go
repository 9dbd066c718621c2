package guard

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// A panic is answered 500 and logged with its stack. If something was sent the connection breaks off
// instead, so that the client does not take a part for the whole.
func TestPanic(t *testing.T) {
	g, log := newGuard(nil, Options{}, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/late":
			w.Write(make([]byte, 100_000))
		case "/abort":
			panic(http.ErrAbortHandler)
		}
		panic("the secret of the panic")
	})
	s := serve(t, g)
	res, text := do(t, s, "GET", "/early", nil)
	if res.StatusCode != 500 || text != `{"error":"the server failed; its log says why"}`+"\n" {
		t.Errorf("%s, %s", res.Status, text)
	}
	for _, path := range []string{"/late", "/abort"} {
		res, err := s.Client().Get(s.URL + path)
		if err == nil {
			_, err = io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
		if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %v", path, err)
		}
	}
	s.Close()
	panics, requests := log.records(t, "panic"), log.records(t, "request")
	if len(panics) != 2 || len(requests) != 3 {
		t.Fatalf("%d panics, %d requests:\n%s", len(panics), len(requests), log)
	}
	if stack := panics[0]["stack"].(string); !strings.Contains(stack, "TestPanic") ||
		panics[0]["panic"] != "the secret of the panic" || panics[0]["id"] != res.Header.Get("X-Request-Id") {
		t.Errorf("%v", panics[0])
	}
	if requests[0]["level"] != "ERROR" || requests[0]["cause"] != "panic: the secret of the panic" {
		t.Errorf("%v", requests[0])
	}
	if requests[1]["status"] != 200.0 || requests[1]["broken"] == nil || requests[2]["status"] != 0.0 {
		t.Errorf("%v\n%v", requests[1], requests[2])
	}
}

// The log has what a request did and why it failed, and nothing that is secret.
func TestLog(t *testing.T) {
	g, log := newGuard(nil, Options{}, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		switch r.URL.Path {
		case "/fail":
			wire.Fail(w, r, errors.New("open /var/lib/vault: no such file"))
		case "/busy":
			wire.Fail(w, r, kvault.ErrBusy)
		case "/told":
			wire.Fail(w, r, &wire.Error{Status: 507, Text: "full", Cause: errors.New("disk /dev/sda is full")})
		default:
			w.WriteHeader(http.StatusCreated)
			io.WriteString(w, "12345")
		}
	})
	s := serve(t, g)
	long := "/" + strings.Repeat("x", 1000)
	for _, path := range []string{"/a%2Fb%0A?token=s3cret", "/fail", "/busy", "/told", long} {
		res, text := do(t, s, "PUT", path, strings.NewReader("123"), "Authorization", "Bearer s3cret")
		if res.Header.Get("X-Request-Id") == "" || strings.Contains(text, "/var") || strings.Contains(text, "/dev") {
			t.Errorf("%v, %s", res.Header, text)
		}
	}
	s.Close()
	records := log.records(t, "request")
	if len(records) != 5 || strings.Contains(log.String(), "s3cret") {
		t.Fatal(log)
	}
	for i, want := range []map[string]any{
		{"level": "INFO", "method": "PUT", "path": "/a%2Fb%0A", "status": 201.0, "sent": 5.0, "received": 3.0, "cause": nil},
		{"level": "ERROR", "path": "/fail", "status": 500.0, "cause": "open /var/lib/vault: no such file"},
		{"level": "WARN", "path": "/busy", "status": 503.0},
		{"level": "ERROR", "path": "/told", "status": 507.0, "cause": "disk /dev/sda is full"},
		{"level": "INFO", "path": long[:500] + "..."},
	} {
		for name, value := range want {
			if records[i][name] != value {
				t.Errorf("%s: %v, want %v", name, records[i][name], value)
			}
		}
		if id, _ := records[i]["id"].(string); id == "" || records[i]["took"] == nil || records[i]["remote"] == "" {
			t.Errorf("%v", records[i])
		}
	}
}

// Requests above the limit are refused at once, and none is let in once the guard is shut.
func TestGate(t *testing.T) {
	entered, leave := make(chan bool), make(chan bool)
	g, _ := newGuard(nil, Options{MaxRequests: 1}, func(w http.ResponseWriter, r *http.Request) {
		entered <- true
		<-leave
	})
	s := serve(t, g)
	first := make(chan int)
	go func() {
		res, err := s.Client().Get(s.URL)
		if err != nil {
			t.Error(err)
			first <- 0
			return
		}
		res.Body.Close()
		first <- res.StatusCode
	}()
	<-entered
	res, text := do(t, s, "GET", "/", nil)
	if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || res.Close || !strings.Contains(text, "full") {
		t.Errorf("%s, %s", res.Status, text)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("no more time"))
	if err := g.Shutdown(ctx); err == nil || err.Error() != "no more time" {
		t.Errorf("shut down with a request under way: %v", err)
	}
	res, text = do(t, s, "GET", "/", nil)
	if res.StatusCode != 503 || !res.Close || !strings.Contains(text, "about to stop") {
		t.Errorf("%s, %s", res.Status, text)
	}
	if res, _ := do(t, s, "GET", "/healthz", nil); res.StatusCode != 503 {
		t.Errorf("health: %s", res.Status)
	}
	shut := make(chan error)
	go func() { shut <- g.Shutdown(t.Context()) }()
	leave <- true
	if status := <-first; status != 200 {
		t.Errorf("the request under way: %d", status)
	}
	if err := <-shut; err != nil {
		t.Error(err)
	}
	if err := g.Shutdown(t.Context()); err != nil {
		t.Errorf("once more: %v", err)
	}
	if res, text := do(t, s, "GET", "/", nil); res.StatusCode != 503 {
		t.Errorf("with no request under way: %s, %s", res.Status, text)
	}
}

func TestHealth(t *testing.T) {
	v := openVault(t)
	tokens := access.NewTokens([]access.Token{{Secret: "secret"}}, false)
	g, log := newGuard(v, Options{Tokens: &tokens}, ok)
	s := serve(t, g)
	// Without a token and under any name: a monitor has neither.
	if res, text := do(t, s, "GET", "/healthz", nil, "Host", "monitor.example"); res.StatusCode != 200 || text != "ok\n" {
		t.Errorf("%s, %s", res.Status, text)
	}
	if res, text := do(t, s, "HEAD", "/healthz", nil); res.StatusCode != 200 || text != "" {
		t.Errorf("%s, %s", res.Status, text)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if res, text := do(t, s, "GET", "/healthz", nil); res.StatusCode != 503 || text != "unavailable\n" {
		t.Errorf("a closed vault: %s, %s", res.Status, text)
	}
	s.Close()
	if r := log.records(t, "request"); len(r) != 3 || r[0]["level"] != "DEBUG" || r[2]["level"] != "WARN" || r[2]["cause"] == nil {
		t.Error(log)
	}
}

func TestMetrics(t *testing.T) {
	v := openVault(t)
	if err := v.Put(t.Context(), "k", []byte("value")); err != nil {
		t.Fatal(err)
	}
	g, _ := newGuard(v, Options{}, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "12345")
	})
	s := serve(t, g)
	do(t, s, "PUT", "/x", strings.NewReader("123"))
	do(t, s, "PUT", "/x", strings.NewReader("123"))
	do(t, s, "INVENTED", "/x", nil)
	do(t, s, "GET", "/x", nil, "Host", "evil.example")
	res, text := do(t, s, "GET", "/metrics", nil)
	if res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Errorf("%s, %v", res.Status, res.Header)
	}
	for _, line := range []string{
		`kvault_http_requests_total{section="/test/",method="PUT",status="2xx"} 2`,
		`kvault_http_requests_total{section="/test/",method="other",status="2xx"} 1`,
		`kvault_http_requests_total{section="/test/",method="GET",status="4xx"} 1`,
		`kvault_http_request_duration_seconds_count{section="/test/"} 4`,
		`kvault_http_received_bytes_total 6`,
		`kvault_http_requests_in_flight 1`,
		`kvault_keys 1`,
		`kvault_cache_bytes 0`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no %q in:\n%s", line, text)
		}
	}
	if res, text := do(t, s, "POST", "/metrics", nil); res.StatusCode != 405 {
		t.Errorf("POST: %s, %s", res.Status, text)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if res, text := do(t, s, "GET", "/metrics", nil); res.StatusCode != 503 {
		t.Errorf("a closed vault: %s, %s", res.Status, text)
	}
}

// The metrics tell of the whole vault, and are for those who may read it.
func TestWhoSeesMetrics(t *testing.T) {
	v := openVault(t)
	tokens := access.NewTokens([]access.Token{{Secret: "all"}, {Secret: "some", Prefix: "photos/"}}, false)
	g, _ := newGuard(v, Options{Tokens: &tokens}, ok)
	s := serve(t, g)
	for secret, want := range map[string]int{"all": 200, "some": 403, "none": 401} {
		if res, text := do(t, s, "GET", "/metrics", nil, "Authorization", "Bearer "+secret); res.StatusCode != want {
			t.Errorf("%s: %s, %s", secret, res.Status, text)
		}
	}
	open, _ := newGuard(v, Options{}, ok)
	for remote, allowed := range map[string]bool{
		"127.0.0.1:5": true, "[::1]:5": true, "[::ffff:127.0.0.1]:5": true, "192.0.2.1:5": false, "": false, "@": false,
	} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.RemoteAddr = remote
		if err := open.mayMeter(r); (err == nil) != allowed {
			t.Errorf("%q: %v", remote, err)
		}
	}
}

// An answer that net/http lets have no body is not taken for a broken one.
func TestHead(t *testing.T) {
	g, log := newGuard(nil, Options{}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/304" {
			w.WriteHeader(http.StatusNotModified)
		}
		w.Write(make([]byte, 100_000))
	})
	s := serve(t, g)
	do(t, s, "HEAD", "/", nil)
	do(t, s, "GET", "/304", nil)
	s.Close()
	for _, r := range log.records(t, "request") {
		if r["broken"] != nil {
			t.Errorf("%v", r)
		}
	}
}
