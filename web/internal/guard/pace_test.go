package guard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kohakuvault/kvault/web/internal/wire"
)

// bubble runs test with a server whose clock is that of the test.
func bubble(t *testing.T, next http.HandlerFunc, test func(t *testing.T, l *pipes)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		g, _ := newGuard(nil, Options{Stall: time.Minute}, next)
		l := newPipes()
		srv := &http.Server{Handler: g, Protocols: new(http.Protocols)}
		srv.Protocols.SetHTTP1(true)
		srv.Protocols.SetUnencryptedHTTP2(true)
		go srv.Serve(l)
		test(t, l)
		srv.Close()
		time.Sleep(2 * time.Hour) // for what sleeps
	})
}

// send sends the head of a request on a connection of its own.
func send(t *testing.T, l *pipes, head string) net.Conn {
	t.Helper()
	c, err := l.dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	sendOn(t, c, head)
	return c
}

func sendOn(t *testing.T, c net.Conn, head string) {
	t.Helper()
	if _, err := io.WriteString(c, strings.ReplaceAll(head, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
}

const get = "GET / HTTP/1.1\nHost: localhost\n\n"

// A client that takes size bytes of 1 MiB every so often gets all if it keeps to the least rate, and
// is cut off after a minute if not. How much is written at once makes no difference.
func TestWritePace(t *testing.T) {
	for _, atOnce := range []int{1 << 20, 32 << 10, 1 << 10} {
		for _, tt := range []struct {
			size  int
			every time.Duration
			cut   bool
		}{
			{window, 55 * time.Second, false},
			{window / 8, 6 * time.Second, false},
			{window / 8, 10 * time.Second, true},
			{1, 5 * time.Second, true},
			{0, time.Hour, true},
		} {
			t.Run(fmt.Sprintf("%d at once, %d per %v", atOnce, tt.size, tt.every), func(t *testing.T) {
				var failed error
				var took time.Duration
				bubble(t, func(w http.ResponseWriter, r *http.Request) {
					start := time.Now()
					chunk := make([]byte, atOnce)
					for n := 0; n < 1<<20 && failed == nil; n += len(chunk) {
						_, failed = w.Write(chunk)
					}
					took = time.Since(start)
				}, func(t *testing.T, l *pipes) {
					c := send(t, l, strings.Replace(get, "\n\n", "\nConnection: close\n\n", 1))
					var err error
					for buf := make([]byte, tt.size); err == nil && len(buf) > 0; time.Sleep(tt.every) {
						_, err = io.ReadFull(c, buf)
					}
					time.Sleep(time.Hour)
				})
				switch {
				case !tt.cut && failed != nil:
					t.Errorf("cut off after %v: %v", took, failed)
				case tt.cut && !errors.Is(failed, os.ErrDeadlineExceeded):
					t.Errorf("error %v", failed)
				case tt.cut && (took < time.Minute || took > 2*time.Minute):
					t.Errorf("cut off after %v", took)
				}
			})
		}
	}
}

// A body comes whole if its sender keeps to the least rate. A slower one is answered 408.
func TestReadPace(t *testing.T) {
	for _, tt := range []struct {
		size  int
		every time.Duration
		want  string
	}{
		{window, 55 * time.Second, "HTTP/1.1 200 OK"},
		{window / 8, 6 * time.Second, "HTTP/1.1 200 OK"},
		{window / 8, 10 * time.Second, "HTTP/1.1 408 Request Timeout"},
		{1, 5 * time.Second, "HTTP/1.1 408 Request Timeout"},
		{0, time.Hour, "HTTP/1.1 408 Request Timeout"},
	} {
		t.Run(fmt.Sprintf("%d per %v", tt.size, tt.every), func(t *testing.T) {
			bubble(t, func(w http.ResponseWriter, r *http.Request) {
				if _, err := io.Copy(io.Discard, r.Body); err != nil {
					wire.Fail(w, r, fmt.Errorf("reading: %w", err))
				}
			}, func(t *testing.T, l *pipes) {
				c := send(t, l, fmt.Sprintf("PUT / HTTP/1.1\nHost: localhost\nContent-Length: %d\n\n", 1<<20))
				go func() {
					var err error
					for n := 0; n < 1<<20 && err == nil && tt.size > 0; n += tt.size {
						time.Sleep(tt.every)
						_, err = c.Write(make([]byte, tt.size))
					}
				}()
				answer := make([]byte, len(tt.want))
				if _, err := io.ReadFull(c, answer); err != nil || string(answer) != tt.want {
					t.Errorf("%q, %v", answer, err)
				}
				c.Close()
			})
		})
	}
}

// What the server itself takes is not held against the client, in either version of HTTP, and no
// deadline outlives the read or write that it is for.
func TestSlowServer(t *testing.T) {
	const long = 10 * time.Minute
	for _, version := range []int{1, 2} {
		t.Run(fmt.Sprint("HTTP/", version), func(t *testing.T) {
			bubble(t, func(w http.ResponseWriter, r *http.Request) {
				if r.ProtoMajor != version {
					t.Errorf("HTTP/%d", r.ProtoMajor)
				}
				time.Sleep(long)
				for buf := make([]byte, 8<<10); ; time.Sleep(long) {
					if _, err := io.ReadFull(r.Body, buf); err == io.EOF {
						break
					} else if err != nil {
						t.Error(err)
						return
					}
				}
				time.Sleep(long)
				if err := r.Context().Err(); err != nil {
					t.Errorf("context: %v", err)
				}
				for range 3 {
					if _, err := w.Write(make([]byte, 100<<10)); err != nil {
						t.Error(err)
					}
					time.Sleep(long)
				}
			}, func(t *testing.T, l *pipes) {
				tr := &http.Transport{
					DialContext: func(context.Context, string, string) (net.Conn, error) { return l.dial() },
					Protocols:   new(http.Protocols),
				}
				defer tr.CloseIdleConnections()
				tr.Protocols.SetHTTP1(version == 1)
				tr.Protocols.SetUnencryptedHTTP2(version == 2)
				for range 2 { // the second on the same connection
					body := strings.NewReader(strings.Repeat("x", 64<<10))
					r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://localhost/", body)
					if err != nil {
						t.Fatal(err)
					}
					res, err := tr.RoundTrip(r)
					if err != nil {
						t.Fatal(err)
					}
					if n, err := io.Copy(io.Discard, res.Body); err != nil || n != 300<<10 {
						t.Errorf("%d bytes, %v", n, err)
					}
					res.Body.Close()
					time.Sleep(long)
				}
			})
		})
	}
}

// net/http reads the rest of a body that the handler left. A client that never sends it holds
// nothing for longer than a minute.
func TestBodyNeverSent(t *testing.T) {
	const head = "GET / HTTP/1.1\nHost: localhost\nContent-Length: 100\n\n"
	for _, size := range []int{10, 100 << 10} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			var failed error
			bubble(t, func(w http.ResponseWriter, r *http.Request) {
				_, failed = w.Write(make([]byte, size))
			}, func(t *testing.T, l *pipes) {
				c := send(t, l, head)
				start := time.Now()
				n, _ := io.Copy(io.Discard, c) // until the server closes the connection
				if took := time.Since(start); took > 3*time.Minute {
					t.Errorf("the connection was closed after %v", took)
				}
				if failed != nil || n < int64(size) {
					t.Errorf("%d bytes, %v", n, failed)
				}
			})
		})
	}
}

