package cli

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web"
)

// server is "kvault serve" in this process.
type server struct {
	url  string
	stop context.CancelFunc
	// wait returns the exit code, and what was on standard output and error.
	wait func() (int, string, string)
}

// startServer runs the command until it has printed its URL.
func startServer(t *testing.T, args ...string) *server {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r, w := io.Pipe()
	var out, errs bytes.Buffer
	code := make(chan int, 1)
	go func() {
		code <- Run(ctx, args, IO{
			In: strings.NewReader(""), Out: io.MultiWriter(&out, w), Err: &errs,
			Getenv: func(string) string { return "" }, IsTerminal: func(any) bool { return false },
		})
		w.Close()
	}()
	line, err := bufio.NewReader(r).ReadString('\n')
	go io.Copy(io.Discard, r)
	s := &server{url: strings.TrimSpace(line), stop: stop, wait: func() (int, string, string) {
		n := <-code
		code <- n
		return n, out.String(), errs.String()
	}}
	t.Cleanup(func() { stop(); s.wait() })
	if err != nil {
		n, _, errs := s.wait()
		t.Fatalf("no URL: exit code %d: %s", n, errs)
	}
	return s
}

func ask(t *testing.T, client *http.Client, url, secret string) (status int, text string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if secret != "" {
		r.SetBasicAuth("", secret)
	}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func TestServe(t *testing.T) {
	vault := filepath.Join(t.TempDir(), "v.kv")
	s := startServer(t, "-f", vault, "serve", "--listen", "localhost:0", "--create")
	if !strings.HasPrefix(s.url, "http://localhost:") || !strings.HasSuffix(s.url, "/") {
		t.Errorf("URL %q", s.url)
	}
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	if status, text := ask(t, client, s.url+"healthz", ""); status != 200 || text != "ok\n" {
		t.Errorf("health: %d, %s", status, text)
	}
	if status, text := ask(t, client, s.url+"metrics", ""); status != 200 || !strings.Contains(text, "kvault_keys 0\n") {
		t.Errorf("metrics: %d, %s", status, text)
	}
	if status, _ := ask(t, client, s.url+"nothing/here", ""); status != 404 {
		t.Errorf("status %d", status)
	}
	s.stop()
	code, out, errs := s.wait()
	if code != 0 || out != s.url+"\n" {
		t.Errorf("exit code %d, %q", code, out)
	}
	first, rest, _ := strings.Cut(errs, "\n")
	if first != "Serving "+vault+". Interrupt it to stop." || !strings.Contains(rest, "path=/nothing/here status=404") {
		t.Errorf("standard error:\n%s", errs)
	}
	if _, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(s.url, "http://"), "/")); err == nil {
		t.Error("it still listens")
	}
}

// With --json the URL is an object, and so is each record of the log; --quiet leaves errors only.
func TestServeOutput(t *testing.T) {
	se := newSession(t)
	se.must("v", "put", "k")
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	s := startServer(t, "-f", se.vault, "--json", "serve", "--listen", "127.0.0.1:0", "--read-only")
	var told struct{ URL string }
	if err := json.Unmarshal([]byte(s.url), &told); err != nil || !strings.HasPrefix(told.URL, "http://127.0.0.1:") {
		t.Fatalf("%s, %v", s.url, err)
	}
	ask(t, client, told.URL, "")
	s.stop()
	code, _, errs := s.wait()
	var record struct{ Msg, Path string }
	if err := json.Unmarshal([]byte(errs), &record); err != nil || code != 0 || record.Path != "/" {
		t.Errorf("exit code %d, %s, %v", code, errs, err)
	}

	s = startServer(t, "-f", se.vault, "--quiet", "serve", "--listen", "127.0.0.1:0")
	ask(t, client, s.url, "")
	s.stop()
	if code, _, errs := s.wait(); code != 0 || errs != "" {
		t.Errorf("quiet: exit code %d, %s", code, errs)
	}
}

func TestServeInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	se := newSession(t)
	o := se.run("", "serve", "--create", "--listen", l.Addr().String())
	if o.code != exitFailure || !strings.Contains(o.err, "in use; --listen names another address") {
		t.Errorf("%+v", o)
	}
	if _, err := os.Stat(se.vault); err == nil {
		t.Error("a vault was made for a server that cannot start")
	}
}

// Other machines are let in with tokens and TLS, and only with a token.
func TestServeTLS(t *testing.T) {
	se := newSession(t)
	se.must("v", "put", "k")
	dir := t.TempDir()
	cert, key, tokens := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "tokens")
	roots := writeCertificate(t, cert, key, 1)
	if err := os.WriteFile(tokens, []byte("0123456789abcdef read\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startServer(t, "-f", se.vault, "serve", "--listen", ":0", "--tls-cert", cert, "--tls-key", key, "--token-file", tokens)
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	defer tr.CloseIdleConnections()
	client := &http.Client{Transport: tr}
	if !strings.HasPrefix(s.url, "https://127.0.0.1:") {
		t.Errorf("URL %s", s.url)
	}
	if status, _ := ask(t, client, s.url+"metrics", ""); status != 401 {
		t.Errorf("without a token: %d", status)
	}
	if status, text := ask(t, client, s.url+"metrics", "0123456789abcdef"); status != 200 {
		t.Errorf("with a token: %d, %s", status, text)
	}
	// A renewed certificate is taken up without a restart.
	tr.CloseIdleConnections()
	renewed := writeCertificate(t, cert, key, 2)
	later := time.Now().Add(time.Minute)
	if err := os.Chtimes(cert, later, later); err != nil {
		t.Fatal(err)
	}
	tr2 := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: renewed}}
	defer tr2.CloseIdleConnections()
	if status, _ := ask(t, &http.Client{Transport: tr2}, s.url+"healthz", ""); status != 200 {
		t.Errorf("with the new certificate: %d", status)
	}
	s.stop()
	if code, _, errs := s.wait(); code != 0 || strings.Contains(errs, "0123456789abcdef") {
		t.Errorf("exit code %d, %s", code, errs)
	}
}

// writeCertificate writes a certificate for 127.0.0.1 that signs itself, and its key.
func writeCertificate(t *testing.T, cert, key string, serial int64) *x509.CertPool {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: fmt.Sprint("test ", serial)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	for name, text := range map[string][]byte{cert: certPEM, key: keyPEM} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certPEM)
	return roots
}

// --acme is for one host, and keeps what it gets where only the user can read it.
func TestServeACME(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "acme")
	f := serveFlags{listen: "127.0.0.1:0", stall: 1, acme: "vault.example.com", acmeDir: dir}
	if err := f.check(); err != nil {
		t.Fatal(err)
	}
	_, err := f.certificates.GetCertificate(&tls.ClientHelloInfo{ServerName: "other.example.com"})
	if err == nil || !strings.Contains(err.Error(), "not configured in HostWhitelist") {
		t.Errorf("another host: %v", err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%v, %v", info, err)
	}
	if url := f.url(&net.TCPAddr{Port: 443}); url != "https://vault.example.com/" || !reflect.DeepEqual(f.hosts, []string{"vault.example.com"}) {
		t.Errorf("URL %s, hosts %q", url, f.hosts)
	}
}

func TestServeURL(t *testing.T) {
	for _, tt := range []struct {
		urlHost, ip, want string
		port              int
		tls               bool
	}{
		{"", "127.0.0.1", "http://127.0.0.1:8080/", 8080, false},
		{"", "::1", "http://[::1]:8080/", 8080, false},
		{"", "0.0.0.0", "http://127.0.0.1:1/", 1, false},
		{"", "::", "https://127.0.0.1:1/", 1, true},
		{"", "::1", "https://[::1]/", 443, true},
		{"", "::1", "http://[::1]:443/", 443, false},
		{"nas.local", "192.0.2.1", "http://nas.local:80/", 80, false},
	} {
		f := serveFlags{urlHost: tt.urlHost}
		if tt.tls {
			f.certificates = &tls.Config{}
		}
		if got := f.url(&net.TCPAddr{IP: net.ParseIP(tt.ip), Port: tt.port}); got != tt.want {
			t.Errorf("%+v: %s", tt, got)
		}
	}
}

