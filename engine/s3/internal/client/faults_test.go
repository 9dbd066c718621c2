package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine/s3/internal/client"
	"github.com/kohakuvault/kvault/engine/s3/internal/object"
	"github.com/kohakuvault/kvault/engine/s3/internal/s3test"
)

func xml(status int, code string) s3test.Fault {
	return answer(status, "application/xml", "<Error><Code>"+code+"</Code></Error>")
}

// A condition that does not hold may not hold because of an attempt before.
func TestDeleteAmbiguity(t *testing.T) {
	s := s3test.New(t)
	b := open(t, settings(s))
	if _, err := s.Memory.Put(t.Context(), "k", nil, object.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	s.SetFault(once(http.MethodDelete, s3test.Fault{DropBefore: true}))
	err := b.Delete(t.Context(), "k", object.DeleteOptions{IfMatch: "another"})
	if !errors.Is(err, object.ErrUnknown) || errors.Is(err, object.ErrPrecondition) {
		t.Errorf("%v, want %v alone", err, object.ErrUnknown)
	}
	s.SetFault(once(http.MethodDelete, s3test.Fault{DropAfter: true}))
	if err := b.Delete(t.Context(), "k", object.DeleteOptions{}); err != nil {
		t.Error(err)
	}
	// A page for success is no success.
	s.SetFault(always(answer(200, "text/html", "<html>Sign in</html>")))
	if err := b.Delete(t.Context(), "k", object.DeleteOptions{}); err == nil {
		t.Error("a page of HTML is taken for a deletion")
	}
}

func TestDeleteAllEnds(t *testing.T) {
	b := open(t, settings(s3test.New(t)))
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the caller's cause"))
	if err := b.DeleteAll(ctx, []string{"a", "b"}); !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "cause") {
		t.Errorf("%v, want %v", err, context.Canceled)
	}
}

// What will not become better is not tried again, and what may is.
func TestKinds(t *testing.T) {
	s := s3test.New(t)
	b := open(t, settings(s))
	for _, test := range []struct {
		fault s3test.Fault
		want  int64
	}{
		{xml(http.StatusNotImplemented, "NotImplemented"), 1},
		{xml(http.StatusBadRequest, "InvalidArgument"), 1},
		{xml(http.StatusForbidden, "AccessDenied"), 1},
	} {
		var asked atomic.Int64
		s.SetFault(func(*http.Request) s3test.Fault { asked.Add(1); return test.fault })
		if _, err := b.Put(t.Context(), "k", nil, object.PutOptions{}); err == nil || errors.Is(err, object.ErrUnknown) {
			t.Errorf("%v: it is known that nothing was stored", err)
		}
		if n := asked.Load(); n != test.want {
			t.Errorf("asked %d times, want %d", n, test.want)
		}
	}
	s.SetFault(once(http.MethodPut, xml(http.StatusBadRequest, "BadDigest"))) // damaged on its way
	if _, err := b.Put(t.Context(), "k", nil, object.PutOptions{IfAbsent: true}); err != nil {
		t.Error(err)
	}
	s.SetFault(nil)
	if _, err := b.Put(t.Context(), "", nil, object.PutOptions{}); err == nil {
		t.Error("an object without a key")
	}
	// Somebody's page is not the server's word.
	s.SetFault(once(http.MethodPut, answer(http.StatusPreconditionFailed, "text/html", "<html>no</html>")))
	if _, err := b.Put(t.Context(), "z", nil, object.PutOptions{IfAbsent: true}); !errors.Is(err, object.ErrUnknown) {
		t.Errorf("%v, want %v", err, object.ErrUnknown)
	}
}