// A client that sends many requests, and reads no answer, does not hold its connection for ever.
func TestAnswersNeverRead(t *testing.T) {
	bubble(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "short") },
		func(t *testing.T, l *pipes) {
			c := send(t, l, get)
			start := time.Now()
			_, err := io.WriteString(c, strings.Repeat(strings.ReplaceAll(get, "\n", "\r\n"), 1000))
			if took := time.Since(start); err == nil || took > 2*time.Minute {
				t.Errorf("closed after %v, %v", took, err)
			}
		})
}

// Nothing is allocated for a write or a read. A deadline is set only where there is a limit, and
// seldom where it may stay.
func TestPaceCost(t *testing.T) {
	for _, tt := range []struct {
		limit time.Duration
		timer bool
		want  int
	}{{0, false, 0}, {time.Minute, false, 1}, {time.Minute, true, 22}} {
		set := 0
		count := func(time.Time) error { set++; return nil }
		p := &pace{limit: tt.limit, left: tt.limit, timer: tt.timer, set: count}
		if n := testing.AllocsPerRun(10, func() { p.end(p.begin(), window) }); n != 0 {
			t.Errorf("%+v: %v allocations", tt, n)
		}
		if set != tt.want {
			t.Errorf("%+v: a deadline was set %d times", tt, set)
		}
	}
}
