package resume

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/access"
)

// serverFile makes the test binary a server of the vault in the file that it names. serverAddress is
// the address it listens on, and serverFatal the byte that kills it.
const (
	serverFile    = "KVAULT_TEST_SERVE"
	serverAddress = "KVAULT_TEST_LISTEN"
	serverFatal   = "KVAULT_TEST_FATAL"
)

// fatal is the body of a request whose process dies with a byte that all bodies lead to.
type fatal struct {
	io.ReadCloser
	left *atomic.Int64
}

func (f fatal) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	if left := f.left.Add(-int64(n)); left <= 0 && left+int64(n) > 0 {
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = self.Kill()
		}
		panic(err)
	}
	return n, err
}

// runServer serves uploads, and GET of a value, until the process is killed. It prints its address.
func runServer(file string) {
	v, err := kvault.Open(context.Background(), file, nil)
	if err != nil {
		panic(err)
	}
	h, err := New(v, Options{})
	if err != nil {
		panic(err)
	}
	var left atomic.Int64
	if n, err := strconv.ParseInt(os.Getenv(serverFatal), 10, 64); err == nil {
		left.Store(n)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			r.Body = fatal{r.Body, &left}
			h.ServeHTTP(w, r.WithContext(access.With(r.Context(), everything)))
			return
		}
		if _, err := v.GetTo(r.Context(), strings.TrimPrefix(r.URL.Path, "/"), w); err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
		}
	}))
	if address := os.Getenv(serverAddress); address != "" {
		s.Listener.Close()
		if s.Listener, err = net.Listen("tcp", address); err != nil {
			panic(err)
		}
	}
	s.Start()
	fmt.Println(s.URL)
	select {}
}

// process is a server in another process.
type process struct {
	*server
	cmd *exec.Cmd
}

// startProcess serves the vault in file, at the address if it is not empty, until the test ends or
// the fatal byte, if above 0, comes.
func startProcess(t *testing.T, file, address string, fatal int) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serverFile+"="+file, serverAddress+"="+address, serverFatal+"="+strconv.Itoa(fatal))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd}
	t.Cleanup(p.kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	p.server = &server{url: strings.TrimSpace(line), client: &http.Client{Transport: &http.Transport{}}}
	return p
}

// kill ends the process without giving it time for anything.
func (p *process) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait() // says that it was killed
	if p.server != nil {
		p.client.CloseIdleConnections()
	}
}

// After the server was killed in the middle of a body, everything that it acknowledged is there, and
// nothing that was not sent. The value is what was sent in the end.
func TestKill(t *testing.T) {
	file, value := filepath.Join(t.TempDir(), "v.kv"), noise(4_000_000)
	p := startProcess(t, file, "", 0)
	path, acknowledged := p.create(t, "k", len(value), nil), 0
	for range 3 {
		at := p.offset(t, path)
		if at < acknowledged {
			t.Fatalf("the offset is %d after %d were acknowledged", at, acknowledged)
		}
		part := 100_000
		p.do(t, "PATCH", path, patch(at), bytes.NewReader(value[at:at+part])).want(t, 204, nil)
		acknowledged = at + part
		sent := 200_000 + rand.IntN(500_000)
		u, err := url.Parse(p.url)
		if err != nil {
			t.Fatal(err)
		}
		begin(t, u.Host, path, patch(acknowledged), len(value)-acknowledged, value[acknowledged:acknowledged+sent])
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
		p.kill()
		p = startProcess(t, file, "", 0)
		if at := p.offset(t, path); at < acknowledged || at > acknowledged+sent {
			t.Fatalf("the offset is %d; %d were acknowledged, %d more sent", at, acknowledged, sent)
		}
	}
	at := p.offset(t, path)
	p.do(t, "PATCH", path, patch(at), bytes.NewReader(value[at:])).want(t, 204, headers{"Upload-Offset": strconv.Itoa(len(value)), "ETag": "*"})
	if got := p.do(t, "GET", "/k", nil, nil).want(t, 200, nil); got.body != string(value) {
		t.Errorf("the value has %d bytes that are not the %d sent", len(got.body), len(value))
	}
}

// A server that was killed after the last byte was stored and before the value was published
// publishes it when it is asked for the offset: a client takes a complete upload for a stored value.
func TestKillBeforePublishing(t *testing.T) {
	s := serve(t, Options{}, everything)
	path := s.create(t, "k", 3, headers{"If-None-Match": "*"})
	u, err := s.v.OpenUpload(t.Context(), strings.TrimPrefix(path, Mount))
	if err == nil {
		err = u.WriteAt(t.Context(), []byte("abc"), 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.do(t, "HEAD", path, tus(nil), nil).want(t, 200, headers{"Upload-Offset": "3", "Upload-Length": "3", "ETag": "*"})
	s.holds(t, "k", []byte("abc"))
}
