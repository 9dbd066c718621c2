package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestProxy does each fault to one request, and looks at what the server and the client saw of it.
func TestProxy(t *testing.T) {
	const path = "/bucket/a%2Fb!20c?x-id=PutObject&list-type=2"
	for _, tt := range []struct {
		fault  Fault
		served int64 // how often the server saw the request
		want   string
	}{
		{None, 1, "200 reply 1 to PUT " + path + " of body"},
		{DropRequest, 0, "EOF"},
		{Deny, 0, "503 <Error><Code>SlowDown</Code>"},
		{DropReply, 1, "EOF"},
		{CutReply, 1, "unexpected EOF"},
		{DelayReply, 1, "200 reply 1"},
		{Repeat, 2, "200 reply 2"},
		{Deceive, 1, "500 <Error><Code>InternalError</Code>"},
	} {
		t.Run(tt.fault.String(), func(t *testing.T) {
			var served atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				text := fmt.Sprintf("reply %d to %s %s of %s", served.Add(1), r.Method, r.RequestURI, body)
				w.Header().Set("Content-Length", fmt.Sprint(len(text)))
				_, _ = io.WriteString(w, text)
			}))
			defer server.Close()
			p, err := NewProxy([]string{server.Listener.Addr().String()}, time.Millisecond, func(*http.Request) Fault { return tt.fault })
			if err != nil {
				t.Fatal(err)
			}
			got := ask(t, p.URL+path)
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			if !strings.Contains(got, tt.want) || served.Load() != tt.served || p.Count(tt.fault) != 1 {
				t.Errorf("got %q, served %d times; want %q, %d times", got, served.Load(), tt.want, tt.served)
			}
			if counts := p.Counts(); (tt.fault == None) != (counts == "") {
				t.Errorf("counts %q", counts)
			}
		})
	}
}

// ask returns what a client gets: status and body, or the error.
func ask(t *testing.T, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url, strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	reply, err := transport.RoundTrip(r)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = reply.Body.Close() }()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(reply.StatusCode, " ", string(body))
}

func TestProxyWithoutServer(t *testing.T) {
	p, err := NewProxy([]string{"127.0.0.1:1"}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := ask(t, p.URL); !strings.Contains(got, "EOF") {
		t.Errorf("got %q", got)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestSometimes(t *testing.T) {
	counts := map[Fault]int{}
	for plan := Sometimes(3, All()...); len(counts) < len(All())+1; {
		counts[plan(nil)]++
	}
	if counts[None] < counts[Deny] {
		t.Errorf("%v: one in three at most", counts)
	}
}

// TestStart makes a cluster of a script that does nothing but print.
func TestStart(t *testing.T) {
	for _, tt := range []struct{ name, script, want string }{
		{"running", "echo S3_GATEWAYS=127.0.0.1:1,127.0.0.1:2; echo AWS_REGION=here", ""},
		{"missing", "echo ceph-mon is missing >&2; exit 1", "ceph-mon is missing\n" + Instructions},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			writeScript(t, dir, tt.script)
			t.Chdir(dir)
			t.Setenv(DirVariable, dir)
			c, err := Start(t.Context())
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := c.URL("b", "p/q"); len(c.Gateways) != 2 || c.Env["AWS_REGION"] != "here" ||
				got != "s3://b/p/q?endpoint=http%3A%2F%2F127.0.0.1%3A1%2Chttp%3A%2F%2F127.0.0.1%3A2" {
				t.Errorf("%+v, %s", c, got)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("outside the repository", func(t *testing.T) {
		t.Chdir(t.TempDir())
		if _, err := Start(context.Background()); err == nil || !strings.Contains(err.Error(), "in the repository") {
			t.Errorf("error %v", errors.Unwrap(err))
		}
	})
}
