package web

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/guard"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

const smuggled = "GET /t/smuggled HTTP/1.1\nHost: localhost\n\n"

// hostile are requests as an attacker writes them, and the status lines that may come back. A line
// ends in "\n" here. Without a status the connection may also close without an answer.
var hostile = []struct{ name, request, status string }{
	// Where one request ends and the next begins, two servers in a row must not see in two ways.
	// net/http goes by the chunks where there is a length too, as RFC 9112 lets it.
	{"length and chunks", "POST /t/a HTTP/1.1\nHost: localhost\nContent-Length: 4\nTransfer-Encoding: chunked\n\n0\n\n", "200"},
	{"two lengths", "PUT /t/a HTTP/1.1\nHost: localhost\nContent-Length: 1\nContent-Length: 2\n\nxx" + smuggled, "400"},
	{"two equal lengths", "PUT /t/a HTTP/1.1\nHost: localhost\nContent-Length: 1\nContent-Length: 1\n\nx", "200 400"},
	{"a list of lengths", "PUT /t/a HTTP/1.1\nHost: localhost\nContent-Length: 1, 1\n\nx" + smuggled, "400"},
	{"a negative length", "PUT /t/a HTTP/1.1\nHost: localhost\nContent-Length: -1\n\nx" + smuggled, "400"},
	{"a signed length", "PUT /t/a HTTP/1.1\nHost: localhost\nContent-Length: +1\n\nx" + smuggled, "400"},
	{"a hexadecimal length", "PUT /t/a HTTP/1.1\nHost: localhost\nContent-Length: 0x1\n\nx" + smuggled, "400"},
	{"too large a length", "PUT /t/a HTTP/1.1\nHost: localhost\nContent-Length: 99999999999999999999\n\nx" + smuggled, "400"},
	{"an unknown coding", "PUT /t/a HTTP/1.1\nHost: localhost\nTransfer-Encoding: xchunked\n\n0\n\n" + smuggled, "400 501"},
	{"two codings", "PUT /t/a HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\nTransfer-Encoding: identity\n\n0\n\n" + smuggled, "400 501"},
	{"a folded coding", "PUT /t/a HTTP/1.1\nHost: localhost\nTransfer-Encoding:\n chunked\n\n0\n\n", ""},
	{"a blank before the colon", "PUT /t/a HTTP/1.1\nHost: localhost\nTransfer-Encoding : chunked\n\n0\n\n" + smuggled, "400"},
	{"chunks in HTTP/1.0", "PUT /t/a HTTP/1.0\nHost: localhost\nTransfer-Encoding: chunked\n\n0\n\n" + smuggled, ""},
	{"a chunk that is no number", "PUT /t/a HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\n\nzz\nxx\n0\n\n" + smuggled, "400"},
	{"a chunk that is too large", "PUT /t/a HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\n\nfffffffffffffffff\nx", "400"},
	{"a chunk that is longer than it says", "PUT /t/a HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\n\n1\nxxxx\n0\n\n" + smuggled, "400"},
	{"a negative chunk", "PUT /t/a HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\n\n-1\nx\n0\n\n" + smuggled, "400"},
	{"a body that breaks off", "PUT /t/a HTTP/1.1\nHost: localhost\nContent-Length: 100\n\nabc", "400"},
	{"chunks that break off", "PUT /t/a HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\n\n64\nabc", "400"},
	{"many chunk extensions", "PUT /t/a HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\n\n" + strings.Repeat("1;"+strings.Repeat("a", 1000)+"\nx\n", 100) + "0\n\n", "200 400"},

	// Which server is meant.
	{"no Host", "GET /t/a HTTP/1.1\n\n", "400"},
	{"no Host in HTTP/1.0", "GET /t/a HTTP/1.0\n\n", "421"},
	{"an empty Host", "GET /t/a HTTP/1.1\nHost:\n\n", "421"},
	{"two Hosts", "GET /t/a HTTP/1.1\nHost: localhost\nHost: evil.example\n\n", "400"},
	{"a Host of another", "GET /t/a HTTP/1.1\nHost: evil.example\n\n", "421"},
	{"a Host with a user", "GET /t/a HTTP/1.1\nHost: localhost@evil.example\n\n", "400 421"},
	{"a Host with a path", "GET /t/a HTTP/1.1\nHost: localhost/evil\n\n", "400 421"},
	{"a Host with a blank", "GET /t/a HTTP/1.1\nHost: localhost evil\n\n", "400"},
	{"a Host with NUL", "GET /t/a HTTP/1.1\nHost: localhost\x00\n\n", "400"},
	{"a Host in brackets", "GET /t/a HTTP/1.1\nHost: [::1\n\n", "400 421"},
	{"a long Host", "GET /t/a HTTP/1.1\nHost: " + strings.Repeat("a", 10_000) + "\n\n", "421"},
	{"a whole URL", "GET http://localhost/t/a HTTP/1.1\nHost: evil.example\n\n", "200"},
	{"a whole URL of another", "GET http://evil.example/t/a HTTP/1.1\nHost: localhost\n\n", "421"},
	{"a whole URL with a user", "GET http://localhost@evil.example/t/a HTTP/1.1\nHost: localhost\n\n", "421"},
	{"a URL of a file", "GET file:///etc/passwd HTTP/1.1\nHost: localhost\n\n", "404 421"},
	{"a forwarded host", "GET /t/a HTTP/1.1\nHost: evil.example\nX-Forwarded-Host: localhost\nForwarded: host=localhost\n\n", "421"},
	{"a name of another over Origin", "PUT /t/a HTTP/1.1\nHost: evil.example\nOrigin: http://evil.example\nContent-Length: 0\n\n", "421"},

	// The path.
	{"empty segments", "GET //t//a HTTP/1.1\nHost: localhost\n\n", "404"},
	{"up and out", "GET /../../etc/passwd HTTP/1.1\nHost: localhost\n\n", "404"},
	{"up and out, escaped", "GET /..%2f..%2fetc/passwd HTTP/1.1\nHost: localhost\n\n", "404"},
	{"up, in a section", "GET /t/../../etc/passwd HTTP/1.1\nHost: localhost\n\n", "404"},
	{"up, in a section, escaped", "GET /t/..%2f..%2fetc%2fpasswd HTTP/1.1\nHost: localhost\n\n", "404"},
	{"backslashes", "GET /t/..\\..\\windows HTTP/1.1\nHost: localhost\n\n", "404"},
	{"an escape that is none", "GET /t/%zz HTTP/1.1\nHost: localhost\n\n", "400"},
	{"half an escape", "GET /t/% HTTP/1.1\nHost: localhost\n\n", "400"},
	{"an escaped NUL", "GET /t/%00 HTTP/1.1\nHost: localhost\n\n", "404"},
	{"escaped line ends", "GET /t/%0d%0aSet-Cookie:%20a=b HTTP/1.1\nHost: localhost\n\n", "404"},
	{"bytes that are no text", "GET /t/\xff\xfe HTTP/1.1\nHost: localhost\n\n", "404"},
	{"a query that is none", "GET /t/?key=%zz HTTP/1.1\nHost: localhost\n\n", "400"},
	{"a query with semicolons", "GET /t/?key=a;b=c HTTP/1.1\nHost: localhost\n\n", "400 404"},
	{"too long a key", "GET /t/" + strings.Repeat("a", kvault.MaxKey+1) + " HTTP/1.1\nHost: localhost\n\n", "414"},
	{"too long a path", "GET /t/" + strings.Repeat("a", guard.MaxURL) + " HTTP/1.1\nHost: localhost\n\n", "414"},
	{"far too long a path", "GET /t/" + strings.Repeat("a", 1<<20) + " HTTP/1.1\nHost: localhost\n\n", "431"},
	{"no slash", "GET t/a HTTP/1.1\nHost: localhost\n\n", "400"},
	{"no path", "GET  HTTP/1.1\nHost: localhost\n\n", "400"},
	{"an asterisk", "GET * HTTP/1.1\nHost: localhost\n\n", "404"},
	{"OPTIONS of an asterisk", "OPTIONS * HTTP/1.1\nHost: localhost\n\n", "200"},
	{"a fragment", "GET /t/a#b HTTP/1.1\nHost: localhost\n\n", "200 404"},

	// Methods and headers.
	{"TRACE", "TRACE /t/a HTTP/1.1\nHost: localhost\nAuthorization: Bearer secret\n\n", "405"},
	{"CONNECT", "CONNECT evil.example:443 HTTP/1.1\nHost: evil.example:443\n\n", "421"},
	{"CONNECT to itself", "CONNECT localhost:443 HTTP/1.1\nHost: localhost:443\n\n", "404"},
	{"a method in lower case", "get /t/a HTTP/1.1\nHost: localhost\n\n", "405"},
	{"a method that is none", "G@T /t/a HTTP/1.1\nHost: localhost\n\n", "400"},
	{"a long method", strings.Repeat("A", 10_000) + " /t/a HTTP/1.1\nHost: localhost\n\n", "405"},
	{"HTTP/2 in the clear", "PRI * HTTP/2.0\n\nSM\n\n", ""},
	{"an upgrade", "GET /t/a HTTP/1.1\nHost: localhost\nConnection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: AAMAAABkAAQAAP__\n\n", "200"},
	{"no version", "GET /t/a\n\n", "400"},
	{"an unknown version", "GET /t/a HTTP/9.9\nHost: localhost\n\n", "505"},
	{"many headers", "GET /t/a HTTP/1.1\nHost: localhost\n" + strings.Repeat("X-A: b\n", 100_000) + "\n", "431"},
	{"a long header", "GET /t/a HTTP/1.1\nHost: localhost\nX-A: " + strings.Repeat("a", 1<<20) + "\n\n", "431"},
	{"a header without a name", "GET /t/a HTTP/1.1\nHost: localhost\n: a\n\n", "400"},
	{"a header without a colon", "GET /t/a HTTP/1.1\nHost: localhost\nnonsense\n\n", "400"},
	{"NUL in a header", "GET /t/a HTTP/1.1\nHost: localhost\nX-A: \x00\n\n", "400"},
	{"many ranges", "GET /t/a HTTP/1.1\nHost: localhost\nRange: bytes=" + strings.Repeat("0-0,", 10_000) + "1-1\n\n", "200"},
	{"an override of the method", "POST /t/a HTTP/1.1\nHost: localhost\nX-HTTP-Method-Override: DELETE\nContent-Length: 0\nOrigin: http://evil.example\n\n", "403"},
	{"no HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", ""},
	{"nothing", "", ""},
}