// A body that comes byte by byte, or breaks off after each, ends with an error.
func TestSlowDrip(t *testing.T) {
	for name, breaks := range map[string]bool{"slow": false, "broken": true} {
		t.Run(name, func(t *testing.T) {
			s := s3test.New(t)
			c := settings(s)
			c.Patience = 500 * time.Millisecond
			b := open(t, c)
			s.SetFault(always(s3test.Fault{Answer: func(w http.ResponseWriter, r *http.Request) { drip(w, r, breaks) }}))
			_, body, err := b.Get(t.Context(), "k", object.Range{Length: -1})
			if err != nil {
				t.Fatal(err)
			}
			defer body.Close()
			got, err := io.ReadAll(body)
			if !errors.Is(err, io.ErrUnexpectedEOF) || len(got) >= 1000 {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if err := body.Close(); err != nil {
				t.Error(err)
			}
			if _, err := body.Read(make([]byte, 1)); err == nil || err == io.EOF {
				t.Errorf("a body that is closed reads on: %v", err)
			}
		})
	}
}

// drip sends what is left of 1,000 bytes one by one, or the first only.
func drip(w http.ResponseWriter, r *http.Request, breaks bool) {
	from, status := 0, http.StatusOK
	if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err == nil {
		status = http.StatusPartialContent
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-999/1000", from))
	}
	w.Header().Set("ETag", "1")
	w.Header().Set("Content-Length", fmt.Sprint(1000-from))
	w.WriteHeader(status)
	for range 1000 - from {
		if _, err := w.Write([]byte("x")); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		if breaks {
			panic(http.ErrAbortHandler)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// A gateway that accepts connections and does not answer is passed by, and asked again later.
func TestGateways(t *testing.T) {
	s, second := s3test.New(t), s3test.New(t)
	second.Memory = s.Memory
	var stalled atomic.Bool
	var asked atomic.Int64
	never := make(chan struct{})
	second.SetFault(func(*http.Request) s3test.Fault {
		asked.Add(1)
		if stalled.Load() {
			return s3test.Fault{Stall: never}
		}
		return s3test.Fault{}
	})
	c := settings(s, second)
	c.AnswerTimeout = 400 * time.Millisecond
	const passed = 1200 * time.Millisecond // for so long the client passes one by
	b := open(t, c)
	puts := func(n int) {
		t.Helper()
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				if _, err := b.Put(t.Context(), string(rune('a'+i)), []byte("x"), object.PutOptions{}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	puts(20)
	if asked.Load() == 0 {
		t.Fatal("the second gateway is not asked")
	}
	stalled.Store(true)
	puts(20) // of which some wait, and are answered by the first
	asked.Store(0)
	began := time.Now()
	for range 30 {
		_ = b.Close() // what is idle, so that connections are made
		puts(2)
	}
	// A put asks it each time that is over. If it were never passed by, half of the puts would ask
	// it, in some 9 s.
	if n, most := asked.Load(), 5+int64(time.Since(began)/passed); n > most {
		t.Errorf("a stalled gateway was asked %d times of 60, want at most %d", n, most)
	}
	stalled.Store(false)
	for end := time.Now().Add(2 * time.Minute); asked.Load() < 20; puts(20) {
		if time.Now().After(end) {
			t.Fatal("a gateway that answers again is not asked")
		}
		_ = b.Close()
	}
}

// An ability is a condition that keeps an object and, when it holds, does not.
// TestNobodyAnswers: Open does not wait for long where nobody answers, and names the endpoint. What
// has answered before is waited for.
func TestNobodyAnswers(t *testing.T) {
	environment(t)
	const nobody = "http://127.0.0.1:1"
	for _, readOnly := range []bool{false, true} {
		c := settings()
		c.Endpoints, c.Patience, c.FirstPatience, c.ReadOnly = []string{nobody}, time.Hour, 50*time.Millisecond, readOnly
		var log bytes.Buffer
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
		_, err := client.Open(t.Context(), c)
		if strings.Contains(log.String(), "op=delete") {
			t.Errorf("it has deleted what it could not store:\n%s", log.String())
		}
		if err == nil || !strings.Contains(err.Error(), "no server has answered at "+nobody+"; check the endpoint") {
			t.Errorf("read-only %v: %v", readOnly, err)
		}
	}
	s := s3test.New(t)
	later := httptest.NewServer(s)
	defer later.Close()
	c := settings()
	c.Endpoints, c.Patience, c.FirstPatience = []string{later.URL}, 100*time.Millisecond, time.Nanosecond
	b := open(t, c)
	later.Close()
	_, err := b.Head(t.Context(), "k")
	if err == nil || strings.Contains(err.Error(), "no server has answered") || !strings.Contains(err.Error(), "gave up after") {
		t.Errorf("a server that has answered: %v", err)
	}
}

func TestAbilities(t *testing.T) {
	s := s3test.New(t)
	s.SetFault(func(r *http.Request) s3test.Fault {
		if r.Method == http.MethodDelete && r.Header.Get("If-Match") != "" {
			return xml(http.StatusPreconditionFailed, "PreconditionFailed")
		}
		return s3test.Fault{}
	})
	if can := open(t, settings(s)).Abilities(); can.DeleteIfMatch || !can.DeleteIfUnmodified {
		t.Errorf("%+v of a server that never deletes under If-Match", can)
	}
}

// A server that wants ETags in quotes, as HTTP has them, gets them so.
func TestQuotes(t *testing.T) {
	s := s3test.New(t)
	s.SetFault(func(r *http.Request) s3test.Fault {
		if etag := r.Header.Get("If-Match"); etag != "" && !strings.HasPrefix(etag, `"`) {
			return xml(http.StatusPreconditionFailed, "PreconditionFailed")
		}
		return s3test.Fault{}
	})
	b := open(t, settings(s))
	etag, err := b.Put(t.Context(), "k", []byte("1"), object.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Put(t.Context(), "k", []byte("2"), object.PutOptions{IfMatch: etag}); err != nil {
		t.Error(err)
	}
}

// Completing an upload that is gone ends at once, although Ceph 16 says that it is under way.
func TestCompleteOfWhatIsGone(t *testing.T) {
	s := s3test.New(t)
	b := open(t, settings(s))
	m, err := b.Begin(t.Context(), "m")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Part(t.Context(), 1, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := m.Abort(t.Context()); err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int64
	s.SetFault(func(r *http.Request) s3test.Fault {
		switch {
		case r.Method == http.MethodPost:
			asked.Add(1)
			return xml(http.StatusInternalServerError, "InternalError")
		case r.Method == http.MethodGet && r.URL.Query().Has("uploadId"):
			return xml(http.StatusNotFound, "NoSuchKey") // as Ceph 16 has it
		}
		return s3test.Fault{}
	})
	if _, err := m.Complete(t.Context()); !errors.Is(err, object.ErrNotFound) || errors.Is(err, object.ErrUnknown) {
		t.Errorf("%v, want %v", err, object.ErrNotFound)
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	if err := m.Part(t.Context(), 2, []byte("x")); !errors.Is(err, object.ErrNotFound) {
		t.Errorf("%v, want %v", err, object.ErrNotFound)
	}
}

// lines is what a log has. Connections are dialled, and say what they found, on their own.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestLog(t *testing.T) {
	s := s3test.New(t)
	c := settings(s)
	c.Endpoints = append(c.Endpoints, "http://127.0.0.1:1") // where nobody listens
	var out lines
	c.Log = slog.New(slog.NewTextHandler(&out, nil))
	b := open(t, c)
	s.SetFault(once(http.MethodHead, xml(http.StatusServiceUnavailable, "SlowDown")))
	_, _ = b.Head(t.Context(), "some-key")
	_ = b.Close() // so that the next dials
	_, _ = b.Head(t.Context(), "some-key")
	for _, want := range []string{"a request to S3 is repeated", "op=head key=some-key", "a gateway is passed by"} {
		for end := time.Now().Add(time.Minute); !strings.Contains(out.String(), want) && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		if !strings.Contains(out.String(), want) {
			t.Errorf("the log has no %q: %s", want, out.String())
		}
	}
	if strings.Contains(out.String(), secret) {
		t.Error("the log has the secret")
	}
}
