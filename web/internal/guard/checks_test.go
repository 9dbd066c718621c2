package guard

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

func ok(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") }

func TestCheckHost(t *testing.T) {
	loopback := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}
	lan := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 8080}
	tokens := access.NewTokens([]access.Token{{Secret: "secret"}}, false)
	for _, tt := range []struct {
		name  string
		local net.Addr
		o     Options
		yes   string
		no    string
	}{
		{"loopback", loopback, Options{},
			"localhost LOCALHOST localhost:1 localhost. 127.0.0.1 127.0.0.1:8080 127.9.9.9 [::1] [::1]:99",
			"evil.example evil.example:8080 192.0.2.1 localhost.evil.example 127.0.0.1.evil.example " +
				"evil.example:127.0.0.1 localhost:port localhost:99999 user@localhost [::1 ::1] [::1]x - :8080"},
		{"loopback with tokens", loopback, Options{Tokens: &tokens}, "localhost", "evil.example"},
		{"loopback with hosts", loopback, Options{Hosts: []string{"Vault.example"}},
			"vault.example VAULT.EXAMPLE:443 vault.example. localhost", "evil.example x.vault.example 192.0.2.1"},
		{"LAN", lan, Options{}, "192.0.2.1 192.0.2.1:8080 198.51.100.7 [2001:db8::1]:8080", "localhost nas.local"},
		{"LAN with hosts", lan, Options{Hosts: []string{"nas.local"}}, "nas.local:80 192.0.2.1", "localhost other.local"},
		{"LAN with tokens", lan, Options{Tokens: &tokens}, "nas.local any.example 192.0.2.1", ""},
		{"LAN with tokens and hosts", lan, Options{Tokens: &tokens, Hosts: []string{"nas.local"}}, "nas.local", "any.example"},
		{"Unix socket", &net.UnixAddr{Name: "s"}, Options{}, "any.example", ""},
		{"not known", nil, Options{}, "", "any.example localhost 127.0.0.1"},
		{"not known with hosts", nil, Options{Hosts: []string{"a.example"}}, "a.example", "any.example"},
	} {
		g, _ := newGuard(nil, tt.o, ok)
		check := func(host string) error {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			r.Host = strings.TrimPrefix(host, "-")
			if tt.local != nil {
				r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, tt.local))
			}
			return g.checkHost(r)
		}
		for _, host := range strings.Fields(tt.yes) {
			if err := check(host); err != nil {
				t.Errorf("%s: %s: %v", tt.name, host, err)
			}
		}
		for _, host := range strings.Fields(tt.no) {
			if err := check(host); err == nil || wire.AsError(err).Status != http.StatusMisdirectedRequest {
				t.Errorf("%s: %s: error %v", tt.name, host, err)
			}
		}
	}
}

// The page of another site can neither change anything nor, by a name that leads here, read.
func TestOtherSites(t *testing.T) {
	g, _ := newGuard(nil, Options{}, ok)
	s := serve(t, g)
	changing := strings.Fields("POST PUT PATCH DELETE COPY MOVE MKCOL PROPPATCH PROPFIND LOCK UNLOCK TRACE get")
	for _, method := range changing {
		for _, header := range [][]string{
			{"Sec-Fetch-Site", "cross-site"},
			{"Sec-Fetch-Site", "same-site"},
			{"Origin", "https://evil.example"},
			{"Origin", "null"},
		} {
			if res, text := do(t, s, method, "/", nil, header...); res.StatusCode != http.StatusForbidden {
				t.Errorf("%s with %q: %s, %s", method, header, res.Status, text)
			}
		}
		for _, header := range [][]string{
			nil,
			{"Sec-Fetch-Site", "same-origin"},
			{"Sec-Fetch-Site", "none"},
			{"Origin", s.URL},
		} {
			if res, text := do(t, s, method, "/", nil, header...); res.StatusCode != http.StatusOK {
				t.Errorf("%s with %q: %s, %s", method, header, res.Status, text)
			}
		}
	}
	res, text := do(t, s, "GET", "/", nil, "Sec-Fetch-Site", "cross-site")
	if res.StatusCode != http.StatusOK || res.Header.Get("Cross-Origin-Resource-Policy") != "same-origin" {
		t.Errorf("a link from another site: %s, %s, %v", res.Status, text, res.Header)
	}
	res, text = do(t, s, "GET", "/", nil, "Host", "rebound.evil.example")
	if res.StatusCode != http.StatusMisdirectedRequest || !strings.Contains(text, `rebound.evil.example`) {
		t.Errorf("a name of another: %s, %s", res.Status, text)
	}
}

