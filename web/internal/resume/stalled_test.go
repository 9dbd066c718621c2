package resume

import (
	"flag"
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

var clients = flag.Int("clients", 24, "how many clients TestStalled has")

// Clients that send little or nothing cost little memory, and hold nothing that a put needs.
func TestStalled(t *testing.T) {
	s := serveVault(t, openVault(t, filepath.Join(t.TempDir(), "v.kv")), Options{}, everything)
	alone := s.puts(t)
	before := inUse()
	conns, paths := make([]net.Conn, *clients), make([]string, *clients)
	for i := range conns {
		paths[i] = s.create(t, fmt.Sprint(i), 8<<20, nil)
		conns[i] = begin(t, s.address(), paths[i], patch(0), 8<<20, noise(smallPiece+1000))
	}
	for _, path := range paths {
		s.stored(t, path, smallPiece)
	}
	used := inUse() - before
	// What is behind the first piece may be in a large one.
	if limit := *clients*100_000 + 16<<20; used > limit {
		t.Errorf("%d clients take %d bytes, want at most %d", *clients, used, limit)
	}
	stop := make(chan struct{})
	defer close(stop)
	go trickle(conns, stop)
	t.Logf("%d clients take %d bytes; 500 puts take %v, and %v without them",
		*clients, used, s.puts(t), alone)
}

// puts is how long 500 puts take, at best.
func (s *server) puts(t *testing.T) time.Duration {
	t.Helper()
	best := time.Hour
	for range 4 {
		start := time.Now()
		for i := range 500 {
			if err := s.v.Put(t.Context(), fmt.Sprint("put", i%100), make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
		}
		best = min(best, time.Since(start))
	}
	return best
}

// trickle sends a little on each connection until stop is closed.
func trickle(conns []net.Conn, stop chan struct{}) {
	for {
		for _, conn := range conns {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				conn.Write(make([]byte, 500))
			}
		}
	}
}

// inUse is the memory of the heap and of all stacks.
func inUse() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}
