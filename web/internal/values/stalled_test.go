package values_test

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/race"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/stream"
	"github.com/kohakuvault/kvault/web/internal/values"
)

var stalled = flag.Int("stalled", 150, "how many clients stop, in tests of those")

// zeros has no end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// counting counts the answers that have begun to send a body.
type counting struct {
	http.ResponseWriter
	began *atomic.Int64
	once  bool
}

func (c *counting) Write(p []byte) (int, error) {
	if !c.once {
		c.once = true
		c.began.Add(1)
	}
	return c.ResponseWriter.Write(p)
}

// perClient is how many bytes of memory a client that stopped may take.
func perClient() int64 {
	if race.Slowdown > 1 {
		return 150_000 // it varies by more with the race detector
	}
	return 100_000
}

// Clients that ask for a large value and do not read it cost under 100 KB each, but for those few
// that the server took for faster, and keep nobody from writing.
func TestStalledReaders(t *testing.T) {
	v, err := kvault.Open(t.Context(), filepath.Join(t.TempDir(), "v.kv"), &kvault.Options{OneRowLimit: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	const size = 20 << 20 // more than Linux keeps for a connection, and in chunks
	if err := putFrom(v, "large", io.LimitReader(zeros{}, size)); err != nil {
		t.Fatal(err)
	}
	h, began := values.New(v), new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &counting{w, began, false}
		h.ServeHTTP(c, r.WithContext(access.With(r.Context(), access.Everything(true))))
	}))
	defer s.Close()

	before := inUse()
	conns := make([]net.Conn, *stalled)
	for i := range conns {
		c, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.(*net.TCPConn).SetReadBuffer(4 << 10)
		fmt.Fprintf(c, "GET /v/large HTTP/1.1\r\nHost: x\r\n\r\n")
		conns[i] = c
	}
	for began.Load() < int64(*stalled) {
		time.Sleep(time.Millisecond)
	}
	for stream.Holding() > 0 { // until the last has waited long enough
		time.Sleep(time.Millisecond)
	}
	value := make([]byte, 100<<10)
	for i := range 50 {
		if err := v.Put(t.Context(), fmt.Sprint("put/", i), value); err != nil {
			t.Fatal(err)
		}
	}
	const fast = 32 << 20
	used := inUse() - before
	t.Logf("%d clients take %.1f MiB, %d KB each beside %d MiB for those with larger pieces", *stalled,
		float64(used)/(1<<20), max(used-fast, 0)/int64(*stalled)/1000, fast>>20)
	if used > fast+int64(*stalled)*perClient() {
		t.Errorf("too much")
	}
}

// inUse returns the memory that the process holds for heap and stacks, in bytes.
func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// Clients that stop in the middle of a body cost under 100 KB each, but for those few whose bodies
// come in larger chunks. Once they go on, what they sent is stored.
func TestStalledBodies(t *testing.T) {
	v, err := kvault.Open(t.Context(), filepath.Join(t.TempDir(), "v.kv"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	h, taken := values.New(v), new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = &taking{r.Body, taken}
		h.ServeHTTP(w, r.WithContext(access.With(r.Context(), access.Everything(true))))
	}))
	defer s.Close()

	before := inUse()
	const size, sent = 2 << 20, 1<<20 + 50_000 // more than four chunks
	body := make([]byte, size)
	conns := make([]net.Conn, *stalled)
	for i := range conns {
		c, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "PUT /v/%d HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", i, size)
		if _, err := c.Write(body[:sent]); err != nil {
			t.Fatal(err)
		}
		conns[i] = c
	}
	for taken.Load() < int64(*stalled)*sent {
		time.Sleep(time.Millisecond)
	}
	const large = 32 * 270_000
	used := inUse() - before
	t.Logf("%d clients take %.1f MiB, %d KB each beside %.1f MiB for those with larger chunks", *stalled,
		float64(used)/(1<<20), max(used-large, 0)/int64(*stalled)/1000, float64(large)/(1<<20))
	if used > large+int64(*stalled)*perClient() {
		t.Errorf("too much")
	}
	for i, c := range conns {
		if _, err := c.Write(body[sent:]); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || answer.StatusCode != http.StatusCreated {
			t.Fatalf("client %d: %v, %v", i, answer, err)
		}
	}
	if n, err := v.Len(t.Context()); err != nil || n != int64(*stalled) {
		t.Errorf("%d keys, %v", n, err)
	}
}

// taking counts what was read of bodies.
type taking struct {
	io.ReadCloser
	n *atomic.Int64
}

func (b *taking) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n.Add(int64(n))
	return n, err
}