var statusLine = regexp.MustCompile(`^HTTP/1\.[01] (\d\d\d) `)

// tells are what no answer may show of the server.
var tells = regexp.MustCompile(`(?i)/etc|/home|/root|/tmp|/usr|\.go:|goroutine|runtime|sqlite|:memory:|no such file`)

// Hostile requests do no harm: each gets a status that fits, none makes the handler panic or fail,
// and the server answers the next request as ever.
func TestHostileRequests(t *testing.T) {
	var mu sync.Mutex
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(lockedWriter{&mu, &log}, nil))
	v := openVault(t)
	h := newHandler(t, v, &Options{Logger: logger}, func(w http.ResponseWriter, r *http.Request) {
		key, err := wire.KeyOf(r.URL, "/t/")
		if err == nil {
			_, err = io.Copy(io.Discard, r.Body)
		}
		switch {
		case err != nil:
		case key == "smuggled":
			t.Error("a request inside another one reached the handler")
		case r.Method != "GET" && r.Method != "PUT" && r.Method != "POST":
			err = &wire.Error{Status: http.StatusMethodNotAllowed, Text: "this method does nothing"}
		case key != "a":
			// For net/http a client that has closed its side, as exchange does, is gone.
			_, err = v.Stat(context.WithoutCancel(r.Context()), key)
		}
		if err != nil {
			wire.Fail(w, r, err)
			return
		}
		io.WriteString(w, "ok")
	})
	s := serve(t, h)
	for _, tt := range hostile {
		t.Run(tt.name, func(t *testing.T) {
			answer := exchange(t, s.Listener.Addr(), tt.request)
			if tells.MatchString(answer) {
				t.Errorf("it tells of the server: %s", answer)
			}
			var status string
			if m := statusLine.FindStringSubmatch(answer); m != nil {
				status = m[1]
			}
			switch {
			case tt.status != "" && !strings.Contains(" "+tt.status+" ", " "+status+" "):
				t.Errorf("want %s, got %.300q", tt.status, answer)
			case status >= "500" && status != "501" && status != "505":
				t.Errorf("the server failed: %.300q", answer)
			}
			if again := exchange(t, s.Listener.Addr(), "GET /t/a HTTP/1.1\nHost: localhost\nConnection: close\n\n"); !strings.HasPrefix(again, "HTTP/1.1 200 ") {
				t.Errorf("the next request: %.300q", again)
			}
		})
	}
	s.Close()
	mu.Lock()
	defer mu.Unlock()
	if text := log.String(); strings.Contains(text, "level=ERROR") || strings.Contains(text, "panic") {
		t.Errorf("the log:\n%.10000s", text)
	}
}

// exchange sends a request, closes its side, and returns all that comes back until the server closes
// the other.
func exchange(t *testing.T, addr net.Addr, request string) string {
	t.Helper()
	c, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var sent sync.WaitGroup
	sent.Go(func() {
		// The server may have seen enough before the end, so that an error is no fault.
		_, _ = io.WriteString(c, strings.ReplaceAll(request, "\n", "\r\n"))
		_ = c.(*net.TCPConn).CloseWrite()
	})
	var answer bytes.Buffer
	_, err = answer.ReadFrom(bufio.NewReader(c))
	sent.Wait()
	if err != nil && answer.Len() == 0 {
		return fmt.Sprintf("no answer: %v", err)
	}
	return answer.String()
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