func TestLogin(t *testing.T) {
	tokens := access.NewTokens([]access.Token{{Secret: "reader-secret"}}, false)
	g, log := newGuard(nil, Options{Tokens: &tokens}, func(w http.ResponseWriter, r *http.Request) {
		if access.Of(r.Context()).Read("k") {
			io.WriteString(w, "may read")
		}
	})
	s := serve(t, g)
	basic := func(secret string) string {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.SetBasicAuth("anyone", secret)
		return r.Header.Get("Authorization")
	}
	for _, tt := range []struct {
		method, authorization string
		status                int
		text                  string
	}{
		{"GET", "", 401, "wants a token"},
		{"HEAD", "", 401, ""},
		{"GET", "Bearer reader-secret", 200, "may read"},
		{"GET", "bearer  reader-secret", 200, "may read"},
		{"GET", basic("reader-secret"), 200, "may read"},
		{"GET", "Bearer wrong-secret", 401, "does not know the token"},
		{"GET", basic("wrong-secret"), 401, "does not know the token"},
		{"GET", "Bearer ", 401, "does not know the token"},
		{"GET", "Digest username=reader-secret", 401, "does not know the token"},
		{"GET", "Basic reader-secret", 401, "does not know the token"},
		{"OPTIONS", "", 200, ""},
		{"OPTIONS", "Bearer wrong-secret", 401, "does not know"},
		{"OPTIONS", "Bearer reader-secret", 200, "may read"},
	} {
		var header []string
		if tt.authorization != "" {
			header = []string{"Authorization", tt.authorization}
		}
		res, text := do(t, s, tt.method, "/", nil, header...)
		if res.StatusCode != tt.status || !strings.Contains(text, tt.text) || tt.text == "" && text != "" {
			t.Errorf("%s, %q: %s, %s", tt.method, tt.authorization, res.Status, text)
		}
		if challenge := res.Header.Get("WWW-Authenticate"); (challenge != "") != (tt.status == 401) {
			t.Errorf("%s, %q: challenge %q", tt.method, tt.authorization, challenge)
		}
	}
	s.Close()
	if strings.Contains(log.String(), "-secret") {
		t.Errorf("the log has a secret:\n%s", log)
	}
	if n := g.meters.failedLogins.Get(); n != 6 {
		t.Errorf("%d failed logins", n)
	}
}

func TestLimits(t *testing.T) {
	read := func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			wire.Fail(w, r, &kvault.IOError{Op: "read source", Err: err})
		}
	}
	g, _ := newGuard(nil, Options{MaxBody: 1000}, read)
	s := serve(t, g)
	for _, tt := range []struct {
		name, target string
		size         int
		chunked      bool
		status       int
	}{
		{"a long URL", "/" + strings.Repeat("%41", kvault.MaxKey), 0, false, 200},
		{"too long a URL", "/" + strings.Repeat("a", MaxURL), 0, false, 414},
		{"too long a query", "/?" + strings.Repeat("a", MaxURL), 0, false, 414},
		{"a long body", "/", 1000, false, 200},
		{"too long a body", "/", 1001, false, 413},
		{"a long body in chunks", "/", 1000, true, 200},
		{"too long a body in chunks", "/", 100_000, true, 413},
	} {
		var body io.Reader = strings.NewReader(strings.Repeat("x", tt.size))
		if tt.chunked {
			body = io.MultiReader(body)
		}
		res, text := do(t, s, "PUT", tt.target, body)
		if res.StatusCode != tt.status || tt.status == 413 && !strings.Contains(text, "1000 bytes") {
			t.Errorf("%s: %s, %s", tt.name, res.Status, text)
		}
	}
}

// A body that is too long is refused before it is sent, if the client waits for that.
func TestBodyRefusedBefore(t *testing.T) {
	g, _ := newGuard(nil, Options{MaxBody: 1000}, ok)
	s := serve(t, g)
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sendOn(t, c, "PUT / HTTP/1.1\nHost: localhost\nContent-Length: 1001\nExpect: 100-continue\n\n")
	status, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || status != "HTTP/1.1 413 Request Entity Too Large\r\n" {
		t.Errorf("%q, %v", status, err)
	}
}