// An interrupt lets a request under way end. One that takes longer than the grace is cut off.
func TestServeGrace(t *testing.T) {
	v, err := kvault.Open(t.Context(), ":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for _, cut := range []bool{false, true} {
		h, err := web.New(v, nil)
		if err != nil {
			t.Fatal(err)
		}
		entered, leave := make(chan bool), make(chan bool)
		srv := h.Server()
		srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			entered <- true
			select {
			case <-leave:
				io.WriteString(w, "whole")
			case <-r.Context().Done():
			}
		})
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		grace := time.Hour
		if cut {
			grace = time.Millisecond
		}
		var log bytes.Buffer
		ended := make(chan error)
		go func() { ended <- runServer(ctx, srv, h, l, grace, slog.New(slog.NewTextHandler(&log, nil))) }()
		answer := make(chan string)
		tr := &http.Transport{}
		go func() {
			text := ""
			if res, err := (&http.Client{Transport: tr}).Get("http://" + l.Addr().String()); err == nil {
				b, _ := io.ReadAll(res.Body)
				res.Body.Close()
				text = string(b)
			}
			answer <- text
		}()
		<-entered
		stop()
		if !cut {
			leave <- true
		}
		if text := <-answer; (text == "whole") == cut {
			t.Errorf("cut %v: the request got %q", cut, text)
		}
		if err := <-ended; err != nil {
			t.Errorf("cut %v: %v", cut, err)
		}
		if strings.Contains(log.String(), "cut off") != cut {
			t.Errorf("cut %v: log %s", cut, &log)
		}
		tr.CloseIdleConnections()
	}
}

func TestTokens(t *testing.T) {
	const a, b = "0123456789abcdef", "fedcba9876543210"
	for _, tt := range []struct {
		text string
		want []web.Token
		err  string
	}{
		{a + " read\n" + b + "\twrite  photos\r\n", []web.Token{{Secret: a}, {Secret: b, Prefix: "photos/", Write: true}}, ""},
		{"# who\n\n   \n  " + a + " write photos/2024/ \n#end", []web.Token{{Secret: a, Prefix: "photos/2024/", Write: true}}, ""},
		{a + " read . \n" + a + " write my photos", []web.Token{{Secret: a}, {Secret: a, Prefix: "my photos/", Write: true}}, ""},
		{a[1:] + " read", nil, "f:1: the secret has 15 characters, and needs 16"},
		{"#\n" + a, nil, "f:2: behind the secret there must be read or write"},
		{a + " admin", nil, "f:1: behind the secret there must be read or write"},
		{a + " read # for Ada", nil, "f:1: a comment has a line of its own"},
		{a + "é read", nil, "f:1: the secret is not all printable ASCII"},
		{a + "\x00 read", nil, "f:1: the secret is not all printable ASCII"},
		{a + " read p\n\n" + a + " write p/", nil, "f:3: line 1 has the same secret for the same prefix"},
	} {
		got, err := parseTokens("f", []byte(tt.text))
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q: %+v, %v", tt.text, got, err)
		}
		if err != nil && (strings.Contains(err.Error(), a[1:]) || exitCode(t.Context(), err) != exitUsage) {
			t.Errorf("the error shows the secret, or is not one of usage: %v", err)
		}
	}
	dir := t.TempDir()
	for text, want := range map[string]string{
		"# nothing yet\n":                       "has no token",
		strings.Repeat("#\n", maxTokenFile/2+1): "is larger than 1 MiB",
	} {
		name := filepath.Join(dir, "tokens")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readTokens(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
